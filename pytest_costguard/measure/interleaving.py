"""In which order the requests of several parts go: by their shares, spread evenly, each input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

MOST_REQUESTS = 100_000
"""Of one order: it is held in memory, and a window of load sends no more."""


class TooLong(ValueError):
    """An order that holds every input once has more requests than are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request: the part that it belongs to, and which of that part's inputs it sends."""

    part: int
    input: int


def interleaved(shares: Sequence[Fraction], inputs: Sequence[int]) -> tuple[Turn, ...]:
    """Return the order in which the inputs of several parts are sent, which then begins again.

    Smooth weighted round robin: in each round every part has as many turns as its share asks for,
    as far from each other as they can be. There are as many rounds as it takes to send every input
    equally often, so that the parts serve what they would serve alone; where that are too many,
    every input is sent at least once, and none more than once more often than another.

    Args:
        shares: of each part, above zero.
        inputs: of each part, how many there are, at least 1.

    Raises:
        TooLong: it would hold more than `MOST_REQUESTS`.
    """
    weights = weights_of(shares)
    a_round = sum(weights)
    needed = max(-(-count // weight) for count, weight in zip(inputs, weights, strict=True))
    most = MOST_REQUESTS // a_round
    if needed > most:
        raise TooLong(f"{needed * a_round:,} requests")
    even = lcm(
        *(count // gcd(count, weight) for count, weight in zip(inputs, weights, strict=True))
    )
    served = [0] * len(weights)
    turns = []
    round_robin = tuple(_round(weights))
    for _ in range(min(even, most)):
        for part in round_robin:
            turns.append(Turn(part=part, input=served[part] % inputs[part]))
            served[part] += 1
    return tuple(turns)


def weights_of(shares: Sequence[Fraction]) -> tuple[int, ...]:
    """Return the smallest whole numbers that stand to each other as the shares do."""
    scale = lcm(*(share.denominator for share in shares))
    whole = [int(share * scale) for share in shares]
    common = gcd(*whole)
    return tuple(weight // common for weight in whole)


def _round(weights: Sequence[int]) -> Iterator[int]:
    total = sum(weights)
    credit = [0] * len(weights)
    for _ in range(total):
        credit = [have + weight for have, weight in zip(credit, weights, strict=True)]
        chosen = max(range(len(weights)), key=credit.__getitem__)
        credit[chosen] -= total
        yield chosen
