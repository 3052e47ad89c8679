"""What the timed part of a unit yields on one side, however its requests arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pytest_costguard.engine.protocol import BlockDone
from pytest_costguard.records import Block, OpenLoop, Tokens, joined_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPart:
    """Blocks and latencies, with what a load has shown beside them."""

    blocks: tuple[Block, ...]
    latency_seconds: tuple[float, ...]
    calibration_seconds: tuple[float, ...] = ()
    open_loop: OpenLoop | None = None
    tokens: Tokens | None = None

    @classmethod
    def of_blocks(
        cls, done: Sequence[BlockDone], *, calibration_seconds: tuple[float, ...] = ()
    ) -> TimedPart:
        """Put the blocks of a closed loop together, in their order."""
        return cls(
            blocks=tuple(answer.block for answer in done),
            latency_seconds=tuple(chain.from_iterable(one.latency_seconds for one in done)),
            calibration_seconds=calibration_seconds,
            tokens=joined_tokens([answer.tokens for answer in done]),
        )
