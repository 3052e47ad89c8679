"""What a workload that streams tells of one request, and how it is kept while it is timed.

A workload whose `streams` is true answers each request with a `Streamed`. The timed loops of all
others stay as they are: only such a workload's own function is wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from pytest_costguard.measure.ports import Workload
from pytest_costguard.records import Series, TokenCount, Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """One answer of a language model: when its parts came, by `time.perf_counter_ns`."""

    began_ns: int
    """Right before the request was sent."""
    event_ns: Sequence[int]
    """When each event that holds output was there; empty where the answer came as a whole."""
    output_tokens: int | None
    """None where neither the server nor its events tell."""
    input_tokens: int | None
    counted_by: TokenCount
    """Who counted the output tokens."""
    output: Any
    """What the test's own functions see."""

    @property
    def ttft_ns(self) -> int | None:
        """From sending to the first event with output, at least 1; see `records.Tokens`."""
        return max(1, self.event_ns[0] - self.began_ns) if self.event_ns else None

    @property
    def gaps_ns(self) -> list[int]:
        """Between successive events with output."""
        return [max(0, after - before) for before, after in pairwise(self.event_ns)]

    @property
    def tpot_ns(self) -> float | None:
        """Per output token after the first; None with fewer than two tokens or events."""
        if len(self.event_ns) < 2 or self.output_tokens is None or self.output_tokens < 2:
            return None
        return max(0, self.event_ns[-1] - self.event_ns[0]) / (self.output_tokens - 1)


def streams(workload: Workload) -> bool:
    """Whether a workload's function answers with a `Streamed`."""
    return bool(getattr(workload, "streams", False))


def output_of(answer: Any) -> Any:
    """Return what the test's own functions see of an answer."""
    return answer.output if isinstance(answer, Streamed) else answer


def tokens_of(answers: Sequence[Streamed], *, waited_ns: Sequence[int] = ()) -> Tokens | None:
    """Return what some answers tell of tokens; None where there is no answer.

    Args:
        answers: in the order of their latencies.
        waited_ns: how long each request had waited before it was sent, from its scheduled
            arrival; none: it was sent when it was due.
    """
    if not answers:
        return None
    waited = waited_ns or [0] * len(answers)
    first = [
        (wait + answer.ttft_ns) / 1e9
        for wait, answer in zip(waited, answers, strict=True)
        if answer.ttft_ns is not None
    ]
    streamed = len(first) == len(answers)
    gaps = [answer.gaps_ns for answer in answers] if streamed else []
    counted = {answer.counted_by for answer in answers}
    return Tokens(
        ttft_seconds=tuple(first) if streamed else (),
        gap_seconds=tuple(gap / 1e9 for gap in chain.from_iterable(gaps)),
        gaps=tuple(map(len, gaps)),
        output_tokens=_told_by_all([answer.output_tokens for answer in answers]),
        input_tokens=_told_by_all([answer.input_tokens for answer in answers]),
        counted_by=counted.pop() if len(counted) == 1 else "both",
    )


def took_ns(
    answer: Streamed | None, series: Series, *, latency_ns: int, waited_ns: int
) -> float | None:
    """Return what one answered request took; None where it has none of that.

    Args:
        answer: what it told; None where it does not stream.
        series: what of it. Of ITL, whose samples are gaps, it is the request's own mean gap, TPOT.
        latency_ns: from its scheduled arrival to its whole answer.
        waited_ns: from its scheduled arrival until it was sent.
    """
    if series == "latency":
        return latency_ns
    if answer is None:
        return None
    if series != "ttft":
        return answer.tpot_ns
    return None if answer.ttft_ns is None else waited_ns + answer.ttft_ns


class Kept:
    """Keeps the answers of a workload that streams, in order of completion.

    Args:
        serve: the workload's own function.
    """

    def __init__(self, serve: Callable[[Any], Streamed]) -> None:
        self._serve = serve
        self._answers: list[Streamed] = []

    def serve(self, request: Any) -> Streamed:
        """Serve one request and keep its answer; several threads may call at once."""
        answer = self._serve(request)
        self._answers.append(answer)
        return answer

    def last(self, inputs: int) -> Tokens | None:
        """Return what the last so many inputs tell, and forget all answers."""
        answers, self._answers = self._answers[-inputs:], []
        return tokens_of(answers)


def _told_by_all(counts: Sequence[int | None]) -> tuple[int, ...]:
    known = tuple(count for count in counts if count is not None)
    return known if len(known) == len(counts) else ()
