"""How many requests a block holds, and which blocks make up a unit."""

from __future__ import annotations

import math

from pytest_costguard.measure.scenarios import SCENARIOS, callers, inputs_per_request
from pytest_costguard.records import Scenario

MIN_BLOCKS = 8
MAX_REQUESTS = 100_000
"""Bounds a unit's record: below 2.5 µs a request, a unit is shorter than it was asked to be."""
BLOCK_SECONDS = 0.003
"""Long against the clock and short against the drift that two sides must share.

Measured on a shared two-core machine: the estimate's error grows with longer blocks.
"""
_CHEAP = 1.25
_GLIMPSED = 2
_GLIMPSED_MOST = 20
"""So many support a unit's 95th percentile; nothing but figures of latency rests on them."""
_FEWEST_TOGETHER = 3
_TOGETHER_SECONDS = 0.8
_ONE_CALLER = Scenario()


def requests_per_block(seconds_per_request: float, target_seconds: float = BLOCK_SECONDS) -> int:
    """Return how many requests make a block of about `target_seconds`, at least one."""
    return max(1, min(MAX_REQUESTS // MIN_BLOCKS, round(target_seconds / seconds_per_request)))


def plan_unit(
    *,
    inputs: int,
    scenario: Scenario = _ONE_CALLER,
    seconds_per_request: float,
    unit_seconds: float,
    max_seconds: float,
    min_requests: int = 1,
    target_seconds: float = BLOCK_SECONDS,
) -> tuple[tuple[int, int], ...]:
    """Return the blocks of one unit as pairs of (index of its first input, requests).

    Together they go through all `inputs` at least once, in whole passes where that costs no more
    than a quarter, last at least `unit_seconds`, are at least eight and hold at least
    `min_requests`, so that a percentile asked for is supported. `max_seconds` bounds all of that
    except the one pass: a figure over a part of the inputs would be another workload's. Sizes
    differ by at most one request a caller.

    Args:
        inputs: How many inputs there are.
        scenario: How requests arrive; a request of `multi_stream(n)` takes n inputs, and a block
            of `concurrent(k)` a multiple of k requests, so that all callers take part.
        seconds_per_request: Estimate from the warm-up, in the scenario's own requests.
        unit_seconds: What a unit should last.
        max_seconds: What it must not exceed, by that estimate, once every input was served.
        min_requests: Requests that the wanted percentiles need.
        target_seconds: What a block should last; `offline` makes the fewest and longest blocks.
    """
    taken, granule = inputs_per_request(scenario), callers(scenario)
    total = _total_requests(
        pass_requests=math.lcm(inputs, taken) // taken,
        one_pass=math.ceil(inputs / taken),
        wanted=max(
            min(math.ceil(unit_seconds / seconds_per_request), MAX_REQUESTS),
            min_requests,
            MIN_BLOCKS * granule,
        ),
        bound=max(1, math.floor(max_seconds / seconds_per_request)),
    )
    if not SCENARIOS[scenario.kind].tells_requests_apart:
        target_seconds = max(target_seconds, unit_seconds / MIN_BLOCKS)
    rounds = math.ceil(total / granule)
    per_block = max(1, requests_per_block(seconds_per_request, target_seconds) // granule)
    count = min(rounds, max(MIN_BLOCKS, round(rounds / per_block)))
    sizes = [granule * (rounds // count + (index < rounds % count)) for index in range(count)]
    first, planned = 0, []
    for size in sizes:
        planned.append((first, size))
        first = (first + size * taken) % inputs
    return tuple(planned)


def plan_glimpse(
    *,
    inputs: int,
    scenario: Scenario = _ONE_CALLER,
    seconds_per_request: float,
    unit_seconds: float,
    turn: int,
) -> tuple[tuple[int, int], ...]:
    """Return a few single requests that show how long they take where they run alone.

    For `unit_seconds`, at least two and about twenty at most; whole passes through the inputs
    where that is not less. Else they are spread over all of them, beginning one further in each
    unit.

    Args:
        inputs: How many inputs there are.
        scenario: How requests arrive; those of one caller only.
        seconds_per_request: Estimate from the warm-up.
        unit_seconds: What they may last together.
        turn: The number of units before this one.
    """
    taken = inputs_per_request(scenario)
    lasting = math.ceil(unit_seconds / seconds_per_request)
    count = max(_GLIMPSED, min(lasting, _GLIMPSED_MOST))
    one_pass = math.ceil(inputs / taken)
    if count >= one_pass:
        count = math.ceil(count / one_pass) * one_pass
    if count >= one_pass:
        return tuple(((k * taken) % inputs, 1) for k in range(count))
    return tuple((((k * one_pass // count + turn) * taken) % inputs, 1) for k in range(count))


def plan_together(
    *,
    inputs: int,
    scenario: Scenario = _ONE_CALLER,
    seconds_per_request: float,
    unit_seconds: float,
) -> int:
    """Return how many requests each side serves while both run at the same time on one core.

    Whole passes through the inputs, at least `unit_seconds` of each side and eight requests; of
    requests that take long, as many as fit into 0.8 seconds, and three at least (measured on a
    shared two-core machine, a unit's standard deviation with nothing changed: 0.2 % with eight
    requests of 160 ms, 0.3 % with twenty of 10 ms).

    Args:
        inputs: How many inputs there are.
        scenario: How requests arrive; those of one caller only.
        seconds_per_request: CPU seconds of one, by the estimate from the warm-up.
        unit_seconds: What each side should serve at least.
    """
    one_pass = math.ceil(inputs / inputs_per_request(scenario))
    lasting = math.ceil(unit_seconds / seconds_per_request)
    few = min(MIN_BLOCKS, max(_FEWEST_TOGETHER, round(_TOGETHER_SECONDS / seconds_per_request)))
    wanted = max(min(max(lasting, few), MAX_REQUESTS), one_pass)
    return math.ceil(wanted / one_pass) * one_pass


def _total_requests(*, pass_requests: int, one_pass: int, wanted: int, bound: int) -> int:
    """Round up to whole passes, so that every input weighs the same, where it is cheap."""
    needed = max(wanted, one_pass)
    whole = math.ceil(needed / pass_requests) * pass_requests
    return min(whole if whole <= _CHEAP * needed else needed, max(bound, one_pass))
