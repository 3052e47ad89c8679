"""Where a project's modules are imported from, and which names are its own."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from pytest_costguard.revisions.sources import owned_modules, sources_of, unloaded_modules


def put(tree, *names, **texts):
    for name in names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name, text in texts.items():
        (tree / name.replace("_", ".")).write_text(text)


def roots(tree, *, rootdir=None, **keywords):
    found = sources_of(tree, rootdir=rootdir or tree, **keywords)
    return [path.relative_to(tree).as_posix() for path in found.roots]


@pytest.fixture
def tree(tmp_path):
    return tmp_path.resolve()


def test_a_flat_layout_is_the_folder_itself(tree):
    put(tree, "pyproject.toml", "pkg/__init__.py")

    assert roots(tree) == ["."]


def test_a_src_layout_comes_before_the_folder(tree):
    put(tree, "setup.py", "src/pkg/__init__.py")

    assert roots(tree) == ["src", "."]


def test_without_metadata_the_folder_still_counts(tree):
    put(tree, "src/pkg/__init__.py", "model.py")

    assert roots(tree) == ["."]


def test_what_pytest_names_comes_first(tree):
    put(tree, "pyproject.toml", "lib/a.py", "src/b.py")

    assert roots(tree, pythonpath=["lib", "absent"]) == ["lib", "src", "."]


@pytest.mark.parametrize(
    "text",
    [
        '[tool.setuptools]\npackage-dir = {"" = "python"}',
        '[tool.setuptools]\npackage-dir = {pkg = "python/pkg"}',
        '[tool.setuptools.packages.find]\nwhere = ["python"]',
        '[tool.hatch.build.targets.wheel]\npackages = ["python/pkg"]',
        '[tool.hatch.build.targets.wheel]\nsources = ["python"]',
        '[tool.hatch.build]\ndev-mode-dirs = ["python"]',
        '[tool.poetry]\npackages = [{include = "pkg", from = "python"}]',
        '[tool.pdm.build]\npackage-dir = "python"',
        '[tool.maturin]\npython-source = "python"',
        '[tool.uv.build-backend]\nmodule-root = "python"',
    ],
)
def test_what_the_build_backend_declares_is_found(tree, text):
    put(tree, "python/pkg/__init__.py", pyproject_toml=text)

    assert roots(tree) == ["python", "."]


@pytest.mark.parametrize(
    "text",
    ["[options]\npackage_dir =\n    =python", "[options.packages.find]\nwhere = python"],
)
def test_what_setup_cfg_declares_is_found(tree, text):
    put(tree, "python/pkg/__init__.py", setup_cfg=text)

    assert roots(tree) == ["python", "."]


@pytest.mark.parametrize(
    "text",
    [
        'from setuptools import setup\nsetup(package_dir={"": "python"})',
        'import setuptools\nsetuptools.setup(package_dir={"pkg": "python/pkg"}, version=VERSION)',
    ],
)
def test_what_is_written_out_in_setup_py_is_found(tree, text):
    put(tree, "python/pkg/__init__.py", setup_py=text)

    assert roots(tree) == ["python", "."]


@pytest.mark.parametrize(
    "metadata",
    [
        {
            "pyproject_toml": "[tool.setuptools]\npy-modules = ['made']\n"
            "[tool.setuptools.package-dir]\nmapped = 'pysrc'"
        },
        {"setup_cfg": "[options]\npy_modules = made\npackage_dir =\n    mapped = pysrc"},
        {"setup_py": "setup(py_modules=['made'], package_dir={'mapped': 'pysrc'})"},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_what_is_declared_by_name_is_owned_wherever_it_is(tree, metadata):
    put(tree, "pysrc/__init__.py", **metadata)

    assert {"made", "mapped"} <= sources_of(tree, rootdir=tree).owned()


@pytest.mark.parametrize(
    "metadata",
    [{"setup_cfg": "[metadata]\nname = Acme.Lib"}, {"setup_py": "setup(name='Acme_Lib')"}],
    ids=lambda metadata: next(iter(metadata)),
)
def test_an_installed_project_is_known_by_any_file_that_names_it(tree, metadata):
    put(tree, "lib/acme.py")
    put(tree / "lib", **metadata)

    found = roots(tree, installed=frozenset({"acme-lib"}), projects=[tree / "lib"])

    assert found == ["lib", "."]


def test_a_project_that_computes_its_name_is_known_by_the_folder_it_was_installed_from(tree):
    put(tree, "lib/acme.py")
    put(tree / "lib", setup_py="setup(name=NAME)")

    found = roots(tree, installed_folders=[tree / "lib"], projects=[tree / "lib"])

    assert found == ["lib", "."]


@pytest.mark.parametrize("text", ["[", "[tool]\nsetuptools = 3", "[project]\nname = 3"])
def test_metadata_that_is_not_understood_is_no_error_of_ours(tree, text):
    put(tree, "src/pkg/__init__.py", pyproject_toml=text, setup_cfg="[", setup_py="setup(")

    assert roots(tree) == ["src", "."]


def test_in_a_repository_of_several_projects_the_installed_ones_count(tree):
    put(tree, "service/pyproject.toml", "lib/src/lib/__init__.py", "examples/demo/numpy.py")
    (tree / "lib/pyproject.toml").write_text('[project]\nname = "Acme_Lib"\n')
    (tree / "examples/demo/pyproject.toml").write_text('[project]\nname = "demo"\n')

    found = roots(
        tree,
        rootdir=tree / "service",
        installed=frozenset({"acme-lib", "numpy"}),
        projects=[tree / "lib", tree / "examples/demo"],
    )

    assert found == ["service", "lib/src", "lib"]


def test_a_root_outside_of_the_tree_is_none(tree):
    put(tree, "a/pyproject.toml", "b/x.py")

    assert roots(tree / "a", rootdir=tree / "a", pythonpath=["../b"]) == ["."]


def test_owned_are_modules_packages_and_what_is_inside_a_namespace(tree):
    put(tree, "model.py", "pkg/__init__.py", "pkg/sub.py")
    put(tree, "acme/search/__init__.py", "acme/deep/er/mod.py", "data/numbers.csv")
    put(tree, ".hidden/x.py", "not-a-name/x.py", "notes.txt")

    owned = owned_modules([tree])

    assert "model" in owned
    assert "pkg" in owned
    assert {"acme.search", "acme.deep.er.mod"} <= owned
    assert owned.isdisjoint({"acme", "pkg.sub", "data", "notes", "not-a-name.x", "hidden.x"})


def test_the_names_of_this_interpreters_compiled_modules_are_owned(tree):
    from importlib.machinery import EXTENSION_SUFFIXES

    put(tree, f"_fast{EXTENSION_SUFFIXES[0]}")

    assert owned_modules([tree]) == {"_fast"}


@pytest.mark.parametrize(
    ("changed", "unloaded"),
    [
        ("src/pkg/other.py", ()),
        ("src/pkg/deep/other.py", ()),
        ("src/helper/other.py", ("src/helper/other.py",)),
        ("src/alone.py", ("src/alone.py",)),
        ("tests/test_other.py", ()),
        ("pysrc/__init__.py", ("pysrc/__init__.py",)),
        ("docs/index.md", ()),
        ("src/helper/data.json", ()),
    ],
)
def test_changed_code_is_missed_where_nothing_of_its_package_was_loaded(changed, unloaded):
    found = unloaded_modules(
        [changed],
        loaded=["src/pkg/__init__.py", "tests/test_it.py", "conftest.py"],
        roots=[PurePosixPath("src"), PurePosixPath()],
    )

    assert found == unloaded


def test_code_outside_of_every_root_is_not_missed():
    assert unloaded_modules(["x/a.py"], loaded=["src/b.py"], roots=[PurePosixPath("src")]) == ()
