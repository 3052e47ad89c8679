"""Builders of units and measurements under open-loop load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from factories.judging import WORKLOAD, block, declaration, unit

from pytest_costguard.records import Load, Measurement, OpenLoop, Probe, Scenario, Unit

BACKLOG = (1,) * 20


def a_loop(**changes: Any) -> OpenLoop:
    """Return what sound load has shown; keywords replace fields."""
    fields: dict[str, Any] = {
        "rate": 100.0,
        "dispatched_rate": 100.0,
        "answered_seconds": 5.0,
        "window_requests": (500,),
        **changes,
    }
    fields.setdefault("backlog", BACKLOG * len(fields["window_requests"]))
    requests, lost = sum(fields["window_requests"]), len(fields.get("unanswered", ()))
    fields.setdefault("lateness_seconds", (1e-6,) * requests)
    fields.setdefault("service_seconds", (0.01,) * (requests - lost))
    fields.setdefault("failures", {"no answer in time": lost} if lost else {})
    fields.setdefault("backlog_arrived", fields["window_requests"])
    return OpenLoop(**fields)


def loaded(
    *,
    latencies: Sequence[float],
    unanswered: tuple[int, ...] = (),
    index: int = 0,
    rate: float = 100.0,
    dispatched_rate: float | None = None,
    lateness: float = 1e-6,
    backlog: tuple[int, ...] = BACKLOG,
    probes: tuple[Probe, ...] = (),
    search_ended: str = "",
    within_slo: int | None = None,
    items_per_request: int = 1,
    parts: tuple[int, ...] = (),
) -> Unit:
    """Return a unit in which requests took these latencies, in order, and others had no answer."""
    count = len(latencies) + len(unanswered)
    loop = a_loop(
        rate=rate,
        dispatched_rate=rate if dispatched_rate is None else dispatched_rate,
        answered_seconds=count / rate,
        lateness_seconds=(lateness,) * count,
        service_seconds=tuple(latencies),
        unanswered=unanswered,
        failures={"no answer in time": len(unanswered)} if unanswered else {},
        backlog=backlog,
        window_requests=(count,),
        probes=probes,
        search_ended=search_ended,
        within_slo=within_slo,
        parts=parts,
    )
    answered = len(latencies)
    timed = block(count / rate, requests=answered, items=answered * items_per_request)
    return msgspec.structs.replace(
        unit(samples=latencies, index=index, blocks=(timed,)), open_loop=loop
    )


def loaded_as_declared(one: Unit, load: Load) -> Unit:
    """Return a unit of a closed loop as one under load, or of a search for what it has served."""
    rate = load.rate or one.requests / sum(block.wall_seconds for block in one.blocks)
    probe = Probe(
        rate=rate, requests=one.requests, late=(0,) * len(load.slo), passed=True, seconds=4.0
    )
    loop = a_loop(
        rate=rate,
        dispatched_rate=rate,
        answered_seconds=one.requests / rate,
        window_requests=(one.requests,),
        service_seconds=one.latency_seconds,
        probes=() if load.rate else (probe,),
    )
    return msgspec.structs.replace(one, open_loop=loop)


def a_load(units: Sequence[Unit], *, load: Load | None = None) -> Measurement:
    """Return a measurement of such units; by default at 100 requests a second."""
    load = load or Load(rate=100.0)
    kind = "server" if load.rate is not None else "max_rate"
    return Measurement(
        workload=WORKLOAD,
        declaration=declaration(scenario=Scenario(kind=kind, load=load)),
        units=tuple(msgspec.structs.replace(one, index=k) for k, one in enumerate(units)),
    )
