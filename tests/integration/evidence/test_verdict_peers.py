"""The rules of other tools, on timings whose answer is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from factories import evidence

from benchmarks.verdicts.figures import live_figures, peer_figures, stored_figures
from benchmarks.verdicts.peers import RULES, asv, mann_whitney, ratio_alert, t_test
from benchmarks.verdicts.stored_runs import verdicts
from pytest_costguard.records import Verdict

BASE = np.linspace(0.010, 0.011, 40)


@pytest.mark.parametrize(
    ("slower", "threshold", "alerts"), [(1.06, 1.05, True), (1.04, 1.05, False), (1.9, 2.0, False)]
)
def test_a_ratio_alerts_beyond_its_threshold_only(slower, threshold, alerts):
    case = evidence.peer_case(BASE, slower * BASE)
    assert ratio_alert(case, threshold=threshold) is alerts


def test_the_pooled_tests_see_a_clear_change_and_only_in_its_direction():
    for rule in (t_test, mann_whitney):
        assert rule(BASE, 1.05 * BASE)
        assert not rule(BASE, BASE)
        assert not rule(1.05 * BASE, BASE)


def test_asv_wants_both_its_factor_and_its_test():
    assert asv(BASE, 1.2 * BASE, factor=1.1)
    assert not asv(BASE, 1.08 * BASE, factor=1.1)
    assert asv(BASE, 1.08 * BASE, factor=1.05)
    wild = np.concatenate([BASE[:19], 3 * BASE[:21]])  # its median is far off, its test is not sure
    assert not asv(wild, wild[::-1], factor=1.1)
    assert not asv(1.2 * BASE, BASE, factor=1.1)


def test_asv_takes_means_of_ten_milliseconds():
    quick = np.full(4000, 0.001)
    quick[::10] = 0.003  # the mean of ten is 1.2 ms in every sample, the median is 1 ms
    assert asv(quick, np.full(4000, 0.0014), factor=1.1)
    assert not asv(quick, np.full(4000, 0.0013), factor=1.1)


def test_every_rule_is_counted_unchanged_and_at_five_percent_and_by_run():
    found = {peer.name: peer for peer in peer_figures(evidence.peer_runs(runs=12))}

    assert found.keys() == RULES.keys()
    for peer in found.values():
        assert (peer.false_alarms.trials, peer.caught.trials) == (60, 60)
        assert peer.suite_alarms.trials == 12
        assert peer.suite_alarms.hits >= peer.false_alarms.hits / 5
        assert peer.seconds == (2.5, 2.5)
    # Runs differ by 5 % from one to the next: pooled tests take that for a change.
    assert found["t-test on pooled timings, 1 %"].false_alarms.share > 0.3
    assert found["asv, `--factor 1.1` (default)"].false_alarms.share < 0.2


def test_the_stored_rule_judges_each_run_against_the_eight_before_it():
    spread = (-0.001, 0.001)
    runs = [
        evidence.stored_run(machine=0.001 * (i % 3), change=0.05, spread=spread) for i in range(12)
    ]

    def said(level, *, calibrated):
        return verdicts(runs, "onnx_mlp", level=level, calibrated=calibrated, hypotheses=10)

    assert said(0, calibrated=True) == [Verdict.UNCHANGED] * 4
    assert said(5, calibrated=True) == [Verdict.REGRESSED] * 4
    assert said(0, calibrated=False) == [Verdict.UNCHANGED] * 4
    peer = stored_figures(runs, calibrated=True)
    assert (peer.false_alarms.hits, peer.false_alarms.trials) == (0, 20)
    assert (peer.caught.hits, peer.suite_alarms.trials) == (20, 4)
    part = msgspec.structs.replace(runs[0], cases=runs[0].cases[:2])
    assert stored_figures([*runs, part], calibrated=True) == peer


def test_calibration_takes_the_machines_speed_out_and_without_it_nothing_is_sure():
    runs = [evidence.stored_run(machine=0.2 * (i % 2), change=0.05) for i in range(12)]

    with_it = stored_figures(runs, calibrated=True)
    without = stored_figures(runs, calibrated=False)
    assert with_it.caught.share == 1.0
    assert with_it.undecided.hits == 0
    assert without.caught.share == 0.0
    assert without.undecided.share == 1.0


def test_live_runs_are_counted_by_level_and_by_workload():
    runs = [
        *(evidence.live_run() for _ in range(4)),
        evidence.live_run(verdict="regressed"),
        evidence.live_run(level=5, verdict="regressed"),
    ]
    unchanged, slower = (live_figures(runs, level=level) for level in (0, 5))

    assert (unchanged.regressed.hits, unchanged.regressed.trials) == (5, 25)
    assert (unchanged.failed_runs.hits, unchanged.failed_runs.trials) == (1, 5)
    assert slower.in_time.share == 1.0
    assert live_figures(runs, level=0, workload="onnx_mlp").passed.trials == 5
    assert unchanged.run_seconds == (60.0, 60.0)
