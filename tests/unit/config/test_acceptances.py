"""Accepted regressions: what the file may say, and what it makes of a rule."""

from __future__ import annotations

import datetime as dt

import pytest

from pytest_costguard.config.acceptances import (
    FILE,
    AcceptedChange,
    accepted_gates,
    in_vain,
    new_acceptances,
    read_acceptances,
)
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Gates, Regression

TODAY = dt.date(2026, 3, 1)
ENTRY = """\
accepted:
  - workload: tests/test_a.py::test_a
    metric: mean
    up_to: 12%
    reason: "beam search: worth it"
    by: Jo <jo@example.invalid>
    until: 2026-06-01
"""


def written(tmp_path, text):
    path = tmp_path / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_acceptances(tmp_path)


def entry(**changes):
    fields = {
        "nodeid": "tests/test_a.py::test_a",
        "metric": "mean",
        "up_to": 0.12,
        "reason": "worth it",
        "by": "Jo",
        "until": dt.date(2026, 6, 1),
        "origin": "accepted.yaml accepted[0]",
    }
    return AcceptedChange(**(fields | changes))


def rule(metric="mean"):
    return Regression(metric=metric, allow=0.02, catch=0.05, origin="default")


def held(*accepted, today=TODAY, metric="mean"):
    gates = accepted_gates(
        Gates(regressions=(rule(metric),)),
        nodeid="tests/test_a.py::test_a",
        accepted=accepted,
        today=today,
    )
    return gates.regressions[0]


def test_without_a_file_nothing_is_accepted(tmp_path):
    assert read_acceptances(tmp_path) == ()


def test_an_entry_says_what_how_much_why_who_and_until_when(tmp_path):
    (found,) = written(tmp_path, ENTRY)
    assert (found.nodeid, found.metric, found.up_to) == ("tests/test_a.py::test_a", "mean", 0.12)
    assert (found.reason, found.by) == ("beam search: worth it", "Jo <jo@example.invalid>")
    assert found.until == dt.date(2026, 6, 1)
    assert ".costguard/accepted.yaml" in found.origin


@pytest.mark.parametrize("text", ["", "accepted:\n", "# nothing yet\naccepted: []\n"])
def test_an_empty_file_accepts_nothing(tmp_path, text):
    assert written(tmp_path, text) == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (ENTRY.replace("up_to: 12%", "up_to: 12"), "up_to"),
        (ENTRY.replace("metric: mean", "metric: men"), "metric"),
        (ENTRY.replace('reason: "beam search: worth it"', 'reason: ""'), "reason"),
        (ENTRY.replace("until: 2026-06-01", "until: soon"), "until"),
        (ENTRY.replace("    by:", "    buy:"), "buy"),
        (ENTRY.replace("    metric: mean\n", ""), "metric"),
        ("accepted: yes\n", "accepted"),
        ("acepted: []\n", "acepted"),
        ("accepted: [}\n", "accepted.yaml"),
    ],
)
def test_what_is_not_understood_names_its_place(tmp_path, text, named):
    with pytest.raises(ConfigError, match=named):
        written(tmp_path, text)


def test_what_is_accepted_is_allowed_and_what_must_be_caught_lies_as_far_above():
    found = held(entry())
    assert found.allow == 0.12
    assert found.catch == pytest.approx(1.12 * 1.05 / 1.02 - 1)
    assert (found.accepted.allow, found.accepted.catch) == (0.02, 0.05)


def test_the_last_day_counts_and_the_day_after_does_not():
    until = dt.date(2026, 6, 1)
    assert held(entry(), today=until).accepted is not None
    assert held(entry(), today=until + dt.timedelta(days=1)) == rule()


def test_another_metric_and_another_test_are_held_as_before():
    assert held(entry(), metric="peak_memory") == rule("peak_memory")
    assert held(entry(nodeid="tests/test_a.py::test_ab")) == rule()


def test_of_two_entries_the_later_one_counts():
    assert held(entry(), entry(up_to=0.05)).allow == 0.05


def test_less_than_is_allowed_anyway_changes_nothing():
    assert held(entry(up_to=0.01)) == rule()


def test_entries_that_accept_nothing_are_named():
    over, gone = entry(until=dt.date(2026, 1, 1)), entry(nodeid="tests/test_gone.py::test_x")
    ungated = entry(metric="p99")
    gates = {"tests/test_a.py::test_a": Gates(regressions=(rule(),))}
    told = in_vain([entry(), over, gone, ungated], gates=gates, whole_suite=True, today=TODAY)
    assert ["is over" in told[0], "test_gone" in told[1], "not gated" in told[2]] == [True] * 3
    assert len(told) == 3
    assert in_vain([gone], gates=gates, whole_suite=False, today=TODAY) == ()


def test_what_base_has_accepted_is_not_accepted_once_more():
    old, new = entry(), entry(up_to=0.3)
    assert new_acceptances([old, new], before=[old]) == (new,)


def test_an_entry_that_came_ahead_of_its_change_counts_on_base_too():
    ahead = entry(ahead=True)
    assert new_acceptances([ahead], before=[ahead]) == (ahead,)
