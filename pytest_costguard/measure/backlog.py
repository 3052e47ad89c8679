"""How many requests are under way in the course of a window of load, and whether they pile up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev

from pytest_costguard.records import BACKLOG_MOMENTS

_SURELY = 2.0
"""In standard errors: a twenty-fifth of rates at which the backlog has no trend are taken for more
than the server can do; where it has a level it returns to, far fewer."""
_GROWN_SHARE = 0.01
"""Of what arrived; less hardly moves the rate that is found."""
_LONGEST_START = 0.5
"""Of a window: where it takes longer until requests end as they arrive, nothing is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The requests under way in a window, from when the server was filled."""

    counts: tuple[int, ...]
    """At each of `BACKLOG_MOMENTS`, evenly spaced."""
    arrived: int
    """How many arrived between the first of these moments and the last; 0 where the server was
    still being filled for half of the window, so that nothing is known of what piles up."""
    lasted: float
    """What lies between the first of these moments and the last, in the unit of time of these."""

    @property
    def left(self) -> int:
        """How many were answered between the first of these moments and the last."""
        return self.arrived - self.grown

    @property
    def grown(self) -> int:
        """How many more were under way at the last moment than at the first."""
        return self.counts[-1] - self.counts[0]

    @property
    def piled_up(self) -> bool:
        """Whether they became more, by surely more than chance adds.

        By how much the backlog grows from one moment to the next is tested for a mean above zero.
        Bursts, batches and long requests make these differ, and the test weaker; a backlog that
        returns to a level gains nothing in the end.
        """
        if self.grown <= _GROWN_SHARE * self.arrived or not self.arrived:
            return False
        steps = [after - before for before, after in pairwise(self.counts)]
        return fmean(steps) > _SURELY * stdev(steps) / math.sqrt(len(steps))


def backlog_of(due: Sequence[float], ended: Sequence[float], *, ramp: int) -> Backlog:
    """Count the requests under way in a window, those of its ramp that are still among them.

    A server without a request is filled first: a time as long as the slowest request of the ramp
    took is left out. The moments are not those at which requests happen to be due: of bursts the
    start or the end of one would be counted.

    Args:
        due: when each request was to be sent, ascending, in any unit of time.
        ended: when each was answered, in the same unit; 0 where it was not, which is no part of it.
        ramp: how many requests go before the window.
    """
    answered = [place for place, end in enumerate(ended) if end]
    spans = [ended[place] - due[place] for place in answered if place < ramp]
    last = due[-1]
    first = due[0] + (last - due[0]) * ramp / max(1, len(due) - 1)
    filled = max(first, due[0] + max(spans, default=0))
    # Where nothing of the ramp was answered, nobody knows when the server is filled.
    known = bool(spans or not ramp) and filled - first <= _LONGEST_START * (last - first)
    start = filled if known else first
    moments = [
        start + (last - start) * (part + 0.5) / BACKLOG_MOMENTS for part in range(BACKLOG_MOMENTS)
    ]
    dues = [due[place] for place in answered]
    ends = sorted(ended[place] for place in answered)
    return Backlog(
        counts=tuple(bisect_right(dues, at) - bisect_right(ends, at) for at in moments),
        arrived=bisect_right(dues, moments[-1]) - bisect_right(dues, moments[0]) if known else 0,
        lasted=moments[-1] - moments[0],
    )
