"""From logarithms back to ratios, without overflow."""

from __future__ import annotations

import math

_LARGEST_LOG = 27.0


def ratio(log: float) -> float:
    """Return e to the power of `log`, cut at about 5e11 and its inverse.

    No measurement differs by more, but a broken record may, and must still be reported.
    """
    return math.exp(max(-_LARGEST_LOG, min(_LARGEST_LOG, log)))
