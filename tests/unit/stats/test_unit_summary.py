"""Units become figures, and what was not measured stays absent."""

from __future__ import annotations

import pytest
from factories.judging import block, measurement, stored_workload, unit

from pytest_costguard.records import ColdStart, Energy, Memory
from pytest_costguard.stats.summary import Summary, figures, reduce, unit_metrics


def test_a_unit_that_measured_everything():
    whole = unit(
        0.002,
        count=100,
        blocks=[block(0.1, requests=50, items=400), block(0.1, requests=50, items=400)],
        memory=Memory(peak_bytes=1 << 20, method="VmHWM", device_peak_bytes=1 << 21),
        cold_start=ColdStart(load_seconds=1.0, first_call_seconds=0.25),
        energy=Energy(joules=4.0, items=800, source="nvml"),
        quality=0.93,
    )

    assert unit_metrics(whole) == {
        "mean": 0.002,
        "p50": 0.002,
        "p90": 0.002,
        "p95": 0.002,
        "p99": 0.002,
        "throughput": 4000.0,
        "peak_memory": 1 << 20,
        "peak_device_memory": 1 << 21,
        "cold_start": 1.25,
        "first_call": 0.25,
        "energy_per_1k": 5.0,
        "quality": 0.93,
    }


def test_a_unit_that_measured_little_says_little():
    assert unit_metrics(unit(0.001, count=5)).keys() == {"mean", "p50", "throughput"}


def test_the_peak_of_a_shared_process_is_nobodys():
    shared = unit(memory=Memory(peak_bytes=1 << 20, method="VmHWM", alone=False))

    assert "peak_memory" not in unit_metrics(shared)


def test_a_metric_that_one_unit_lacks_keeps_the_values_of_the_others():
    reduced = reduce(measurement([unit(quality=0.9), unit(), unit(quality=0.8)]))

    assert reduced.metrics["quality"] == (0.9, 0.8)


def test_calibration_is_reduced_to_a_median_a_unit():
    reduced = reduce(measurement([unit(calibration=0.003), unit(calibration=0.004)]))

    assert reduced.calibration == (0.003, 0.004)


def test_an_unsupported_percentile_is_named_and_absent():
    few = measurement([unit(count=150), unit(count=150)])

    assert Summary.of(few).unsupported == {"p99": "p99 not supported by 300 samples (368 needed)"}
    assert "p99" not in reduce(few).metrics
    assert "p95" in reduce(few).metrics


def test_figures_are_intervals_over_units():
    shown = figures(measurement([unit(0.001), unit(0.002), unit(0.003)]))["mean"]

    assert (shown.estimate, shown.n) == (pytest.approx(0.002), 3)
    assert shown.lower < 0.001 < 0.003 < shown.upper


def test_seconds_are_never_shown_below_zero():
    shown = figures(measurement([unit(0.001), unit(0.009)]))["mean"]

    assert shown.lower == 0.0


def test_quality_may_be_below_zero():
    shown = figures(stored_workload({"quality": (-1.0, 1.0)}))["quality"]

    assert shown.lower < 0


def test_one_unit_is_an_estimate_of_no_confidence():
    shown = figures(measurement([unit(0.001)]))["mean"]

    assert (shown.lower, shown.upper, shown.confidence, shown.n) == (0.001, 0.001, 0.0, 1)


def test_a_stored_workload_has_the_figures_of_its_measurement():
    measured = measurement([unit(0.001), unit(0.002)])

    assert figures(reduce(measured)) == figures(measured)
