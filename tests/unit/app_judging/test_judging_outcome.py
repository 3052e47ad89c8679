"""What fails a run, and whether a person can read why."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import head, judged, only, series
from factories.judging import (
    WORKLOAD,
    budget,
    gates,
    measurement,
    regression,
    run,
    unit,
)
from fakes.pricing import another_machine, no_price

from pytest_costguard.app.judging import expecting
from pytest_costguard.records import (
    Against,
    FailOn,
    Failure,
    Gates,
    Pairing,
    Report,
    Sensors,
    WorkloadId,
    to_json,
)
from pytest_costguard.records.notes import THREADS_NOT_TOLD
from pytest_costguard.reports.terminal import render
from pytest_costguard.reports.view import view_of

STRICT = tuple(FailOn)


def test_a_regression_is_told_whole():
    report = judged(head(0.0011), series(), gates=gates(regression()))

    (message,) = only(report).failing
    assert message.splitlines()[0].startswith("+10.0 % mean latency regressed (+9.5 %")
    assert "head:     1.10 ms; baseline 'main': 1.00 ms, 8 runs" in message
    assert "allowed:  2 % worse; 5 % must be caught" in message
    assert "set in:   default" in message
    assert report.outcome.failed


def test_a_broken_budget_is_told_whole():
    limit = budget("mean", 0.0005, text="500us")

    (message,) = only(judged(head(), gates=gates(limit))).failing

    assert message.splitlines()[0] == "1.000 ms mean latency is over its budget of 500us"
    assert "measured: 1.000 ms (" in message
    assert "limit:    at most 0.5000 ms" in message
    assert "set in:   marker of tests/test_rerank.py::test_rerank" in message


def test_a_floor_is_called_a_floor():
    floor = budget("throughput", 2000, bound="at least", kind="slo", text="2000/s")

    (message,) = only(judged(head(), gates=gates(floor))).failing

    assert message.splitlines()[0] == "1,000 items/s throughput is below its SLO of 2000/s"


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (lambda **o: judged(head(0.0011), series(), gates=gates(regression()), **o), "regression"),
        (lambda **o: judged(head(), gates=gates(budget(limit=1e-4)), **o), "budget"),
        (lambda **o: judged(head(), gates=gates(budget(limit=1e-3)), **o), "inconclusive"),
        (
            lambda **o: judged(head(), series(runs=2), gates=gates(regression()), **o),
            "inconclusive",
        ),
        (lambda **o: judged(head(), gates=gates(budget("energy_per_1k")), **o), "inconclusive"),
        (
            lambda **o: judged(head(), series(threads=2), gates=gates(regression()), **o),
            "not-comparable",
        ),
        (
            lambda **o: judged(head(), gates=gates(budget("cost_per_1k")), pricer=no_price, **o),
            "not-priced",
        ),
        (
            lambda **o: judged(
                head(), gates=gates(budget("cost_per_1k")), pricer=another_machine, **o
            ),
            "not-priced",
        ),
        (
            lambda **o: judged(
                head(),
                series(threads=2),
                gates=gates(budget("mean", 1.1, relative=True)),
                **o,
            ),
            "not-comparable",
        ),
        (lambda **o: judged(head(input_digest="other"), series(), **o), "changed"),
        (lambda **o: judged(run(), series(), **o), "missing"),
    ],
)
def test_each_cause_fails_under_its_own_name_and_under_no_other(report, cause):
    assert report(fail_on=(FailOn(cause),)).outcome.failed
    assert not report(fail_on=tuple(set(STRICT) - {FailOn(cause)})).outcome.failed
    assert not report(fail_on=()).outcome.failed


def test_what_could_not_be_measured_always_fails():
    failure = Failure(workload=WORKLOAD, reason="the worker died", remedy="look at its output")

    report = judged(run(failures=(failure,)), fail_on=())

    assert report.outcome.failed
    assert report.outcome.sentence == "1 workload could not be measured."


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (
            judged(head(0.0011), series(), gates=gates(regression(), budget(limit=0.0005))),
            (
                "Regressed: test_rerank mean latency +10.0 %; "
                "over budget: test_rerank mean latency (limit 0.0005)."
            ),
        ),
        (
            judged(head(), series(), gates=gates(regression(), budget())),
            "1 comparison unchanged; 1 budget kept.",
        ),
        (
            judged(head(), None, gates=gates(regression(), budget())),
            "No baseline yet; 1 budget kept.",
        ),
        (
            judged(head(0.0009), series(), gates=gates(regression())),
            "Improved: test_rerank mean latency \N{MINUS SIGN}10.0 %.",
        ),
        (
            judged(head(), series(runs=2), gates=gates(regression())),
            "1 comparison inconclusive.",
        ),
    ],
)
def test_the_outcome_is_one_sentence(report, sentence):
    assert report.outcome.sentence == sentence


def test_a_distant_limit_leaves_the_figure_in_its_own_unit():
    report = judged(head(), gates=gates(budget("mean", 2.0)))

    (row,) = view_of(report).quiet
    assert (row.head.partition(" ")[0], row.unit, row.limit) == ("1.00", "ms", "≤ 2,000")


def test_waiting_is_told_beside_figures_and_not_counted_into_the_change():
    waited = Sensors(wall_seconds=1.0, cpu_seconds=0.6, run_queue_wait_seconds=0.38)
    sides = [
        run(measurement([unit(index=index, sensors=waited) for index in range(6)]), run_id=name)
        for name in ("r-base", "r-head")
    ]
    by_cpu = Pairing(kind="alternating", clock="cpu", reason="it waits for nothing but a core")
    against = Against(
        requested="main",
        found_as="branch main",
        run=sides[0],
        looks=(6,),
        pairings={str(WORKLOAD): by_cpu},
    )

    (warning,) = view_of(judged(sides[1], against=against)).warnings

    assert warning.startswith("test_rerank had no core 38 % of the time")
    assert "higher than on a quiet machine" in warning
    assert warning.endswith("is by CPU time, without the waiting")


def test_the_counts_keep_comparisons_and_budgets_apart():
    report = judged(
        head(), series(runs=2), gates=gates(regression(), budget(limit=0.001), budget(limit=1))
    )

    assert report.outcome.counts == {
        "inconclusive": 1,
        "budget inconclusive": 1,
        "budget within": 1,
    }


def test_the_report_is_storable_and_judging_it_again_gives_the_same_verdicts():
    held = gates(regression(), regression("throughput"), budget(), budget("cost_per_1k", 1.0))
    report = judged(head(0.0011), series(), gates=held)

    stored = msgspec.json.decode(to_json(report), type=Report)
    again = judged(stored.run, stored.baseline, gates=stored.gates, fail_on=stored.fail_on)

    assert stored == report
    assert again == report


def test_a_workload_that_slows_down_is_warned_about():
    from factories.judging import block

    rising = [block(0.01 * (1 + index / 100)) for index in range(60)]
    found = only(judged(run(measurement([unit(blocks=rising) for _ in range(3)]))))

    assert any("slower within a unit" in warning for warning in found.warnings)


def test_what_was_noted_while_measuring_is_told():
    notes = ("inputs differ", THREADS_NOT_TOLD)
    report = judged(run(msgspec.structs.replace(measurement([unit()] * 3), notes=notes)))

    assert only(report).warnings == ("inputs differ",)
    shown = render(report, width=100, colour=False, verbosity=0)
    assert "inputs differ" in shown
    assert THREADS_NOT_TOLD not in shown
    everything = render(report, width=100, colour=False, verbosity=1)
    assert everything.count("inputs differ") == everything.count(THREADS_NOT_TOLD) == 1


def test_tests_of_one_name_are_told_apart_by_their_files():
    slow, other = (
        WorkloadId(nodeid=f"tests/{folder}/test_rerank.py::test_rerank") for folder in "ab"
    )
    report = judged(
        run(*(measurement([unit(), unit()], workload=workload) for workload in (slow, other))),
        gates={str(slow): Gates(budgets=(budget(limit=0.0005),))},
    )

    assert str(slow) in report.outcome.sentence


def test_a_relative_budget_on_a_first_run_is_told_to_be_not_judged_yet():
    share = budget("quality", 0.99, relative=True, bound="at least", text="99% of baseline")
    report = judged(
        run(measurement([unit(quality=0.9)] * 3)), gates=gates(share), fail_on=tuple(FailOn)
    )

    assert not report.outcome.failed
    assert report.outcome.sentence == "1 budget relative to a baseline not judged; no baseline yet."
    shown = render(report, width=100, colour=False, verbosity=0)
    assert "quality not judged: 0.900" in shown
    assert "'99% of baseline' needs a baseline, and there is none" in shown


def test_what_is_not_judged_yet_fails_nothing_beside_what_does():
    share = budget("quality", 0.99, relative=True, bound="at least", text="99% of baseline")
    report = judged(
        run(measurement([unit(0.01, quality=0.9)] * 3)),
        gates=gates(share, budget("mean", 0.002)),
        fail_on=tuple(FailOn),
    )

    failing = [row.metric for row in view_of(report).action if row.fails]
    assert failing == ["mean latency"]


def test_changed_code_that_was_not_loaded_is_in_the_sentence_and_among_the_warnings():
    against = Against(
        requested="main",
        found_as="main",
        run=head(),
        looks=(6,),
        unloaded=("a/x.py", "b.py", "c.py", "d.py"),
    )

    report = judged(head(), against=against)

    for one in (report, expecting(report, {"another": "known"})):
        assert one.outcome.sentence.endswith("; but none of the changed code was loaded.")
    assert "(a/x.py, b.py, c.py and others)" in view_of(report).warnings[0]
    assert not report.outcome.failed
