"""Exact bounds of a share of counted trials (Clopper and Pearson, Biometrika 26 (1934) 404)."""

from __future__ import annotations

import math

_HALVINGS = 60
_MANY = 1_000
"""Hits from which on the normal approximation of the binomial distribution is used."""


def proportion_upper(hits: int, trials: int, probability: float) -> float:
    """Return the share below which the truth lies with `probability`.

    The share at which so few hits have the chance 1 - `probability`.

    Args:
        hits: from 0 to `trials`.
        trials: at least 1.
        probability: strictly between 0 and 1.
    """
    if hits >= trials:
        return 1.0
    return _where_at_most(hits, trials, chance=1 - probability)


def proportion_lower(hits: int, trials: int, probability: float) -> float:
    """Return the share above which the truth lies with `probability`; see `proportion_upper`."""
    if hits <= 0:
        return 0.0
    return _where_at_most(hits - 1, trials, chance=probability)


def _where_at_most(hits: int, trials: int, *, chance: float) -> float:
    """Return the share at which at most so many hits have a chance; it falls as the share rises."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if at_most(hits, trials, middle) > chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def at_most(hits: int, trials: int, share: float) -> float:
    """Return the chance of at most so many hits, by the binomial distribution."""
    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 1.0 if hits >= trials else 0.0
    if hits > _MANY and trials - hits > _MANY:
        spread = math.sqrt(2 * trials * share * (1 - share))
        return 0.5 * math.erfc((trials * share - hits - 0.5) / spread)
    log_share, log_rest = math.log(share), math.log1p(-share)
    terms = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * log_share
        + (trials - k) * log_rest
        for k in range(hits + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))
