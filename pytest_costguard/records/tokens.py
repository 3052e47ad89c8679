"""Tokens that a language model answers with: when they came, and how many there were.

Definitions, each of one request:

- **TTFT**, time to first token: from sending the request to the first event that holds output; in
  an open loop from the scheduled arrival, like latency. (AIPerf metrics reference, "Time to First
  Token", which passes over empty events too; vLLM `benchmarks/serve.py` counts an empty one.)
- **TPOT**, time per output token: (last event with output - first one) / (output tokens - 1).
  (vLLM `benchmarks/serve.py`: `(latency - ttft) / (output_len - 1)`; the "Inter Token Latency" of
  AIPerf and guidellm. MLPerf Inference holds its servers of language models to TTFT and TPOT.)
- **ITL**, inter-token latency: each gap between two successive events with output, of all requests
  together. (vLLM `benchmarks/serve.py`: `itls`; the "Inter Chunk Latency" of AIPerf.) Where an
  event holds several tokens it is the gap that a reader sees, and TPOT is the time of a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from pytest_costguard.records.base import Record, require_all_seconds, require_counts, require_waits

TokenCount = Literal["usage", "events", "both"]
"""Who counted output tokens: the server's `usage`, the events that held output, or now one, now
the other."""


class Tokens(Record, frozen=True, kw_only=True):
    """What the answered requests of a unit tell of tokens, in the order of its latencies.

    A field is empty where not every request told it.
    """

    ttft_seconds: tuple[float, ...] = ()
    """Empty where answers were not streamed."""
    gap_seconds: tuple[float, ...] = ()
    """Between successive events with output: those of the first request, then of the next."""
    gaps: tuple[int, ...] = ()
    """How many of them each request has."""
    output_tokens: tuple[int, ...] = ()
    input_tokens: tuple[int, ...] = ()
    counted_by: TokenCount = "usage"

    def __post_init__(self) -> None:
        require_all_seconds("ttft_seconds", self.ttft_seconds)
        require_waits("gap_seconds", self.gap_seconds)
        if sum(self.gaps) != len(self.gap_seconds) or len(self.gaps) != len(self.ttft_seconds):
            raise ValueError("gaps must say how many of gap_seconds each streamed request has")
        require_counts("gaps", self.gaps)
        require_counts("output_tokens", self.output_tokens)
        require_counts("input_tokens", self.input_tokens)

    def gaps_by_request(self) -> Iterator[tuple[float, ...]]:
        """Return the gaps of each request, in order."""
        left = iter(self.gap_seconds)
        return (tuple(islice(left, count)) for count in self.gaps)

    def tpot_by_request(self) -> list[float | None]:
        """Return seconds per output token of each; None with fewer than two tokens or events."""
        if len(self.output_tokens) != len(self.gaps):
            return [None for _ in self.gaps]
        return [
            sum(gaps) / (tokens - 1) if gaps and tokens > 1 else None
            for gaps, tokens in zip(self.gaps_by_request(), self.output_tokens, strict=True)
        ]

    @property
    def tokens_per_event(self) -> float | None:
        """Output tokens for each event that held some; None where either is not known."""
        events = len(self.gap_seconds) + len(self.gaps)
        return sum(self.output_tokens) / events if events and self.output_tokens else None


def joined_tokens(parts: Sequence[Tokens | None]) -> Tokens | None:
    """Return what several stretches of one unit tell, one after another; None if one has none."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    streamed = known if all(part.ttft_seconds for part in known) else []
    output = [part.output_tokens for part in known]
    taken_in = [part.input_tokens for part in known]
    counted = {part.counted_by for part in known}
    return Tokens(
        ttft_seconds=tuple(chain.from_iterable(part.ttft_seconds for part in streamed)),
        gap_seconds=tuple(chain.from_iterable(part.gap_seconds for part in streamed)),
        gaps=tuple(chain.from_iterable(part.gaps for part in streamed)),
        output_tokens=tuple(chain.from_iterable(output)) if all(output) else (),
        input_tokens=tuple(chain.from_iterable(taken_in)) if all(taken_in) else (),
        counted_by=counted.pop() if len(counted) == 1 else "both",
    )
