from __future__ import annotations

import msgspec
from factories.judging import WORKLOAD, declaration, unit
from factories.loads import a_load, loaded

from pytest_costguard.records import Arrivals, Load, Measurement, Probe
from pytest_costguard.reports.load_facts import failures_told, load_facts


def test_a_load_is_told_in_numbers_and_words():
    facts = load_facts(a_load([loaded(latencies=[0.02] * 600, lateness=2e-6)] * 2))

    assert facts == (
        "1,200 requests at 100 a second, Poisson arrivals",
        "sent late by 2.0 µs (p50) and 2.0 µs (p99)",
        "0 % of the median latency is waiting to be served",
    )


def test_batches_and_cache_are_told():
    one = loaded(latencies=[0.02] * 90)
    assert one.open_loop is not None
    loop = msgspec.structs.replace(one.open_loop, batch_sizes={1: 30, 2: 30}, cache_hits=9)

    facts = load_facts(a_load([msgspec.structs.replace(one, open_loop=loop)]))

    assert facts[-2:] == (
        "batches of 1.50 requests on average, 2 at most",
        "10 % were answered from the cache",
    )


def test_a_search_tells_its_windows():
    probes = (Probe(rate=90.0, requests=400, late=(0,), passed=True, seconds=4.0),) * 7
    load = Load(slo={"p99": 0.05}, arrivals=Arrivals(kind="gamma", burstiness=4.0))

    facts = load_facts(a_load([loaded(latencies=[0.02] * 90, probes=probes)], load=load))

    assert (
        facts[0] == "searched for the highest rate with p99 ≤ 50 ms, in 7.0 windows a unit, bursts"
    )


def test_failures_are_told_with_their_reasons():
    failing = a_load([loaded(latencies=[0.02] * 98, unanswered=(3, 7))] * 2)

    assert failures_told(failing) == (
        "4 of 200 requests failed or had no answer in time: no answer in time (4)"
    )
    assert failures_told(a_load([loaded(latencies=[0.02] * 98)])) == ""


def test_a_closed_loop_has_no_load_to_tell_of():
    closed = Measurement(workload=WORKLOAD, declaration=declaration(), units=(unit(),))

    assert load_facts(closed) == load_facts(None) == ()
