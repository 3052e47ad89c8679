"""A search for the highest rate, of a workload that streams and by a generator that oversleeps."""

from __future__ import annotations

import time
from contextlib import nullcontext

import pytest
from factories.tokens import streamed

from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.stretch import Server
from pytest_costguard.measure.under_load import UnderLoad
from pytest_costguard.records import Load

OVERSLEPT_SECONDS = 0.004
QUICK = streamed([1, 2, 3])


def probes(slo):
    """Nothing takes long: whatever a latency holds beyond lateness is next to nothing."""
    clock = Clock(
        wall_ns=time.perf_counter_ns,
        cpu_ns=time.process_time_ns,
        sleep=lambda seconds: time.sleep(seconds + OVERSLEPT_SECONDS),
    )
    server = Server(
        serve=lambda _: QUICK, synchronise=None, serving=nullcontext, clock=clock, streams=True
    )
    under_load = UnderLoad(
        server, inputs=[0], items=[1], load=Load(connections=4, slo=slo), collate=None
    )
    seen, _ = under_load.search(
        start=100.0, known=False, turn=0, max_seconds=0.5, alone_seconds=0.001
    )
    return seen.probes


@pytest.mark.parametrize("metric", ["tpot_p50", "itl_p50"])
def test_a_late_generator_is_seen_where_tokens_alone_are_limited(metric):
    found = probes({metric: 1.0})

    assert found
    assert all(probe.sent_late for probe in found)


def test_what_is_far_below_a_limit_on_waiting_is_not_late():
    assert not any(probe.sent_late for probe in probes({"p50": 1.0}))


def test_a_rate_that_the_server_cannot_do_is_broken_before_the_limit_is():
    server = Server(
        serve=lambda _: time.sleep(0.01),
        synchronise=None,
        serving=nullcontext,
        clock=Clock.system(),
    )
    load = Load(workers=1, slo={"p50": 0.4})
    under_load = UnderLoad(server, inputs=[0], items=[1], load=load, collate=None)

    seen, _ = under_load.search(
        start=130.0, known=False, turn=0, max_seconds=3.0, alone_seconds=0.01
    )

    # One worker of 10 ms: after a second a queue at 130 a second is not as long as the limit.
    assert not seen.probes[0].passed
    assert seen.rate < 130.0
