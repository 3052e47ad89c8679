"""Both sides at the same time on one core, told apart by the CPU time of each.

The scheduler alternates them every few milliseconds, more finely than whole requests of tens or
hundreds of milliseconds ever could. Both are there before either begins, with a request that does
not count, and the side that is done first goes on serving.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pytest_costguard.engine.protocol import (
    Began,
    Count,
    Event,
    RunTogether,
    Stop,
    Stopped,
    TogetherDone,
)
from pytest_costguard.engine.sides import BothSessions, SideRefused, at
from pytest_costguard.records import SideName

Answer = TypeVar("Answer", bound=Event)
_DOING = "serving beside the other side"


def serve_together(
    pair: BothSessions, *, requests: int, seconds_per_request: float
) -> dict[SideName, TogetherDone]:
    """Let both sides serve the same `requests` requests at the same time, from the first input on.

    Args:
        pair: both sessions.
        requests: a side.
        seconds_per_request: by the warm-up, of a side that runs alone; sizes the time limit.

    Raises:
        SideRefused: the workload raised on one side; the other was stopped.
        WorkerError: a worker died or hung.
    """
    for side in pair.order:
        with at(side):
            pair.sessions[side].tell(RunTogether(first=0, requests=requests))
    _answers(pair, Began)
    for side in pair.order:
        with at(side):
            pair.sessions[side].tell(Count())
    # One answer for all requests of both, on half a core each: more than a step's own time.
    done = _answers(pair, TogetherDone, more_seconds=4 * requests * seconds_per_request)
    _stop(pair, pair.order)
    return done


def _answers(
    pair: BothSessions, answer: type[Answer], *, more_seconds: float = 0.0
) -> dict[SideName, Answer]:
    """Wait for both; where one refuses, let the other stop what it would go on with for ever."""
    found: dict[SideName, Answer] = {}
    refused: SideRefused | None = None
    for side in pair.order:
        try:
            with at(side):
                found[side] = pair.sessions[side].expect(
                    answer, doing=_DOING, more_seconds=more_seconds
                )
        except SideRefused as error:
            refused = refused or error
    if refused is not None:
        _stop(pair, tuple(found))
        raise refused
    return found


def _stop(pair: BothSessions, sides: Sequence[SideName]) -> None:
    """Stop what goes on serving, on every side, whatever another one says meanwhile."""
    refused: SideRefused | None = None
    for side in sides:
        try:
            pair.ask(side, Stop(), Stopped, _DOING)
        except SideRefused as error:
            refused = refused or error
    if refused is not None:
        raise refused
