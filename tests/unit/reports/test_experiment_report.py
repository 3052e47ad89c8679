"""What an experiment says: the sentence, the table, and what is not known."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from pytest_costguard.records import (
    Declaration,
    Experiment,
    ExperimentSide,
    Failure,
    MetricChange,
    Scenario,
    WorkloadChange,
    WorkloadId,
    to_json,
)
from pytest_costguard.reports.experiment import render, verdict

DECLARATION = Declaration(
    adapter="callable", scenario=Scenario(), threads=1, input_count=8, input_digest="d"
)


def found(*, ratio=0.876, lower=0.87, upper=0.882, answer="better", metric="mean", **changes):
    row = MetricChange(
        metric=metric,
        a=0.001,
        b=0.001 * ratio,
        ratio=ratio,
        lower=lower,
        upper=upper,
        confidence=0.95,
        units=10,
    )
    quality = MetricChange(metric="quality", a=0.9, b=0.8)
    return WorkloadChange(
        **{
            "workload": WorkloadId(nodeid="tests/test_a.py::test_a"),
            "declaration": DECLARATION,
            "metric": metric,
            "answer": answer,
            "precise": True,
            "half_width": 0.007,
            "units": 10,
            "seconds": 14.2,
            "changes": (row, quality),
            **changes,
        }
    )


def experiment(*workloads, **changes):
    return Experiment(
        **{
            "created": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            "tool_version": "1",
            "a": ExperimentSide(label="one"),
            "b": ExperimentSide(label="two"),
            "precision": 0.01,
            "seconds": 15.0,
            "workloads": workloads,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (found(), "B is 12.4 % faster than A"),
        (found(ratio=2.0, lower=1.9, upper=2.1, answer="worse"), "B is 100 % slower than A"),
        (
            found(ratio=1.001, lower=0.99, upper=1.01, answer="no difference seen"),
            "no difference seen between A and B: +0.1 %",
        ),
        (found(metric="p99"), "B's p99 latency is 12.4 % lower than A's"),
    ],
)
def test_the_answer_in_words(change, said):
    assert verdict(change) == said


def test_one_glance_says_how_much_how_sure_and_after_what():
    text = render(experiment(found()))

    assert "B is 12.4 % faster than A (11.8 to 13.0 %, 95 %), 10 units, 14 s" in text
    row = next(line for line in text.splitlines() if line.startswith("mean latency"))
    cells = "mean latency (ms) 1.00 0.876 −12.4 −13.0 to −11.8"
    assert row.split() == cells.split()
    quality = next(line for line in text.splitlines() if line.startswith("quality"))
    assert quality.split() == ["quality", "0.900", "0.800", "–", "–"]
    assert "A: one" in text


def test_what_is_not_precise_says_what_would_be():
    text = render(experiment(found(precise=False, half_width=0.03, seconds_needed=90.0)))

    assert "known to 3 %, 1 % was wished: about 90 s instead of 14 s" in text
    hopeless = render(experiment(found(precise=False, half_width=0.03)))
    assert "too noisy" in hopeless


def test_an_interrupted_experiment_and_a_failure_are_told():
    failure = Failure(
        workload=WorkloadId(nodeid="t::b"), reason="it raised", remedy="mend it", details="a\nb"
    )
    text = render(experiment(complete=False, failures=(failure,)))

    assert "! t::b: could not be measured: it raised" in text
    assert "remedy: mend it" in text
    assert "interrupted" in text


def test_foreign_text_cannot_steer_the_terminal():
    text = render(experiment(found(notes=("\x1b[31mred\nnext",))))

    assert "\x1b" not in text


def test_the_record_comes_back_as_it_was_written():
    record = experiment(found())

    assert msgspec.json.decode(to_json(record), type=Experiment) == record
