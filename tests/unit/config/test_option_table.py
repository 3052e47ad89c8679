from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from pytest_costguard.config.options import BY_KEY, FAIL_ON, OPTIONS, flags
from pytest_costguard.records import FailOn


def parsed(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    for flag in flags():
        parser.add_argument(flag.name, **flag.arguments)
    parser.add_argument("paths", nargs="*")
    given = parser.parse_args(arguments)
    return {flag.key: getattr(given, flag.dest) for flag in flags()}


def test_importing_the_table_loads_nothing_heavy():
    heavy = "{'msgspec', 'numpy', 'yaml', 'jinja2', 'requests', 'rich', 'click', 'torch'}"
    code = f"import sys, pytest_costguard.config.options; print({heavy} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_the_words_of_fail_on_are_those_of_the_records():
    assert tuple(FailOn) == FAIL_ON


def test_every_option_has_one_key_and_one_sentence_of_help():
    assert len(BY_KEY) == len(OPTIONS)
    assert all(option.help.endswith(".") for option in OPTIONS)
    assert all(option.metavar for option in OPTIONS if option.kind != "switch")


def test_no_flag_collides_with_those_of_pytest_benchmark():
    assert all(flag.name.split("-")[2] == "costguard" for flag in flags())


def test_flags_that_are_not_given_yield_nothing():
    assert set(parsed().values()) == {None}


def test_flags_are_named_after_their_keys():
    assert BY_KEY["unit_time"].flag == "--costguard-unit-time"
    assert BY_KEY["unit_time"].variable == "COSTGUARD_UNIT_TIME"
    assert BY_KEY["measure"].flag == "--costguard"


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (("--costguard",), "measure", True),
        (("--costguard-save",), "save", "main"),
        (("--costguard-save=weekly",), "save", "weekly"),
        (("--costguard-units=3",), "units", "3"),
        (
            ("--costguard-budget=p99=50ms", "--costguard-budget=mean=9ms"),
            "budget",
            ["p99=50ms", "mean=9ms"],
        ),
        (("--costguard-detect-target",), "detect_target", True),
    ],
)
def test_flags_hand_on_what_was_written(arguments, key, value):
    assert parsed(*arguments)[key] == value


def test_the_help_of_every_flag_can_be_formatted(capsys):
    with pytest.raises(SystemExit):
        parsed("--help")

    assert "--costguard-allow PERCENT" in capsys.readouterr().out
