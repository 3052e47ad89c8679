"""Figures in the sentences of reasons."""

from __future__ import annotations

from pytest_costguard.records import QUANTILES

_SECONDS_FROM = 0.9995
"""What to three digits is a second is told as one."""
_WHOLE_FROM = 0.095
"""Of a share: from ten per cent on two digits are whole numbers."""


def seconds_in_words(seconds: float) -> str:
    """Return a latency with its unit, to three digits: `24.6 ms`, `4.19 s`."""
    return f"{seconds * 1e3:.3g} ms" if seconds < _SECONDS_FROM else f"{seconds:.3g} s"


def share_in_words(share: float) -> str:
    """Return a share in per cent, to two digits or whole: `0.42 %`, `230 %`."""
    return f"{100 * share:.2g} %" if share < _WHOLE_FROM else f"{100 * share:.0f} %"


def samples_in_words(metric: str, count: int) -> str:
    """Return how many requests, or gaps between tokens, a percentile rests on."""
    return f"{count:,} {'gaps' if QUANTILES[metric].series == 'itl' else 'requests'}"
