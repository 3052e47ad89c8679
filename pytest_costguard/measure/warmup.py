"""Warming up: every shape once, then the same block again and again until its time has settled.

Written as a generator that says what to serve next and is sent what it took, so that plain and
coroutine functions are warmed up by the same decisions.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pytest_costguard.measure.blocks import requests_per_block
from pytest_costguard.measure.drift import has_settled, settled_when_cut_short
from pytest_costguard.measure.stretch import Timed
from pytest_costguard.records import Warmup

MIN_REQUESTS = 3
MAX_BLOCKS = 400
_BLOCK_SECONDS = 0.001
_TOO_SHORT_SECONDS = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """How the warm-up went, and what a request takes since, in the scenario's own requests."""

    warmup: Warmup
    seconds_per_request: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What to serve next: these inputs singly, or that many requests spread over the set."""

    singly: tuple[int, ...] = ()
    requests: int = 0


class _Progress:
    """What a warm-up has seen so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.seconds = 0.0
        self.block_seconds: list[float] = []

    def note(self, timed: Timed) -> float:
        """Count a round and return its seconds."""
        seconds = timed.wall_ns / 1e9
        self.requests += timed.requests
        self.seconds += seconds
        return seconds


def warming(
    *, shapes: list[int], callers: int, max_seconds: float
) -> Generator[Round, Timed, Warmed]:
    """Say what to serve next until the workload is warm or `max_seconds` have been served.

    One request of every shape comes first. Then one block of inputs, always the same so that
    its times compare, is repeated until they have settled (`drift.has_settled`). Blocks of
    less than half a millisecond are doubled. Whatever the time, at least three requests are
    served. Not settled is a workload that still drifts or has not been shown every shape.

    Args:
        shapes: Index of the first input of every shape.
        callers: A block's requests are a multiple of it.
        max_seconds: Bound on the seconds spent in requests; 400 blocks bound it as well.
    """
    progress = _Progress()
    seen, per_request = yield from _every_shape(progress, shapes, max_seconds)
    per_block = callers * max(1, requests_per_block(per_request, _BLOCK_SECONDS) // callers)
    blocks = progress.block_seconds
    while not has_settled(blocks) and len(blocks) < MAX_BLOCKS:
        if progress.seconds >= max_seconds and progress.requests >= MIN_REQUESTS and blocks:
            break
        seconds = progress.note((yield Round(requests=per_block)))
        blocks.append(seconds)
        if seconds < _TOO_SHORT_SECONDS and per_block < requests_per_block(1e-9):
            per_block *= 2
            blocks.clear()
    latest = sorted(blocks[-5:])
    return Warmed(
        warmup=Warmup(
            requests=progress.requests,
            seconds=progress.seconds,
            settled=seen == len(shapes) and settled_when_cut_short(blocks),
        ),
        seconds_per_request=latest[len(latest) // 2] / per_block,
    )


def _every_shape(
    progress: _Progress, shapes: list[int], max_seconds: float
) -> Generator[Round, Timed, tuple[int, float]]:
    """Serve one of each shape; return how many there was time for, and the last one's seconds."""
    seen, seconds = 0, 0.0
    for index in shapes:
        if seen and progress.seconds >= max_seconds:
            break
        seconds = progress.note((yield Round(singly=(index,))))
        seen += 1
    return seen, seconds
