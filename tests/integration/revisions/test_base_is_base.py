"""A process of base imports base, however the project is laid out and installed.

Each case is one in which the naive way, pytest started in base's tree, compares head with head:
that is asserted first, so that no case can pass for want of danger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

import pytest_costguard
from pytest_costguard.revisions.guard import GUARD_VARIABLE, Policy
from pytest_costguard.revisions.sources import sources_of

PYPROJECT = """
[build-system]
requires = []
build-backend = "{backend}"
[project]
name = "acme-search"
version = "1.0"
{more}
"""
SETUPTOOLS_FINDER = '[tool.setuptools]\npackages = ["{package}"]\n'
TEST = """
import json
from pytest_costguard.revisions.guard import current, modules_loaded
def test_where():
    import {module}
    guard = current()
    leaks = None if guard is None else list(guard.leaks(modules_loaded()))
    print("FOUND", json.dumps([{module}.__file__, {module}.SIDE, leaks]))
"""


@dataclass(frozen=True)
class Case:
    name: str
    module: str
    file: str
    backend: str
    install: tuple[str, ...]
    more: str = ""
    test_folder: str = "tests"


EDITABLE = ("-e",)
CASES = [
    Case("src, path editable", "pkg", "src/pkg/__init__.py", "setuptools.build_meta", EDITABLE),
    Case(
        "flat, finder editable",
        "pkg",
        "pkg/__init__.py",
        "setuptools.build_meta",
        EDITABLE,
        SETUPTOOLS_FINDER.format(package="pkg"),
    ),
    Case(
        "lib, hatchling editable",
        "pkg",
        "lib/pkg/__init__.py",
        "hatchling.build",
        EDITABLE,
        '[tool.hatch.build]\npackages = ["lib/pkg"]\ndev-mode-dirs = ["lib"]',
    ),
    Case(
        "namespace, editable",
        "acme.search",
        "src/acme/search/__init__.py",
        "setuptools.build_meta",
        EDITABLE,
    ),
    Case("src, installed", "pkg", "src/pkg/__init__.py", "setuptools.build_meta", ()),
    Case("src, one module, installed", "model", "src/model.py", "setuptools.build_meta", ()),
    Case(
        "namespace, installed",
        "acme.search",
        "src/acme/search/__init__.py",
        "setuptools.build_meta",
        (),
    ),
]


class Sides:
    """A checkout, the trees of both revisions, and an environment that head is installed in."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.case = case
        self.safe_path: dict[str, str] = {}
        self.checkout, self.base, self.head = (
            folder / name for name in ("checkout", "trees/base", "trees/head")
        )
        for tree, side in ((self.checkout, "head"), (self.base, "base"), (self.head, "head")):
            text = PYPROJECT.format(backend=case.backend, more=case.more)
            self.put(tree, "pyproject.toml", text)
            self.put(tree, case.file, f"SIDE = {side!r}\n")
            test = f"{case.test_folder}/test_where.py"
            self.put(tree, test, TEST.format(module=case.module))
        self.environment = folder / "environment"
        venv.create(self.environment, symlinks=os.name == "posix")
        self.python = self.environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        self.site = Path(sysconfig.get_path("purelib", vars={"base": str(self.environment)}))
        tools = (sysconfig.get_path("purelib"), str(Path(pytest_costguard.__file__).parents[1]))
        (self.site / "tools.pth").write_text("".join(f"{folder}\n" for folder in tools))

    def start_as_pytest_does(self) -> None:
        """Leave the working folder off the path, as the command `pytest` does."""
        self.safe_path = {"PYTHONSAFEPATH": "1"}

    @staticmethod
    def put(tree: Path, name: str, text: str) -> None:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def install(self) -> None:
        """Install the checkout, as CI or a developer did."""
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q"),
                *("--no-build-isolation", "--no-deps", "--no-index"),
                *(*self.case.install, str(self.checkout)),
            ],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def policy(self, tree: Path) -> Policy:
        base, head = (sources_of(one, rootdir=one) for one in (self.base, self.head))
        owned = base.owned() | head.owned()
        return Policy(
            tree=str(tree),
            checkout=str(self.checkout),
            other=str(self.head if tree == self.base else self.base),
            roots=tuple(map(str, (base if tree == self.base else head).roots)),
            owned=tuple(sorted(owned)),
        )

    def run(self, tree: Path, *, module: str, environ: dict[str, str]) -> str:
        done = subprocess.run(
            [str(self.python), "-m", module, "-q", "-s", "-p", "no:cacheprovider", "tests"],
            cwd=tree,
            env={
                **{
                    k: v
                    for k, v in os.environ.items()
                    if k not in ("PYTHONPATH", "COSTGUARD_GUARD")
                },
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                **environ,
                **self.safe_path,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def naive(self, tree: Path) -> list[object]:
        return found(self.naive_output(tree))

    def naive_output(self, tree: Path) -> str:
        return self.run(tree, module="pytest", environ={})

    def guarded(self, tree: Path) -> list[object]:
        return found(self.guarded_output(tree))

    def guarded_output(self, tree: Path) -> str:
        environ = {GUARD_VARIABLE: self.policy(tree).encoded()}
        return self.run(tree, module="pytest_costguard.app.worker_process", environ=environ)


def found(output: str) -> list[object]:
    line = next((line for line in output.splitlines() if "FOUND" in line), None)
    assert line is not None, output
    return json.loads(line[line.index("[") : line.rindex("]") + 1])


@pytest.fixture
def sides(tmp_path, request):
    return Sides(tmp_path.resolve(), request.param)


def each(cases):
    return pytest.mark.parametrize("sides", cases, indirect=True, ids=lambda case: case.name)


@each(CASES)
def test_base_is_base_and_head_is_head(sides):
    sides.install()
    sides.start_as_pytest_does()
    assert sides.naive(sides.base)[1] == "head", "without the guard, base would be head"

    for tree, side in ((sides.base, "base"), (sides.head, "head")):
        file, imported, leaks = sides.guarded(tree)
        assert imported == side
        assert file == str(tree / sides.case.file)
        assert leaks == []


FINDER_FIRST = """
import importlib.util, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "pkg":
            return importlib.util.spec_from_file_location(
                name, {file!r}, submodule_search_locations=[{folder!r}]
            )
sys.meta_path.insert(0, Finder())
"""


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_a_finder_that_puts_itself_first_does_not_get_before_the_guard(sides):
    # as meson-python's editable installs do
    file = sides.checkout / "pkg/__init__.py"
    text = FINDER_FIRST.format(file=str(file), folder=str(file.parent))
    (sides.site / "_editable_loader.py").write_text(text)
    (sides.site / "editable.pth").write_text("import _editable_loader\n")

    assert sides.naive(sides.base)[1] == "head"
    assert sides.guarded(sides.base)[1:] == ["base", []]


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_a_conftest_that_puts_a_finder_first_does_not_get_before_the_guard(sides):
    file = sides.checkout / "pkg/__init__.py"
    text = FINDER_FIRST.format(file=str(file), folder=str(file.parent))
    sides.put(sides.base, "tests/conftest.py", text)

    assert sides.naive(sides.base)[1] == "head"
    assert sides.guarded(sides.base)[1:] == ["base", []]


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_a_conftest_that_puts_the_checkout_on_the_path_is_led_to_its_own_tree(sides):
    sides.put(
        sides.base,
        "tests/conftest.py",
        f"import sys\nsys.path.insert(0, {str(sides.checkout)!r})\n",
    )

    assert sides.naive(sides.base)[1] == "head"
    assert sides.guarded(sides.base)[1:] == ["base", []]


@each([Case("src, installed", "pkg.new", "src/pkg/new.py", "setuptools.build_meta", ())])
def test_a_module_that_base_lacks_is_not_taken_from_what_ci_has_installed(sides):
    for tree in (sides.checkout, sides.base, sides.head):
        sides.put(tree, "src/pkg/__init__.py", "")
    sides.install()
    (sides.base / "src/pkg/new.py").unlink()
    (sides.base / "src/pkg/__init__.py").unlink()

    assert sides.naive(sides.base)[1] == "head"
    output = sides.guarded_output(sides.base)
    assert "pkg.new belongs to the project and is not in the tree of this revision" in output
    assert "it was refused from" in output


@each([Case("src, editable", "pkg", "src/pkg/__init__.py", "setuptools.build_meta", EDITABLE)])
def test_a_compiled_module_that_git_ignores_is_refused_and_named(sides):
    from importlib.machinery import EXTENSION_SUFFIXES

    sides.install()
    for tree in (sides.base, sides.head, sides.checkout):
        sides.put(tree, "tests/test_where.py", "def test_it():\n    import pkg._speed\n")
    compiled = sides.checkout / f"src/pkg/_speed{EXTENSION_SUFFIXES[0]}"
    compiled.write_bytes(b"built here")
    # extend_path is how a package is spread over several folders
    for tree in (sides.base, sides.head):
        sides.put(tree, "src/pkg/__init__.py", f"__path__.append({str(compiled.parent)!r})\n")

    naive = sides.naive_output(sides.base)
    assert "ImportError" in naive
    assert str(compiled) in naive, "without the guard, what head has built would be loaded"
    output = sides.guarded_output(sides.base)

    assert "pkg._speed belongs to the project and is not in the tree of this revision" in output
    assert str(compiled) in output


@each([Case("src, installed", "pkg", "src/pkg/__init__.py", "setuptools.build_meta", ())])
def test_a_plugin_of_the_project_is_the_trees_own_with_its_assertions_rewritten(sides):
    for tree, side in ((sides.checkout, "head"), (sides.base, "base")):
        plugin = f"def check(value):\n    assert value == {side!r} + 'x'\n"
        sides.put(tree, "src/pkg/plugin.py", plugin)
        sides.put(tree, "conftest.py", "pytest_plugins = ['pkg.plugin']\n")
    sides.put(
        sides.base,
        "tests/test_where.py",
        "def test_it():\n    from pkg.plugin import check\n    check('wrong')\n",
    )

    sides.install()
    sides.start_as_pytest_does()
    assert "headx" in sides.naive_output(sides.base), "without the guard, base would be head"

    output = sides.guarded_output(sides.base)

    assert "AssertionError: assert 'wrong' == 'basex'" in output


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_a_module_that_was_loaded_past_the_guard_is_seen_by_the_scan(sides):
    file = str(sides.checkout / "pkg/__init__.py")
    sides.put(
        sides.base,
        "tests/conftest.py",
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('pkg', {file!r})\n"
        "sys.modules['pkg'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sys.modules['pkg'])\n",
    )

    assert sides.guarded(sides.base)[1:] == ["head", [f"pkg from {file}"]]


FLAT = Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())
DISPLACED = {
    "a list of its own": "sys.meta_path = [Finder(), *sys.meta_path]",
    "a slice": "sys.meta_path[0:0] = [Finder()]",
    "an item": "sys.meta_path[0] = Finder()",
    "removed": "sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != 'Guard']",
}


@pytest.mark.parametrize("statement", DISPLACED.values(), ids=DISPLACED)
@each([FLAT])
def test_a_guard_that_was_displaced_still_sees_what_was_loaded_past_it(sides, statement):
    sides.put(
        sides.base,
        "tests/conftest.py",
        "import sys\nfrom importlib.machinery import PathFinder\n"
        "class Finder:\n    find_spec = PathFinder.find_spec\n"
        f"{statement}\nsys.path.insert(0, {str(sides.checkout)!r})\nimport pkg\n",
    )

    file = str(sides.checkout / "pkg/__init__.py")
    assert sides.guarded(sides.base)[1:] == ["head", [f"pkg from {file}"]]


BY_ITS_PATH = """
import importlib.util
spec = importlib.util.spec_from_file_location("other", {file!r})
other = importlib.util.module_from_spec(spec)
spec.loader.exec_module(other)
serve = other.serve
"""
REMOVED_AGAIN = """
import sys
from importlib.machinery import PathFinder
meta_path, sys.meta_path = sys.meta_path, [PathFinder]
sys.path.insert(0, {folder!r})
import other
serve = other.serve
del sys.path[0], sys.modules["other"], other
sys.meta_path = meta_path
"""
LOADED_ANEW = """
import pkg
from importlib import reload
from importlib.machinery import PathFinder
import sys
sys.meta_path[0] = PathFinder
sys.path.insert(0, {checkout!r})
reload(pkg)
"""


@pytest.mark.parametrize(
    ("load", "name"),
    [
        pytest.param(BY_ITS_PATH, "pkg/other.py", id="by its path"),
        pytest.param(REMOVED_AGAIN, "pkg/other.py", id="removed again"),
        pytest.param(LOADED_ANEW, "pkg/__init__.py", id="loaded anew"),
    ],
)
@each([FLAT])
def test_code_of_the_checkout_is_seen_wherever_it_is_kept(sides, load, name):
    for tree in (sides.base, sides.checkout):
        sides.put(tree, "pkg/__init__.py", "SIDE = ''\ndef serve(): ...\n")
        sides.put(tree, "pkg/other.py", "def serve(): ...\n")
    file = str(sides.checkout / name)
    folder, checkout = str(sides.checkout / "pkg"), str(sides.checkout)
    loads = load.format(file=file, folder=folder, checkout=checkout)
    sides.put(sides.base, "tests/conftest.py", loads)

    [leak] = sides.guarded(sides.base)[2]

    assert leak.endswith(f" from {file}")


@each([FLAT])
def test_a_function_that_was_unpickled_is_no_module(sides):
    file = str(sides.checkout / "pkg/model.py")
    sides.put(
        sides.base,
        "tests/conftest.py",
        "from types import FunctionType\ndef serve(): ...\n"
        f"known = {{'__name__': 'pkg.model', '__file__': {file!r}}}\n"
        "serve = FunctionType(serve.__code__, known)\n",
    )

    assert sides.guarded(sides.base)[1:] == ["base", []]


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_an_environment_inside_the_checkout_is_not_the_checkouts_code(sides, tmp_path):
    inside = sides.checkout / ".venv"
    sides.environment.rename(inside)
    sides.python = inside / sides.python.relative_to(sides.environment)
    sides.site = inside / sides.site.relative_to(sides.environment)
    (sides.site / "third_party.py").write_text("")
    sides.put(
        sides.base,
        "tests/test_where.py",
        "def test_it():\n    import third_party\n    print('FOUND', [third_party.__name__])\n",
    )

    assert "third_party" in sides.guarded_output(sides.base)
    assert "1 passed" in sides.guarded_output(sides.base)


@each([Case("flat", "pkg", "pkg/__init__.py", "hatchling.build", ())])
def test_a_module_that_exists_nowhere_is_missing_as_ever(sides):
    sides.put(
        sides.base,
        "tests/test_where.py",
        "import pytest\n\ndef test_it():\n"
        "    with pytest.raises(ModuleNotFoundError, match=\"No module named 'nowhere'\"):\n"
        "        import nowhere\n"
        "    with pytest.raises(ModuleNotFoundError, match='belongs to the project'):\n"
        "        import pkg.nowhere\n",
    )

    assert "1 passed" in sides.guarded_output(sides.base)
