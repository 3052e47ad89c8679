"""What a late generator can have done to latencies, on queues whose answer is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from factories.loads import a_load, a_loop, loaded

from pytest_costguard.records import Load
from pytest_costguard.stats.generator import generator_fault, held_up
from pytest_costguard.stats.percentiles import percentile


def played(dues, services, lateness, *, workers):
    """Return when each request ends, and begins, in a queue that serves in order of arrival."""
    free = [0.0] * workers
    begins, ends = [], []
    for due, service, late in zip(dues, services, lateness, strict=True):
        worker = min(range(workers), key=free.__getitem__)
        begin = max(due + late, free[worker])
        free[worker] = begin + service
        begins.append(begin)
        ends.append(begin + service)
    return np.array(begins), np.array(ends)


def a_queue(*, seed, utilisation, late_share, late_seconds, workers=1, requests=4000):
    """Return a unit of a queue whose generator was late at times, and the latencies in time."""
    rng = np.random.default_rng(seed)
    services = rng.exponential(0.01, requests)
    dues = np.cumsum(rng.exponential(0.01 / utilisation / workers, requests))
    # While the generator does not run, it sends nothing: what was due meanwhile is sent at its end.
    lateness, until = np.zeros(requests), 0.0
    for place, due in enumerate(dues):
        if due > until and rng.random() < late_share:
            until = due + late_seconds
        lateness[place] = max(0.0, until - due)
    begins, ends = played(dues, services, lateness, workers=workers)
    _, in_time = played(dues, services, np.zeros(requests), workers=workers)
    return unit_of(ends - dues, services=ends - begins, lateness=lateness), in_time - dues


def unit_of(latencies, *, services, lateness, index=0):
    loop = a_loop(
        rate=100.0,
        window_requests=(len(latencies),),
        lateness_seconds=tuple(map(float, lateness)),
        service_seconds=tuple(map(float, services)),
    )
    unit = loaded(latencies=[float(one) for one in latencies], index=index)
    return msgspec.structs.replace(unit, open_loop=loop)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("utilisation", [0.3, 0.7, 0.9])
def test_no_request_was_held_up_by_more_than_is_said(workers, utilisation):
    unit, in_time = a_queue(
        seed=3, utilisation=utilisation, late_share=0.02, late_seconds=0.01, workers=workers
    )
    most = np.array(held_up(unit, at_once=workers))
    truly = np.array(unit.latency_seconds) - in_time
    assert np.all(truly - most < 1e-9)
    assert truly.max() == pytest.approx(0.01, rel=0.05)


def test_rare_lateness_leaves_the_median_alone_though_its_99th_percentile_is_a_twentieth():
    unit, in_time = a_queue(seed=5, utilisation=0.3, late_share=0.012, late_seconds=0.003)
    measurement = a_load([unit, unit])
    late = percentile(unit.open_loop.lateness_seconds, 0.99)
    assert late > 0.05 * percentile(unit.latency_seconds, 0.5)
    assert generator_fault(measurement, "p50") == ""
    assert percentile(unit.latency_seconds, 0.5) == pytest.approx(
        percentile(in_time.tolist(), 0.5), rel=0.01
    )


def test_a_generator_that_is_always_late_has_moved_every_percentile():
    services = np.random.default_rng(7).uniform(0.009, 0.011, 1000)
    unit = unit_of(services + 0.002, services=services, lateness=[0.002] * 1000)
    measurement = a_load([unit] * 4)
    for metric in ("mean", "p50", "p95", "throughput"):
        assert "late by 2 ms (p99), which can be " in generator_fault(measurement, metric)
    assert "of p50" in generator_fault(measurement, "p50")
    assert "of the mean latency" in generator_fault(measurement, "throughput")


def test_of_an_endpoint_nobody_knows_what_waits_behind_what():
    unit, _ = a_queue(seed=5, utilisation=0.5, late_share=0.012, late_seconds=0.003)
    here, elsewhere = Load(rate=100.0), Load(rate=100.0, connections=16)
    assert generator_fault(a_load([unit] * 2, load=here), "p50") == ""
    assert "of the median latency" in generator_fault(a_load([unit] * 2, load=elsewhere), "p50")


def test_what_is_counted_beyond_a_limit_has_no_such_bound():
    unit, _ = a_queue(seed=5, utilisation=0.5, late_share=0.012, late_seconds=0.003)
    assert "of the median latency" in generator_fault(a_load([unit] * 2), "goodput")


def test_without_a_metric_it_names_what_it_can_have_moved_most():
    # 4 % are late by 10 ms: the 99th percentile is theirs, the median is not.
    services = np.full(2000, 0.01)
    lateness = np.where(np.arange(2000) % 25 == 0, 0.01, 0.0)
    unit = unit_of(services + lateness, services=services, lateness=lateness)
    assert "which can be 50 % of p99" in generator_fault(a_load([unit] * 4))
    assert generator_fault(a_load([unit] * 4), "p50") == ""
