"""What becomes of a stored verdict in doubt once base was measured side by side."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from factories.judged import head, judged, only, series
from factories.judging import (
    DAY,
    WORKLOAD,
    baseline,
    budget,
    declaration,
    gates,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
    unit,
)

from pytest_costguard.app.judging_escalation import in_doubt, merged, steps_that_alarm
from pytest_costguard.app.reporting import disagreements, remake
from pytest_costguard.records import (
    Against,
    Commit,
    Comparison,
    Escalation,
    FailOn,
    Failure,
    Gates,
    Report,
    SecondLook,
    Verdict,
    WorkloadId,
    to_json,
)
from pytest_costguard.records.notes import THREADS_NOT_TOLD
from pytest_costguard.reports import markdown, terminal

SHA = "1a2b3c4" + 33 * "0"
NOISE = (0.003, -0.002, 0.001, -0.001, 0.002, -0.003)
REASON = "2 runs of 8: changes below +50 % cannot be told from noise"


def side(latency: float, *, units: int = 6, turn: int = 0, workload: WorkloadId = WORKLOAD):
    """One side of a pair: units that wobble by tenths of a percent, in an order of its own."""
    timed = [unit(latency * (1 + NOISE[(index + turn) % 6]), index=index) for index in range(units)]
    return measurement(timed, workload=workload)


def second_look(base: float, now: float, *, units: int = 6, **changes) -> Escalation:
    """Both sides of the one workload, `units` units each."""
    against = Against(
        requested=SHA,
        found_as="the commit of the newest baseline run",
        run=run(side(base, units=units), run_id="r-base", commit=Commit(sha=SHA)),
        looks=(6, 10, 16, 24),
        seconds={str(WORKLOAD): 12.0},
    )
    look = SecondLook(against=against, head=(side(now, units=units, turn=1),))
    return Escalation(looks=(look,), **changes)


def escalated(escalation: Escalation, *, latency: float = 0.001, runs: int = 1, **changes):
    """A run of one workload, held against one stored run or more, and measured again."""
    held = changes.pop("gates", gates(regression()))
    return judged(head(latency), series(runs=runs), gates=held, escalation=escalation, **changes)


def compared(report: Report) -> Comparison:
    (comparison,) = only(report).comparisons
    return comparison


def comparison(verdict: Verdict, **changes) -> Comparison:
    fields = {"metric": "mean", "verdict": verdict, "regression": regression(), "reason": REASON}
    return Comparison(**(fields | changes))


def second(verdict: Verdict, units: int = 6) -> Comparison:
    return comparison(verdict, units=units, reason="as seen side by side")


def test_an_inconclusive_workload_that_is_the_same_becomes_unchanged():
    stored = judged(head(), series(runs=1), gates=gates(regression()))
    assert compared(stored).verdict is Verdict.INCONCLUSIVE

    found = compared(escalated(second_look(0.001, 0.001)))

    assert found.verdict is Verdict.UNCHANGED
    assert found.escalated_from is Verdict.INCONCLUSIVE
    assert (found.units, found.runs) == (6, 0)
    assert found.reason == (
        "escalated: the stored baseline said inconclusive (1 baseline run of 8);"
        " surely less than 5 % worse, side by side in 6 units"
    )


@pytest.mark.parametrize(
    ("looks", "decides"), [((6,), True), ((6, 10, 16, 24), False)], ids=["one", "four"]
)
def test_quality_of_a_second_look_shares_its_error_among_the_looks(looks, decides):
    """What it does not decide stays as the stored baseline has it."""

    def scored(values):
        return measurement([unit(index=k, quality=value) for k, value in enumerate(values)])

    worse = scored([0.988, 0.994, 0.991, 0.996, 0.989, 0.994])
    against = Against(
        requested=SHA,
        found_as="the commit of the newest baseline run",
        run=run(scored([1.0] * 6), run_id="r-base", commit=Commit(sha=SHA)),
        looks=looks,
    )
    report = judged(
        run(worse),
        baseline(stored_run(stored_workload({"quality": [1.0] * 6}))),
        gates=gates(regression("quality", allow=0.0023, catch=0.01)),
        escalation=Escalation(looks=(SecondLook(against=against, head=(worse,)),)),
    )
    found = compared(report)
    assert found.verdict is Verdict.REGRESSED
    assert (found.escalated_from is Verdict.REGRESSED) is decides, found.reason


def test_a_slower_head_becomes_regressed_and_fails_the_run_with_both_sides_named():
    report = escalated(second_look(0.001, 0.0011))

    assert compared(report).verdict is Verdict.REGRESSED
    assert compared(report).ratio == pytest.approx(1.1, rel=0.01)
    assert report.outcome.failed
    (message,) = only(report).failing
    assert "head:     1.10 ms; base (1a2b3c400000): 1.00 ms, 6 units" in message


def test_a_regression_that_only_the_machine_made_is_taken_back():
    stored = judged(head(0.0011), series(), gates=gates(regression()))
    assert stored.outcome.failed

    report = escalated(second_look(0.0011, 0.0011), latency=0.0011, runs=8)

    assert compared(report).verdict is Verdict.UNCHANGED
    assert compared(report).escalated_from is Verdict.REGRESSED
    assert not report.outcome.failed


@pytest.mark.parametrize("lost", ["its lock files were others", "its model was another"])
def test_what_the_baseline_has_decided_stands_where_base_was_another_thing(lost):
    again = second_look(0.0011, 0.0011, caveats={str(WORKLOAD): (lost,)})

    report = escalated(again, latency=0.0011, runs=8)

    assert compared(report).verdict is Verdict.REGRESSED
    assert compared(report).escalated_from is None
    assert lost in compared(report).reason
    assert any(lost in warning for warning in only(report).warnings)
    assert report.outcome.failed


def test_what_the_baseline_could_not_decide_is_decided_with_the_caveat_beside_it():
    again = second_look(0.001, 0.001, caveats={str(WORKLOAD): ("its model was another",)})

    report = escalated(again)

    assert compared(report).verdict is Verdict.UNCHANGED
    assert "its model was another" in compared(report).reason
    assert any("its model was another" in warning for warning in only(report).warnings)


def test_a_refused_workload_keeps_its_verdict_and_says_why():
    report = escalated(Escalation(refused={str(WORKLOAD): "commit 1a2b3c4 is not in this clone"}))

    assert compared(report).verdict is Verdict.INCONCLUSIVE
    assert compared(report).reason.endswith(
        "; not measured side by side: commit 1a2b3c4 is not in this clone"
    )
    assert "not measured side by side: commit 1a2b3c4 is not in this clone" in only(report).warnings
    assert not report.outcome.failed


def test_what_was_noted_in_a_second_look_is_told_unless_the_plain_run_said_so():
    escalation = second_look(0.001, 0.001)
    (look,) = escalation.looks
    (now,) = look.head
    (before,) = look.against.run.measurements
    noted = msgspec.structs.replace(now, notes=("again", "new", THREADS_NOT_TOLD))
    base = msgspec.structs.replace(
        look.against.run, measurements=(msgspec.structs.replace(before, notes=("of base",)),)
    )
    look = SecondLook(against=msgspec.structs.replace(look.against, run=base), head=(noted,))
    plain = head()
    (measured,) = plain.measurements
    plain = msgspec.structs.replace(
        plain, measurements=(msgspec.structs.replace(measured, notes=("again",)),)
    )

    report = judged(
        plain,
        series(runs=1),
        gates=gates(regression()),
        escalation=msgspec.structs.replace(escalation, looks=(look,)),
    )

    assert only(report).warnings == ("again", "side by side, new", "side by side, on base, of base")


def test_after_an_interruption_only_what_is_decided_replaces_a_stored_verdict():
    undecided = compared(escalated(second_look(0.001, 0.001, units=5, complete=False)))
    decided = compared(escalated(second_look(0.001, 0.002, complete=False)))
    untouched = compared(escalated(Escalation(complete=False)))

    assert undecided.verdict is Verdict.INCONCLUSIVE
    assert undecided.reason.startswith("1 baseline run of 8")
    assert undecided.reason.endswith("not decided side by side: it was interrupted")
    assert decided.verdict is Verdict.REGRESSED
    assert untouched.reason.endswith("not measured side by side: it was interrupted")


def test_too_few_units_leave_the_stored_verdict():
    found = compared(escalated(second_look(0.001, 0.001, units=3)))

    assert found.escalated_from is None
    assert "side by side: 3 units of both sides: at least 4 are needed" in found.reason


def test_figures_and_budgets_rest_on_the_plain_run():
    held = gates(regression(), budget("mean", 0.0015))

    report = escalated(second_look(0.002, 0.002), gates=held)

    assert only(report).figures["mean"].estimate == pytest.approx(0.001, rel=0.01)
    assert [str(result.verdict) for result in only(report).budgets] == ["within"]
    assert compared(report).head == pytest.approx(0.002, rel=0.01)


def test_another_machine_is_no_obstacle_side_by_side():
    elsewhere = baseline(other_series=("8 runs on Another CPU, 2 cores (last 2026-02-01)",))

    stored = judged(head(), elsewhere, gates=gates(regression()))
    report = judged(
        head(), elsewhere, gates=gates(regression()), escalation=second_look(0.001, 0.001)
    )

    assert compared(stored).verdict is Verdict.NOT_COMPARABLE
    assert compared(report).verdict is Verdict.UNCHANGED
    assert "(baseline 'main' was made on another machine" in compared(report).reason


def test_other_inputs_side_by_side_fail_a_run_that_is_to_fail_for_them():
    elsewhere = baseline(other_series=("8 runs on Another CPU, 2 cores (last 2026-02-01)",))
    again = second_look(0.001, 0.001)
    (look,) = again.looks
    old = msgspec.structs.replace(
        look.against.run.measurements[0], declaration=declaration(input_digest="inputs-b")
    )
    other = msgspec.structs.replace(look.against.run, measurements=(old,))
    against = msgspec.structs.replace(look.against, run=other)

    report = judged(
        head(),
        elsewhere,
        gates=gates(regression()),
        fail_on=(FailOn.CHANGED,),
        escalation=msgspec.structs.replace(
            again, looks=(msgspec.structs.replace(look, against=against),)
        ),
    )

    assert only(report).inputs_changed
    (message,) = only(report).failing
    assert "digest here inputs-a, in the baseline inputs-b" in message


def test_what_is_sound_is_no_doubt():
    sound = judged(head(), series(), gates=gates(regression()))
    faster = judged(head(0.0005), series(), gates=gates(regression()))
    new = judged(
        head(),
        baseline(stored_run(stored_workload({"mean": [1]}, workload=WorkloadId(nodeid="other")))),
        gates=gates(regression()),
    )

    assert [compared(one).verdict for one in (sound, faster, new)] == [
        Verdict.UNCHANGED,
        Verdict.IMPROVED,
        Verdict.NEW,
    ]
    assert not any(map(in_doubt, (sound, faster, new)))


def test_an_improvement_by_few_runs_is_in_doubt():
    report = judged(head(0.0005), series(runs=2), gates=gates(regression()))

    assert compared(report).verdict is Verdict.IMPROVED
    assert [one.workload for one in in_doubt(report)] == [WORKLOAD]


def test_a_workload_that_could_not_be_measured_is_an_error_and_no_doubt():
    broken = msgspec.structs.replace(
        head(), failures=(Failure(workload=WORKLOAD, reason="it raised", remedy="mend it"),)
    )

    assert not in_doubt(judged(broken, series(runs=1), gates=gates(regression())))


@pytest.mark.parametrize("stored", [Verdict.UNCHANGED, Verdict.NEW])
def test_a_gate_that_was_in_no_doubt_is_replaced_only_by_what_is_decided(stored):
    first = comparison(stored, runs=8)

    undecided = merged(first, second(Verdict.INCONCLUSIVE), caveats=(), complete=True)
    worse = merged(first, second(Verdict.REGRESSED), caveats=(), complete=True)

    assert undecided is first
    assert worse.verdict is Verdict.REGRESSED


def test_a_regression_that_the_second_look_cannot_confirm_is_inconclusive():
    found = merged(
        comparison(Verdict.REGRESSED, runs=8),
        second(Verdict.INCONCLUSIVE),
        caveats=(),
        complete=True,
    )

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.escalated_from is Verdict.REGRESSED


def test_a_second_look_spends_the_error_of_the_whole_run():
    """A change that one gate alone would call regressed is not one among a thousand."""
    many = [budget("mean", 1 + number) for number in range(1_000)]

    alone = compared(escalated(second_look(0.001, 0.00104)))
    among = compared(escalated(second_look(0.001, 0.00104), gates=gates(regression(), *many)))

    assert alone.verdict is Verdict.REGRESSED
    assert among.verdict is not Verdict.REGRESSED
    assert among.escalated_from is Verdict.INCONCLUSIVE


def test_where_both_steps_may_raise_an_alarm_the_error_is_shared_between_them():
    caveat = {str(WORKLOAD): ("its model was another",)}

    assert steps_that_alarm(None) == 1
    assert steps_that_alarm(second_look(0.001, 0.001)) == 1
    assert steps_that_alarm(second_look(0.001, 0.001, caveats=caveat)) == 2
    assert steps_that_alarm(second_look(0.001, 0.001, complete=False)) == 2
    once, twice = (
        compared(escalated(second_look(0.001, 0.0011, caveats=found))) for found in ({}, caveat)
    )
    assert twice.lower < once.lower


def null_side(random: np.random.Generator, *, spread: float):
    """One side of pairs of a workload that nothing has changed, with noise of its own."""
    values = 0.001 * np.exp(random.normal(0, spread, size=24))
    return measurement([unit(float(one), index=at, count=1) for at, one in enumerate(values)])


@pytest.mark.parametrize("caveats", [{}, {str(WORKLOAD): ("its model was another",)}])
def test_both_steps_together_hardly_ever_fail_a_run_without_a_cause(caveats):
    """Eight stored runs, a plain run and pairs, all the same: 400 times, 1 % may fail."""
    random, spread, failed = np.random.default_rng(20260301), 0.02, 0
    for _ in range(400):
        stored = [
            stored_run(stored_workload({"mean": [0.001 * math.exp(z)] * 6}), day=day)
            for day, z in enumerate(random.normal(0, spread, size=8))
        ]
        base, now = (null_side(random, spread=spread) for _ in range(2))
        shifted = 0.001 * math.exp(random.normal(0, spread))
        plain = measurement([unit(shifted, index=index, count=1) for index in range(6)])
        look = SecondLook(
            against=Against(
                requested=SHA,
                found_as="the commit",
                run=run(base, commit=Commit(sha=SHA)),
                looks=(6, 10, 16, 24),
            ),
            head=(now,),
        )
        report = judged(
            run(plain),
            baseline(*stored),
            gates=gates(regression(allow=1e-9, catch=0.01)),
            escalation=Escalation(looks=(look,), caveats=caveats),
        )
        failed += report.outcome.failed
    assert failed <= 10  # more than that has a probability below 0.4 % at 1 %


@pytest.mark.parametrize(
    "escalation",
    [
        second_look(0.001, 0.0011),
        second_look(0.001, 0.001, caveats={str(WORKLOAD): ("its model was another",)}),
        second_look(0.001, 0.001, units=5, complete=False),
        Escalation(refused={str(WORKLOAD): "no time was left for it"}),
    ],
    ids=["looked", "caveat", "interrupted", "refused"],
)
def test_the_report_repeats_its_verdicts_from_what_is_written(escalation):
    report = escalated(escalation)
    read = msgspec.json.decode(to_json(report), type=Report)

    again = msgspec.structs.replace(remake(read), outcome=report.outcome)

    assert disagreements(read, remake(read)) == ()
    assert [one.comparisons for one in again.verdicts] == [
        one.comparisons for one in report.verdicts
    ]


def test_both_references_are_named_in_both_reports():
    report = escalated(second_look(0.001, 0.0011), fail_on=tuple(FailOn))

    for text in (terminal.render(report, width=200), markdown.render(report)):
        assert "Compared with baseline main: 1 run" in text
        assert "1 workload in doubt measured again side by side with base" in text
        assert "escalated: the stored baseline said inconclusive" in text
    assert "--costguard-escalate" in markdown.render(report)


def test_without_a_baseline_the_report_says_that_there_was_nothing_to_escalate():
    report = judged(head(), None, gates=gates(regression()), escalation=Escalation())

    assert "--costguard-escalate had nothing to do" in terminal.render(report, width=200)


def test_several_commits_have_a_look_each():
    other = WorkloadId(nodeid="tests/test_other.py::test_other")
    run_of_both = msgspec.structs.replace(
        head(), measurements=(*head().measurements, side(0.001, workload=other)), created=DAY
    )
    first = second_look(0.001, 0.001).looks[0]
    another = SecondLook(
        against=msgspec.structs.replace(
            first.against, run=run(side(0.001, workload=other), commit=Commit(sha="f" * 40))
        ),
        head=(side(0.002, workload=other),),
    )
    stored = stored_run(
        *(stored_workload({"mean": [0.001] * 6}, workload=one) for one in (WORKLOAD, other))
    )

    report = judged(
        run_of_both,
        baseline(stored),
        gates=gates(regression()) | {str(other): Gates(regressions=(regression(),))},
        escalation=Escalation(looks=(first, another)),
    )

    assert [one.comparisons[0].verdict for one in report.verdicts] == [
        Verdict.UNCHANGED,
        Verdict.REGRESSED,
    ]
    assert "base ffffffffffff" in terminal.render(report, width=200)
