"""Annotations: the worst ten of a kind at their tests, and no text that is a command of its own."""

from __future__ import annotations

import re

import msgspec
import pytest
from factories.reports import (
    EXAMPLES,
    all_unchanged,
    compared,
    hostile_names,
    regressed_and_over,
    report,
)

from pytest_costguard.records import Failure, Verdict, WorkloadId, WorkloadVerdict
from pytest_costguard.reports.annotations import annotations_of

COMMAND = re.compile(r"::(error|warning) ((?:[a-z]+=[^:,\r\n]*,?)+)::([^\r\n]*)")


def parsed(command):
    """What a runner reads: the kind, the properties and the message."""
    found = COMMAND.fullmatch(command)
    assert found, command
    properties = dict(pair.split("=", 1) for pair in found[2].split(","))
    return found[1], properties, found[3]


def many(count):
    failures = tuple(
        Failure(
            workload=WorkloadId(nodeid=f"tests/test_{number:02}.py::test_it"),
            reason=f"it raised {number}",
            remedy="mend it",
        )
        for number in range(count)
    )
    made = report(sentence="x", failed=True)
    return msgspec.structs.replace(made, run=msgspec.structs.replace(made.run, failures=failures))


def test_what_is_unchanged_has_none():
    assert annotations_of(all_unchanged()) == ()


def test_what_fails_is_an_error_at_the_file_of_its_test():
    kind, properties, message = parsed(annotations_of(regressed_and_over())[0])
    assert kind == "error"
    assert properties["file"].startswith("tests/inference/test_")
    assert "regressed" in properties["title"] or "over" in properties["title"]
    assert message


def test_a_project_below_the_top_of_the_repository_is_found_there():
    whole = regressed_and_over()
    run = msgspec.structs.replace(whole.run, root="services/ranker")
    below = msgspec.structs.replace(whole, run=run)
    _, properties, _ = parsed(annotations_of(below)[0])
    assert properties["file"].startswith("services/ranker/tests/")


@pytest.mark.parametrize(("count", "shown", "last"), [(10, 10, "it raised 9"), (12, 10, "3 more")])
def test_beyond_ten_the_last_one_counts_the_rest(count, shown, last):
    found = annotations_of(many(count))
    assert len(found) == shown
    assert parsed(found[-1])[2].startswith(last)


def test_the_line_of_the_test_is_named_where_it_is_known():
    whole = regressed_and_over()
    nodeid = whole.verdicts[0].workload.nodeid
    run = msgspec.structs.replace(whole.run, lines={nodeid: 12, f"{nodeid}[x]": 40})
    first, *_ = annotations_of(msgspec.structs.replace(whole, run=run))
    assert parsed(first)[1]["line"] == "12"


def test_what_would_end_a_property_or_a_message_is_encoded():
    made = many(1)
    (failure,) = made.run.failures
    told = msgspec.structs.replace(failure, reason="100 % gone: a, b")
    run = msgspec.structs.replace(made.run, failures=(told,))
    (command,) = annotations_of(msgspec.structs.replace(made, run=run))
    _, properties, message = parsed(command)
    assert message.startswith("100 %25 gone: a, b")
    assert properties["title"] == "test_it%3A measurement failed"


def test_of_more_than_ten_the_worst_are_shown():
    made = report(sentence="x", failed=True)
    verdicts = tuple(
        WorkloadVerdict(
            workload=WorkloadId(nodeid=f"tests/test_{number:02}.py::test_it"),
            comparisons=(
                compared("mean", Verdict.REGRESSED, base=0.001, ratio=1 + number / 100, reason="r"),
            ),
        )
        for number in range(1, 15)
    )
    found = annotations_of(msgspec.structs.replace(made, verdicts=verdicts))
    assert len(found) == 10
    shown = [parsed(one)[1]["file"] for one in found[:9]]
    assert shown == [f"tests/test_{number:02}.py" for number in range(14, 5, -1)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_well_formed(name):
    for command in annotations_of(EXAMPLES[name]()):
        parsed(command)


def test_a_hostile_name_is_one_line_and_no_property():
    for command in annotations_of(hostile_names()):
        kind, properties, _ = parsed(command)
        assert kind in ("error", "warning")
        assert set(properties) <= {"file", "title"}
        assert "::" not in properties["title"]
