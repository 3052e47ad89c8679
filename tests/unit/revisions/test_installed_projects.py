"""What the metadata of installed packages tells of a checkout's own modules."""

from __future__ import annotations

import json
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import distributions

import pytest

from pytest_costguard.revisions.installed_projects import folders_installed, installed_modules


@pytest.fixture
def site(tmp_path):
    return tmp_path.resolve() / "site-packages"


def install(site, name, *files, url="", editable=False):
    info = site / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    if url:
        told = {"url": url, "dir_info": {"editable": editable}}
        (info / "direct_url.json").write_text(json.dumps(told))


def found(site):
    return list(distributions(path=[str(site)]))


def test_modules_packages_and_portions_of_a_namespace_are_told_apart(site):
    install(
        site,
        "Acme_Lib",
        *("made.py", f"_fast{EXTENSION_SUFFIXES[0]}", "pkg/__init__.py", "pkg/sub/mod.py"),
        *("acme/search/__init__.py", "acme/search/deep/__init__.py", "acme/lone.py"),
        *("data/numbers.csv", "../../bin/tool", "not-a-name/x.py", "pkg.libs/x.py"),
    )
    install(site, "other", "other.py")

    modules = installed_modules(found(site), names={"acme-lib"})

    assert modules == {"made", "_fast", "pkg", "acme.search", "acme.lone"}


@pytest.mark.parametrize(
    "loader", ["__editable___acme_1_0_finder.py", "_acme_editable_loader.py", "_editable_impl_a.py"]
)
def test_the_loader_of_an_editable_installation_is_not_the_projects_own(site, loader):
    install(site, "acme", loader, "acme.pth")

    assert installed_modules(found(site), names={"acme"}) == frozenset()


def test_what_was_installed_from_a_folder_of_the_checkout_is_known(site, tmp_path):
    checkout = tmp_path.resolve() / "check out"
    install(site, "whole", url=checkout.as_uri())
    install(site, "part", url=(checkout / "libs" / "part").as_uri(), editable=True)
    install(site, "elsewhere", url=(tmp_path / "elsewhere").as_uri())
    install(site, "from-index")

    folders = folders_installed(found(site), checkout=checkout)

    assert {name: path.as_posix() for name, path in folders.items()} == {
        "whole": ".",
        "part": "libs/part",
    }


def test_a_wheel_that_the_checkout_only_keeps_is_not_its_own(site, tmp_path):
    install(site, "vendored")
    told = {"url": (tmp_path / "wheels/vendored.whl").as_uri(), "archive_info": {}}
    (site / "vendored-1.dist-info/direct_url.json").write_text(json.dumps(told))

    assert folders_installed(found(site), checkout=tmp_path.resolve()) == {}
