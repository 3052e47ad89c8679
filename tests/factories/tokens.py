"""Builders of what the answers of a language model tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from factories.judging import unit
from factories.loads import loaded

from pytest_costguard.measure.streamed import Streamed
from pytest_costguard.records import Tokens, Unit

MS = 1_000_000


def streamed(
    events_ms: Sequence[float],
    *,
    output: int | None = None,
    prompt: int | None = 10,
    began_ms: float = 0,
) -> Streamed:
    """Return an answer whose events with output came at these milliseconds."""
    return Streamed(
        began_ns=round(began_ms * MS),
        event_ns=tuple(round(at * MS) for at in events_ms),
        output_tokens=len(events_ms) if output is None else output,
        input_tokens=prompt,
        counted_by="events" if output is None else "usage",
        output="",
    )


def tokens(*, ttft: Sequence[float], gaps: Sequence[Sequence[float]], **changes: Any) -> Tokens:
    """Return tokens of requests with these times in seconds; a gap a token after the first."""
    fields: dict[str, Any] = {
        "ttft_seconds": tuple(ttft),
        "gap_seconds": tuple(gap for one in gaps for gap in one),
        "gaps": tuple(map(len, gaps)),
        "output_tokens": tuple(len(one) + 1 for one in gaps),
        "input_tokens": (100,) * len(gaps),
    }
    return Tokens(**{**fields, **changes})


def written(*, ttft: Sequence[float], gaps: Sequence[Sequence[float]], **changes: Any) -> Unit:
    """Return a unit of a closed loop whose answers came so."""
    latencies = [first + sum(one) for first, one in zip(ttft, gaps, strict=True)]
    told = tokens(ttft=ttft, gaps=gaps, **changes)
    return msgspec.structs.replace(unit(samples=latencies, count=len(latencies)), tokens=told)


def written_under_load(
    *, ttft: Sequence[float], gaps: Sequence[Sequence[float]], **load: Any
) -> Unit:
    """Return a unit of an open loop whose answers came so."""
    latencies = [first + sum(one) for first, one in zip(ttft, gaps, strict=True)]
    told = tokens(ttft=ttft, gaps=gaps)
    return msgspec.structs.replace(loaded(latencies=latencies, **load), tokens=told)
