"""Both sides at the same time on one core, told apart by the CPU time of each.

The scheduler alternates them every few milliseconds, more finely than whole requests of tens or
hundreds of milliseconds ever could. Nothing is counted before both are serving, and the side that
is done first goes on serving.
"""

from __future__ import annotations

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
from pytest_costguard.records import Block, SideName

Answer = TypeVar("Answer", bound=Event)
Company = tuple[Block, ...]
"""The requests of one side that count, a block each."""
_DOING = "serving beside the other side"


def serve_together(pair: BothSessions, *, requests: int) -> dict[SideName, Company]:
    """Let both sides serve the same `requests` requests at the same time, from the first input on.

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
    done = _answers(pair, TogetherDone)
    for side in pair.order:
        pair.ask(side, Stop(), Stopped, _DOING)
    return {side: answer.blocks for side, answer in done.items()}


def _answers(pair: BothSessions, answer: type[Answer]) -> dict[SideName, Answer]:
    """Wait for both; where one refuses, let the other stop what it would go on with for ever."""
    found: dict[SideName, Answer] = {}
    refused: SideRefused | None = None
    for side in pair.order:
        try:
            with at(side):
                found[side] = pair.sessions[side].expect(answer, doing=_DOING)
        except SideRefused as error:
            refused = refused or error
    if refused is not None:
        for side in found:
            pair.ask(side, Stop(), Stopped, _DOING)
        raise refused
    return found
