"""Only like is compared with like, and what is not says what differs."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import head, judged, only, series
from factories.judging import (
    MACHINE,
    WORKLOAD,
    baseline,
    gates,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
    unit,
)

from pytest_costguard.records import Baseline, FailOn, Failure, Scenario, Verdict, WorkloadId

OTHER = WorkloadId(nodeid="tests/test_other.py::test_other")
GATE = gates(regression())


def moved(earlier: Baseline, **fields) -> Baseline:
    machine = msgspec.structs.replace(MACHINE, **fields)
    runs = tuple(msgspec.structs.replace(one, fingerprint=machine) for one in earlier.runs)
    return msgspec.structs.replace(earlier, runs=runs)


def verdict_of(now, earlier, **options):
    return only(judged(now, earlier, gates=GATE, **options))


def test_another_processor_is_not_comparable_and_named():
    (comparison,) = verdict_of(head(0.01), moved(series(), cpu_model="EPYC")).comparisons

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "cpu_model (Xeon here, EPYC in the baseline)" in comparison.reason


def test_series_that_exist_elsewhere_are_named():
    empty = baseline(other_series=("EPYC, 4 cores: 9 runs",))

    (comparison,) = verdict_of(head(), empty).comparisons

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "series exist for EPYC, 4 cores: 9 runs" in comparison.reason


def test_runs_of_another_machine_are_left_out_of_the_series():
    mixed = baseline(*series(0.001).runs, *moved(series(0.5), cores=64).runs)

    (comparison,) = verdict_of(head(0.001), mixed).comparisons

    assert (comparison.verdict, comparison.runs) == (Verdict.UNCHANGED, 8)


def test_another_library_version_is_a_possible_cause_and_still_compared():
    found = verdict_of(head(0.0011), moved(series(), packages={"torch": "2.4.0"}))

    assert found.comparisons[0].verdict is Verdict.REGRESSED
    assert found.warnings == ("possible cause: torch (2.5.0 here, 2.4.0 in the baseline)",)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"threads": 4}, "threads (1 here, 4 there)"),
        (
            {"scenario": Scenario(kind="concurrent", n=8)},
            "scenario (single_stream here, concurrent(8) there)",
        ),
    ],
)
def test_other_threads_or_another_scenario_are_not_comparable(declared, said):
    (comparison,) = verdict_of(head(), series(**declared)).comparisons

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert said in comparison.reason


def test_a_workload_that_the_baseline_does_not_know_is_new():
    (comparison,) = verdict_of(head(), series(workload=OTHER)).comparisons

    assert comparison.verdict is Verdict.NEW
    assert comparison.head == pytest.approx(0.001, rel=0.001)


def test_a_workload_known_only_elsewhere_is_not_comparable():
    elsewhere = moved(series(), cores=64)
    here = baseline(*series(workload=OTHER).runs, *elsewhere.runs)

    assert verdict_of(head(), here).comparisons[0].verdict is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("nothing", [None, baseline()])
def test_without_a_baseline_nothing_is_compared_and_nothing_fails(nothing):
    report = judged(head(), nothing, gates=GATE)

    assert only(report).comparisons == ()
    assert report.outcome.sentence == "No baseline yet; 1 workload measured."
    assert not report.outcome.failed


def test_a_baseline_that_was_asked_for_in_vain_is_explained():
    report = judged(head(), None, baseline_problem="no baseline named 'release'")

    assert "no baseline named 'release'" in report.outcome.sentence


def test_no_baseline_by_wish_is_not_called_missing():
    report = judged(head(), None, baseline_requested="none")

    assert "yet" not in report.outcome.sentence


def test_changed_inputs_are_seen_and_fail_only_on_wish():
    now = head(input_digest="inputs-b")

    quiet = judged(now, series(), gates=GATE)
    strict = judged(now, series(), gates=GATE, fail_on=tuple(FailOn))

    assert only(quiet).inputs_changed
    assert not quiet.outcome.failed
    assert strict.outcome.failed
    assert "inputs-b" in only(strict).failing[-1]
    assert "inputs-a" in only(strict).failing[-1]


def test_runs_with_the_same_inputs_are_preferred_to_newer_ones():
    older = series(0.001)
    newer = [
        stored_run(stored_workload({"mean": [0.5] * 6}, input_digest="inputs-b"), day=20 + day)
        for day in range(3)
    ]

    found = verdict_of(head(0.001), baseline(*older.runs, *newer))

    assert not found.inputs_changed
    assert found.comparisons[0].verdict is Verdict.UNCHANGED


def test_an_imported_baseline_without_digest_is_no_change_of_inputs():
    assert not verdict_of(head(), series(input_digest="")).inputs_changed


class TestMissing:
    """What the newest baseline run has and this run has nothing of."""

    def earlier(self):
        entries = [stored_workload({"mean": [0.001]}, workload=one) for one in (WORKLOAD, OTHER)]
        return baseline(stored_run(*entries))

    def test_it_is_named_when_the_whole_suite_ran(self):
        report = judged(head(), self.earlier())

        assert report.missing == (OTHER,)
        assert not report.outcome.failed
        assert judged(head(), self.earlier(), fail_on=(FailOn.MISSING,)).outcome.failed

    def test_a_selection_misses_nothing(self):
        assert judged(head(), self.earlier(), whole_suite=False).missing == ()

    def test_what_failed_is_not_missing(self):
        failure = Failure(workload=OTHER, reason="it raised", remedy="mend it")
        now = run(*head().measurements, failures=(failure,))

        assert judged(now, self.earlier()).missing == ()

    def test_what_was_deleted_before_the_newest_run_is_not_missing(self):
        newest = stored_run(stored_workload({"mean": [0.001]}), day=25)
        earlier = baseline(newest, *self.earlier().runs)

        assert judged(head(), earlier).missing == ()

    def test_a_newer_run_of_a_part_of_the_suite_hides_nothing(self):
        part = stored_workload({"mean": [0.001]})
        newest = stored_run(part, day=25, whole_suite=False)
        earlier = baseline(newest, *self.earlier().runs)

        assert judged(head(), earlier).missing == (OTHER,)


def test_a_run_of_nothing_is_judged_too():
    report = judged(run(), series(), whole_suite=False)

    assert (report.verdicts, report.outcome.sentence) == ((), "Nothing was measured.")


def test_a_workload_without_gates_is_only_reported():
    found = only(judged(run(measurement([unit(), unit()])), series()))

    assert found.comparisons == found.budgets == found.failing == ()
    assert found.figures["mean"].estimate == pytest.approx(0.001)
