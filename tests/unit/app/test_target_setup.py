"""From the settings to a priced target, where the machine is asked what it is."""

from __future__ import annotations

import datetime as dt

from pytest_costguard.app.targets import priced_setup
from pytest_costguard.config.cascade import resolve
from pytest_costguard.host.cloud import DetectedMachine

TODAY = dt.date(2026, 8, 1)
MACHINE = DetectedMachine(provider="aws", instance="c7i.large", region="us-east-1", how="told")


def setup(folder, machine, **cli):
    asked = []

    def detect():
        asked.append(1)
        return machine

    settings = resolve(cli=cli, environ={}, rootdir=folder)
    return priced_setup(settings, today=TODAY, detect=detect), len(asked)


def test_a_machine_that_is_asked_for_and_not_detected_is_said_with_the_remedy(tmp_path):
    found, _ = setup(tmp_path, None, detect_target=True)

    assert found.target is None
    assert "could not be detected" in found.problem
    assert "--costguard-price" in found.problem


def test_a_machine_that_is_detected_is_the_target(tmp_path):
    found, _ = setup(tmp_path, MACHINE, detect_target=True)

    assert found.target is not None
    assert found.target.origin == "detected"


def test_a_declared_price_needs_no_detection_that_succeeds(tmp_path):
    found, _ = setup(tmp_path, None, detect_target=True, price="0.5")

    assert found.problem == ""


def test_nobody_is_asked_unless_told_to(tmp_path):
    found, asked = setup(tmp_path, MACHINE)

    assert (found.problem, asked) == ("", 0)
