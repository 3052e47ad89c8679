"""What a reader must know of figures of tokens: who counted them, and what a gap is."""

from __future__ import annotations

from pytest_costguard.records import Measurement

_SEVERAL = 1.1
"""Tokens for each event from which on a gap is not that of one token."""


def token_warnings(measurement: Measurement) -> tuple[str, ...]:
    """Return a sentence for each thing; none where the server counts, and sends one at a time."""
    told = [unit.tokens for unit in measurement.units if unit.tokens is not None]
    found = []
    if any(tokens.output_tokens and tokens.counted_by != "usage" for tokens in told):
        found.append(
            "output tokens are counted by the events that hold some, since the server tells no"
            " usage of every answer: where an event holds several, there are more"
        )
    rates = [tokens.tokens_per_event for tokens in told if tokens.tokens_per_event is not None]
    mean = sum(rates) / len(rates) if rates else 0.0
    if mean > _SEVERAL:
        found.append(
            f"an event holds {mean:.3g} tokens on average: ITL is the gap between events, TPOT the"
            " time of a token"
        )
    return tuple(found)
