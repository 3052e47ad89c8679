"""Which texts name the checkout, and what a side reads in its place."""

from __future__ import annotations

import os
import sys

import pytest

from pytest_costguard.revisions.checkout_paths import CheckoutPaths


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path.resolve()
    for name in ("checkout/data/a", "base/data/a", "head/data/a", "checkout/ignored", "head/new"):
        (folder / name).mkdir(parents=True)
    (folder / "link").symlink_to(folder / "checkout")
    return folder


@pytest.fixture
def paths(folder):
    return CheckoutPaths(checkout=folder / "checkout", trees=(folder / "base", folder / "head"))


@pytest.mark.parametrize(
    ("text", "on_base"),
    [
        ("{}/checkout", "{}/base"),
        ("{}/checkout/data/a", "{}/base/data/a"),
        ("{}/link/data", "{}/base/data"),
        ("{}/checkout/new", "{}/base/new"),
        ("{}/checkout/ignored", "{}/checkout/ignored"),
        ("{}/checkout/to-be-written", "{}/checkout/to-be-written"),
        ("{}/checkout-2/data", "{}/checkout-2/data"),
        ("data/a", "data/a"),
        ("file://{}/checkout/data", "file://{}/checkout/data"),
        ("", ""),
        (f"/usr/lib{os.pathsep}{{0}}/checkout/data", f"/usr/lib{os.pathsep}{{0}}/base/data"),
    ],
)
def test_what_a_tree_has_is_named_there(paths, folder, text, on_base):
    assert paths.in_tree(text.format(folder), folder / "base") == on_base.format(folder)


def test_options_may_hold_several_paths_and_other_things(paths, folder):
    given = [f"{folder}/checkout/data", 3, None]

    assert paths.in_tree(given, folder / "head") == [f"{folder}/head/data", 3, None]


def test_variables_of_the_interpreter_of_tools_and_the_home_stay(paths, folder):
    top = str(folder / "checkout")
    environ = dict.fromkeys(["VIRTUAL_ENV", "HOME", "COSTGUARD_REPORT", "COVERAGE_FILE"], top)

    assert paths.environ(environ, folder / "base") == environ


def test_the_interpreter_stays_though_a_tree_has_it(folder, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(folder / "checkout/data"))
    paths = CheckoutPaths(checkout=folder / "checkout", trees=(folder / "head",))
    programs = f"{folder}/checkout/data/a{os.pathsep}/bin"

    assert paths.environ({"PATH": programs}, folder / "head") == {"PATH": programs}
    assert paths.left({"PROGRAM": f"{folder}/checkout/data/a"}, {}) == ()


def test_what_is_only_in_the_checkout_is_named(paths, folder):
    ignored, absent = f"{folder}/checkout/ignored", f"{folder}/checkout/absent"
    environ = {"WEIGHTS": ignored, "RESULTS": absent, "PROJ": f"{folder}/checkout", "_": ignored}

    assert paths.left(environ, {"model": [ignored], "n": 3}) == ("WEIGHTS", "option model")
