"""What the report says of two environments."""

from __future__ import annotations

import os

import pytest

from pytest_costguard.app.environments import activated, environment_differences
from pytest_costguard.revisions.interpreters import Interpreter


def interpreter(version=(3, 11, 9), platform="linux-x86_64", **packages):
    named = {name.replace("_", "-"): value for name, value in packages.items()}
    return Interpreter(
        version=version,
        implementation="cpython",
        platform=platform,
        distributions={"pytest": "8.0", **named},
    )


def test_the_same_on_both_sides_is_no_difference():
    assert environment_differences(interpreter(), interpreter()) == ()


def test_another_version_of_a_package_is_named():
    found = environment_differences(interpreter(numpy="1.26.4"), interpreter(numpy="2.4.6"))

    assert found == ("base runs with numpy 1.26.4; head with numpy 2.4.6",)


def test_another_python_is_named_with_what_else_differs():
    base = interpreter(numpy="1.26.4", dep="1")
    head = interpreter((3, 12, 1), numpy="2.4.6", dep="2")

    (found,) = environment_differences(base, head)

    assert found == (
        "base runs on Python 3.11.9 with dep 1 and numpy 1.26.4;"
        " head on Python 3.12.1 with dep 2 and numpy 2.4.6"
    )


def test_another_python_alone_is_named():
    assert environment_differences(interpreter(), interpreter((3, 12, 1))) == (
        "base runs on Python 3.11.9; head on Python 3.12.1",
    )


def test_another_architecture_is_named():
    (found,) = environment_differences(interpreter(), interpreter(platform="linux-aarch64"))

    assert found == (
        "base runs on Python 3.11.9 for linux-x86_64; head on Python 3.11.9 for linux-aarch64"
    )


def test_at_most_eight_packages_are_named():
    names = [f"p{i}" for i in range(11)]
    base, head = (interpreter(**dict.fromkeys(names, version)) for version in "12")

    (found,) = environment_differences(base, head)

    assert found.startswith("base runs with p0 1, p1 1, p10 1, ")
    assert found.count(" 1") == 8
    assert found.count("and 3 more") == 2


def test_packages_of_one_side_are_named_for_it_and_ours_is_not():
    base = interpreter(old="1")
    head = interpreter(new="2", pytest_costguard="0.1")

    assert environment_differences(base, head) == (
        "only base has old 1 installed",
        "only head has new 2 installed",
    )


@pytest.mark.parametrize("virtual", [True, False])
def test_programs_of_base_see_bases_environment(virtual):
    base = Interpreter(version=(3, 11, 9), prefix="/env", virtual=virtual)
    before = {"VIRTUAL_ENV": "/head", "PYTHONHOME": "/head", "PATH": "/usr/bin", "LANG": "C"}

    found = activated(before, "/env/bin/python", base)

    if virtual:
        path = f"/env/bin{os.pathsep}/usr/bin"
        assert found == {"VIRTUAL_ENV": "/env", "PATH": path, "LANG": "C"}
    else:
        assert found == {"PATH": "/usr/bin", "LANG": "C"}
