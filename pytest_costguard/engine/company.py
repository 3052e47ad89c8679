"""Both sides at the same time on one core, told apart by the CPU time of each.

The scheduler alternates them every few milliseconds, more finely than whole requests of tens or
hundreds of milliseconds ever could. Only requests count that were served while both ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_costguard.engine.protocol import (
    RunTogether,
    Stop,
    Stopped,
    TimedRequest,
    TogetherDone,
)
from pytest_costguard.engine.sides import BothSessions, SideRefused, at
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import Block, SideName

_DOING = "serving beside the other side"
Company = tuple[tuple[Block, ...], int]
"""The requests that count, and the index of the first one's input."""


def serve_together(
    pair: BothSessions, *, counts: Mapping[SideName, int], requests: int
) -> dict[SideName, Company]:
    """Let both sides serve the same `requests` requests at the same time, from the first input on.

    Raises:
        SideRefused: the workload raised on one side; the other was stopped.
        WorkerError: a worker died or hung, or both never ran at the same time.
    """
    for side in pair.order:
        with at(side):
            pair.sessions[side].tell(RunTogether(first=0, requests=requests))
    done: dict[SideName, Sequence[TimedRequest]] = {}
    refused: SideRefused | None = None
    for side in pair.order:
        try:
            with at(side):
                done[side] = pair.sessions[side].expect(TogetherDone, doing=_DOING).requests
        except SideRefused as error:
            refused = refused or error
    for side in done:
        pair.ask(side, Stop(), Stopped, _DOING)
    if refused is not None:
        raise refused
    kept = _common(*done.values())
    if not kept:
        raise WorkerError(
            "both sides were to run at the same time, and never did",
            remedy="--costguard-pairing=alternating does without",
        )
    first = kept[0] % min(counts.values())
    return {side: (tuple(_block(timed[k]) for k in kept), first) for side, timed in done.items()}


def _common(one: Sequence[TimedRequest], other: Sequence[TimedRequest]) -> range:
    """Return which requests both sides served while both ran: all from a certain one on.

    Only the beginning can be alone, since the side that is done first goes on serving.
    """
    begin = max(one[0].started_ns, other[0].started_ns)
    first = next(
        (
            k
            for k, pair in enumerate(zip(one, other, strict=True))
            if all(request.started_ns >= begin for request in pair)
        ),
        len(one),
    )
    return range(first, len(one))


def _block(request: TimedRequest) -> Block:
    return Block(
        wall_seconds=(request.ended_ns - request.started_ns) / 1e9,
        cpu_seconds=request.cpu_ns / 1e9,
        requests=1,
        items=request.items,
    )
