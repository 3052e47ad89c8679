"""The scenarios by their names: what a request consists of, and who runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_costguard.measure.callers import concurrent
from pytest_costguard.measure.coroutines import (
    concurrent_async,
    multi_stream_async,
    offline_async,
    single_stream_async,
)
from pytest_costguard.measure.streams import multi_stream, offline, single_stream
from pytest_costguard.measure.stretch import Server, Slice, Timed
from pytest_costguard.records import Scenario, ScenarioKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How one kind of scenario is run.

    Definitions: MLPerf Inference rules, "Scenarios" (single stream, multi stream, offline);
    `concurrent` is the closed loop of k callers.
    """

    run: Callable[[Server, Slice, int], Timed]
    run_async: Callable[[Server, Slice, int], Awaitable[Timed]]
    query: bool = False
    """Whether a request is a query of n inputs, rather than one input."""
    callers: bool = False
    """Whether n callers send requests at the same time."""
    tells_requests_apart: bool = True
    """Whether there is a latency for each request, rather than one for the whole block."""


SCENARIOS: Mapping[ScenarioKind, Runner] = MappingProxyType(
    {
        "single_stream": Runner(run=single_stream, run_async=single_stream_async),
        "multi_stream": Runner(run=multi_stream, run_async=multi_stream_async, query=True),
        "concurrent": Runner(run=concurrent, run_async=concurrent_async, callers=True),
        "offline": Runner(run=offline, run_async=offline_async, tells_requests_apart=False),
        # For the warm-up: what they are measured in is `under_load.UnderLoad`.
        "server": Runner(run=single_stream, run_async=single_stream_async),
        "max_rate": Runner(run=single_stream, run_async=single_stream_async),
    }
)


def inputs_per_request(scenario: Scenario) -> int:
    """Return how many inputs one request of the scenario takes."""
    return scenario.n if SCENARIOS[scenario.kind].query else 1


def callers(scenario: Scenario) -> int:
    """Return how many callers send requests at the same time."""
    return scenario.n if SCENARIOS[scenario.kind].callers else 1


def served_at_once(scenario: Scenario) -> int:
    """Return how many requests, or batches of them, can be under way at the same time."""
    return callers(scenario) if scenario.load is None else scenario.load.at_once


def at_once(scenario: Scenario) -> int:
    """Return how many threads can be at work, the one that sends in an open loop included."""
    return served_at_once(scenario) + (scenario.load is not None)
