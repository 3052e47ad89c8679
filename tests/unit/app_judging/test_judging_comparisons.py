"""Comparisons with a stored baseline: known answers, reasons, and what forbids a verdict."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.judged import WOBBLE, head, judged, only, series
from factories.judging import (
    baseline,
    block,
    gates,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
    unit,
)
from fakes.pricing import no_price

from pytest_costguard.records import Memory, Sensors, Verdict


def compared(now, earlier, rule=None, **options):
    rule = rule or regression()
    (comparison,) = only(judged(now, earlier, gates=gates(rule), **options)).comparisons
    return comparison


@pytest.mark.parametrize(
    ("latency", "verdict"),
    [
        (0.0011, Verdict.REGRESSED),
        (0.0010, Verdict.UNCHANGED),
        (0.0009, Verdict.IMPROVED),
    ],
)
def test_eight_quiet_runs_decide(latency, verdict):
    comparison = compared(head(latency), series())

    assert comparison.verdict is verdict
    assert comparison.ratio == pytest.approx(latency / 0.001, rel=0.002)
    assert comparison.lower < comparison.ratio < comparison.upper
    assert comparison.runs == 8


def test_a_regression_shows_the_values_in_the_metrics_unit():
    comparison = compared(head(0.0011), series())

    assert comparison.head == pytest.approx(0.0011, rel=0.001)
    assert comparison.base == pytest.approx(0.001, rel=0.001)
    assert comparison.reason == "surely more than 2 % worse, against the spread of 8 baseline runs"


def test_throughput_that_falls_is_a_regression_below_one():
    comparison = compared(head(0.0011), series(), regression("throughput"))

    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.lower < comparison.ratio < comparison.upper < 1
    assert comparison.ratio == pytest.approx(1 / 1.1, rel=0.002)


def test_cost_follows_throughput_at_todays_price():
    comparison = compared(head(0.0011), series(), regression("cost_per_1k"))

    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.ratio == pytest.approx(1.1, rel=0.002)
    assert comparison.head == pytest.approx(1000 / 3600 * 0.0011, rel=0.002)
    assert comparison.base == pytest.approx(1000 / 3600 * 0.001, rel=0.002)


def test_without_a_price_the_relative_cost_is_still_known():
    comparison = compared(head(0.0011), series(), regression("cost_per_1k"), pricer=no_price)

    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.head is comparison.base is None
    assert comparison.ratio == pytest.approx(1.1, rel=0.002)


def test_a_noisy_runner_says_what_it_can_see_and_what_to_do():
    comparison = compared(head(0.0011), series(spread=0.1))

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.smallest_visible > 0.3
    assert "side by side" in comparison.reason


def test_few_runs_say_how_many_are_missing_and_how_to_make_them():
    comparison = compared(head(0.0011), series(runs=3))

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "costguard baseline record --runs 5" in comparison.reason
    assert comparison.lower is comparison.upper is None
    assert comparison.ratio == pytest.approx(1.1, rel=0.002)


def test_few_runs_still_see_a_doubling():
    comparison = compared(head(0.002), series(runs=1))

    assert comparison.verdict is Verdict.REGRESSED
    assert "every unit worse than every unit of 1 baseline run" in comparison.reason


def test_a_declared_spread_makes_one_run_enough_and_is_named():
    comparison = compared(head(0.0011), series(runs=1), runner_spread=0.005)

    assert comparison.verdict is Verdict.REGRESSED
    assert "1 baseline run and the declared runner spread of 0.5 %" in comparison.reason


def test_a_declared_spread_that_the_units_refute_is_not_believed():
    wild = run(measurement([unit(0.001 * (1 + 40 * share)) for share in WOBBLE]))

    comparison = compared(wild, series(runs=1), runner_spread=0.0005)

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "the declared runner spread of 0.05 % does not hold" in comparison.reason


def test_an_inconclusive_reason_says_what_the_smallest_visible_change_is_made_up_of():
    comparison = compared(head(), series(spread=0.04))

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "(2 % allowed and 3.18 times their spread of" in comparison.reason


def test_fewer_units_than_the_baselines_are_named_as_what_widens():
    wobbling = [unit(seconds, index=i) for i, seconds in enumerate((0.0007, 0.0014, 0.0011))]

    comparison = compared(run(measurement(wobbling)), series())

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "mostly because this run has fewer units than they have" in comparison.reason


class TestCalibration:
    """The calibration kernel takes the machine's speed out."""

    def earlier(self, metrics):
        return baseline(
            *(
                stored_run(stored_workload(metrics, calibration=[0.003] * 6), day=day)
                for day in range(8)
            )
        )

    def slow_day(self, memory=None):
        units = [unit(0.0012, calibration=0.0036, memory=memory) for _ in WOBBLE]
        return run(measurement(units))

    def test_a_kernel_that_widens_the_spread_is_named(self):
        kernels = [0.003 * (1 + 0.03 * (-1) ** day) for day in range(8)]
        means = [0.001 * (1 + 0.005 * (-1) ** (day // 2)) for day in range(8)]
        earlier = baseline(
            *(
                stored_run(
                    stored_workload({"mean": [means[day]] * 6}, calibration=[kernels[day]] * 6),
                    day=day,
                )
                for day in range(8)
            )
        )
        now = run(measurement([unit(0.001, calibration=0.003) for _ in WOBBLE]))

        comparison = compared(now, earlier)

        assert comparison.verdict is Verdict.INCONCLUSIVE
        assert "times their spread of 3.25 %, which comes from correcting for" in comparison.reason
        assert "as measured they differ by 0.53 %" in comparison.reason

    def test_a_slow_day_is_no_regression(self):
        comparison = compared(self.slow_day(), self.earlier({"mean": [0.001] * 6}))

        assert comparison.verdict is Verdict.UNCHANGED
        assert comparison.ratio == pytest.approx(1.0)
        assert "corrected for a machine that was 20 % slower" in comparison.reason

    def test_memory_does_not_depend_on_speed(self):
        memory = Memory(peak_bytes=1100, method="VmHWM")

        comparison = compared(
            self.slow_day(memory),
            self.earlier({"peak_memory": [1000.0] * 6}),
            regression("peak_memory"),
        )

        assert comparison.verdict is Verdict.REGRESSED
        assert comparison.ratio == pytest.approx(1.1)

    def test_a_run_without_it_is_compared_as_it_is(self):
        comparison = compared(head(0.0012), self.earlier({"mean": [0.001] * 6}))

        assert comparison.ratio == pytest.approx(1.2, rel=0.002)

    def test_units_that_lack_it_take_the_others_mean(self):
        units = [unit(0.0012, calibration=0.0036), unit(0.0012)]

        comparison = compared(run(measurement(units)), self.earlier({"mean": [0.001] * 6}))

        assert comparison.ratio == pytest.approx(1.0)


class TestMemory:
    """Peak memory hardly differs between processes, so that two runs are enough."""

    def comparison(self, peak, runs=2):
        memory = Memory(peak_bytes=peak, method="VmHWM")
        now = run(measurement([unit(memory=memory) for _ in WOBBLE]))
        earlier = baseline(
            *(
                stored_run(stored_workload({"peak_memory": [107.0 * 2**20] * 6}), day=day)
                for day in range(runs)
            )
        )
        return compared(now, earlier, regression("peak_memory"))

    def test_the_same_peak_is_unchanged(self):
        comparison = self.comparison(107 * 2**20)

        assert comparison.verdict is Verdict.UNCHANGED
        assert comparison.lower < comparison.ratio < comparison.upper
        assert comparison.reason == (
            "no unit as much as 5 % worse, against the range of all units of 2 baseline runs, "
            "with 1 % for what runs differ by"
        )

    def test_a_tenth_more_is_a_regression(self):
        comparison = self.comparison(118 * 2**20)

        assert comparison.verdict is Verdict.REGRESSED
        assert comparison.reason.startswith("every unit more than 2 % worse, against the range")

    def test_one_run_says_what_is_missing(self):
        comparison = self.comparison(107 * 2**20, runs=1)

        assert comparison.verdict is Verdict.INCONCLUSIVE
        assert "1 baseline run of 2" in comparison.reason
        assert "until 1 more is recorded (costguard baseline record --runs 1)" in comparison.reason


class TestMemoryMethods:
    """A peak since loading and one of the whole process are two figures."""

    def verdict(self, *stored):
        method = "VmHWM after reset"
        now = [unit(memory=Memory(peak_bytes=130 * 2**20, method=method)) for _ in range(3)]
        earlier = [
            stored_run(
                msgspec.structs.replace(
                    stored_workload({"peak_memory": [100 * 2**20] * 3}), memory_method=one
                ),
                day=day,
            )
            for day, one in enumerate(stored)
        ]
        return compared(run(measurement(now)), baseline(*earlier), regression("peak_memory"))

    def test_they_are_not_compared(self):
        comparison = self.verdict("lifetime maximum, not reset", "lifetime maximum, not reset")

        assert comparison.verdict is Verdict.NOT_COMPARABLE
        assert "'lifetime maximum, not reset' in the baseline" in comparison.reason

    def test_runs_of_the_same_method_are_picked_out(self):
        comparison = self.verdict("VmHWM after reset", "lifetime maximum, not reset", "")

        assert comparison.verdict is not Verdict.NOT_COMPARABLE
        assert comparison.runs == 2


class TestQuality:
    """Quality is held against a floor."""

    def verdict(self, values, stored=(0.9, 0.9), allow=0.01):
        now = run(measurement([unit(quality=value) for value in values]))
        earlier = baseline(stored_run(stored_workload({"quality": stored})))
        return compared(now, earlier, regression("quality", allow=allow, catch=0.05))

    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ((0.85, 0.85), Verdict.REGRESSED),
            ((0.895, 0.895), Verdict.UNCHANGED),
            ((0.95, 0.95), Verdict.IMPROVED),
            ((0.80, 0.95), Verdict.INCONCLUSIVE),
        ],
    )
    def test_each_side_of_the_floor(self, values, verdict):
        assert self.verdict(values).verdict is verdict

    def test_improved_asks_for_the_surety_of_the_whole_suite(self):
        # 1.023 ± 0.0005: its 95 % bound is above 1.02, its 99 % one is not
        values = (1.0215, 1.0245, 1.0215, 1.0245)

        assert self.verdict(values, (1.0, 1.0), allow=0.02).verdict is Verdict.UNCHANGED

    def test_surely_above_what_must_be_caught_is_unchanged(self):
        # round the floor of 0.98, and surely above 0.95
        values = (0.979, 0.981, 0.979, 0.981)

        assert self.verdict(values, (1.0, 1.0), allow=0.02).verdict is Verdict.UNCHANGED

    def test_a_quality_below_zero_has_its_floor_below(self):
        assert self.verdict((-1.005, -1.005), (-1.0, -1.0)).verdict is Verdict.UNCHANGED
        assert self.verdict((-1.05, -1.05), (-1.0, -1.0)).verdict is Verdict.REGRESSED

    def test_few_runs_are_enough_for_a_quality_that_does_not_vary(self):
        # 6 · 0.9943 / 6 is not 0.9943 to the last bit.
        assert self.verdict((0.9943,) * 6, (0.9943,) * 7, allow=0.0).verdict is Verdict.UNCHANGED

    def test_one_unit_decides_nothing(self):
        assert self.verdict((0.5,)).verdict is Verdict.INCONCLUSIVE


def test_one_unit_is_an_estimate_only_however_bad():
    comparison = compared(head(0.01, units=1), series())

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.ratio == pytest.approx(10, rel=0.01)
    assert "one unit gives an estimate only" in comparison.reason


def warming_up():
    shape = [0.01 * (1 + math.exp(-index / 20)) for index in range(60)]
    blocks = [block(seconds) for seconds in shape]
    return run(measurement([unit(0.01, blocks=blocks) for _ in range(3)]))


def test_a_workload_that_was_still_warming_up_gets_no_verdict_about_time():
    comparison = compared(warming_up(), series())

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "warm-up was not over" in comparison.reason


def test_what_disturbed_the_measurement_explains_an_inconclusive():
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=0.8, run_queue_wait_seconds=0.2)
    disturbed = run(measurement([unit(0.0011, sensors=sensors) for _ in range(6)]))

    comparison = compared(disturbed, series(spread=0.1))

    assert comparison.reason.endswith(
        "while it was measured, it waited for a core 20 % of the time"
    )


def test_a_figure_that_was_not_measured_is_inconclusive_and_says_why():
    shared = Memory(peak_bytes=1000, method="VmHWM", alone=False)
    now = run(measurement([unit(memory=shared), unit(memory=shared)]))

    comparison = compared(now, series(), regression("peak_memory"))

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "served other workloads" in comparison.reason


def test_an_unsupported_percentile_is_inconclusive_and_says_why():
    comparison = compared(head(units=1), series(), regression("p99"))

    assert comparison.reason == "p99 not supported by 200 samples (368 needed)"


def test_a_metric_that_the_baseline_lacks_is_new():
    comparison = compared(head(), series(), regression("p95"))

    assert comparison.verdict is Verdict.NEW
    assert comparison.reason == "baseline 'main' holds no p95 latency"


def test_zero_has_no_ratio():
    earlier = baseline(stored_run(stored_workload({"mean": [0.0, 0.001]})))

    comparison = compared(head(), earlier)

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "no ratio" in comparison.reason


def test_absurd_ratios_do_not_overflow():
    earlier = baseline(stored_run(stored_workload({"mean": [1e-300] * 6})))

    assert math.isfinite(compared(head(1e6), earlier).ratio)


def test_more_gates_share_the_error_so_that_the_suite_keeps_its_promise():
    rules = [regression(), *[regression("throughput", allow=0.02, catch=0.05)] * 499]

    alone = compared(head(0.00104), series(spread=0.004))
    among = only(judged(head(0.00104), series(spread=0.004), gates=gates(*rules))).comparisons[0]

    assert among.lower < alone.lower
    assert among.smallest_visible > alone.smallest_visible


def disturbed(latency, **readings):
    """Head, with sensors of each unit's one second of wall time."""
    (measured,) = head(latency).measurements
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=0.5, **readings)
    units = [msgspec.structs.replace(one, sensors=sensors) for one in measured.units]
    return run(measurement(units))


@pytest.mark.parametrize(
    "readings",
    [{"run_queue_wait_seconds": 0.49}, {"steal_seconds": 0.4}, {"throttled_seconds": 0.6}],
)
def test_neighbours_that_may_be_the_cause_forbid_an_accusation(readings):
    comparison = compared(disturbed(0.0015, **readings), series())

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.ratio == pytest.approx(1.5, rel=0.002)
    assert comparison.reason.startswith("it looks more than 2 % worse, but while it was measured ")
    assert "that alone may be the cause: compare base and head side by side" in comparison.reason


def test_what_neighbours_cannot_have_done_is_called_a_regression_all_the_same():
    comparison = compared(disturbed(0.0015, run_queue_wait_seconds=0.1), series())

    assert comparison.verdict is Verdict.REGRESSED


def test_neighbours_excuse_no_memory():
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=0.1, run_queue_wait_seconds=0.9)
    memory = Memory(peak_bytes=130 * 2**20, method="VmHWM")
    now = run(measurement([unit(memory=memory, sensors=sensors) for _ in WOBBLE]))
    earlier = baseline(
        *(
            stored_run(stored_workload({"peak_memory": [100.0 * 2**20] * 6}), day=day)
            for day in (0, 1)
        )
    )

    assert compared(now, earlier, regression("peak_memory")).verdict is Verdict.REGRESSED
