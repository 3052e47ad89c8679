"""Windows of open-loop load on one side or two: their length, and how they become a unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from pytest_costguard.engine.protocol import RunWindow, SearchRate, WindowDone
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.engine.sides import BothSessions, at
from pytest_costguard.engine.timed_part import TimedPart
from pytest_costguard.measure.rate_search import window_requests
from pytest_costguard.measure.windows import joined, plan_window, ramp_of
from pytest_costguard.records import Load, SideName, joined_tokens

_TIMES_LONGER = 4.0
"""How much longer than closed loops load is measured: a queue's state lasts for many requests."""
_TIMES_MORE_REQUESTS = 10
"""For the same reason: so many times what independent samples would need."""
_TIMES_A_REQUEST = 4.0
"""How much longer than a request a window lasts: what is under way is counted once it is filled."""
_TIMES_BY_CHANCE = 35
"""How many times what chance adds arrives besides, so that a twentieth of it is told from that."""
WINDOWS_A_SIDE = 2
"""Of a unit side by side; on one side alone it is one."""
_HEADROOM = 2.0
"""Of a step's time limit over what its schedule takes."""
_WINDOWS_A_SEARCH = 4
"""About so many windows a search takes that begins at the rate which another has found."""


class UnitLength(Protocol):
    """How long a unit is measured: of the `Effort` of one side, and the `PairEffort` of two."""

    @property
    def unit_seconds(self) -> float:
        """How long a closed loop would be measured."""

    @property
    def longest_unit_seconds(self) -> float:
        """What a unit must not exceed on a side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTerms:
    """What the windows of a unit depend on."""

    load: Load
    seconds_per_request: float
    """Of one that is served alone, by the warm-up."""
    unit_seconds: float
    """How long a closed loop would be measured."""
    longest_seconds: float
    """What a unit must not exceed on a side."""
    min_requests: int
    """That the percentiles asked for need."""
    turn: int
    """The unit's number; both sides send the same schedules in it."""
    known_rate: float | None = None
    """What the search of an earlier unit has found; None: nothing is known."""

    @classmethod
    def of_unit(
        cls,
        load: Load,
        *,
        effort: UnitLength,
        seconds_per_request: float,
        min_requests: int,
        index: int,
        known_rate: float | None,
    ) -> LoadTerms:
        """Return the terms of a unit by its number, and by how long it is measured."""
        return cls(
            load=load,
            seconds_per_request=seconds_per_request,
            unit_seconds=effort.unit_seconds,
            longest_seconds=effort.longest_unit_seconds,
            min_requests=min_requests,
            turn=index,
            known_rate=known_rate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLoad:
    """Load that a workload was under when it was measured before, for an estimate."""

    load: Load
    found_rate: float | None = None
    """Of a search: the highest rate, in requests a second; None where none is known."""
    seconds_per_request: float = 0.0
    """The median under that load; 0.0 where none is known."""

    def about_seconds(
        self, *, unit_seconds: float, longest_seconds: float, min_requests: int, windows: int
    ) -> float:
        """Return about how long load is sent in one unit on one side; see `LoadTerms`."""
        rate = self.load.rate
        if rate is not None:
            requests = _window_requests(
                rate=rate,
                unit_seconds=unit_seconds,
                longest_seconds=longest_seconds,
                min_requests=min_requests,
                windows=windows,
                alone=self.seconds_per_request,
            )
            return windows * (requests + ramp_of(requests)) / rate
        if self.found_rate is None:
            return longest_seconds
        requests = window_requests(self.load.slo, self.found_rate)
        a_window = (requests + ramp_of(requests)) / self.found_rate
        return min(longest_seconds, _WINDOWS_A_SEARCH * a_window)


def serve_load(session: WorkerSession, terms: LoadTerms) -> TimedPart:
    """Send one window, or search for the highest rate, on one side; raises like `ask`."""
    if terms.load.rate is None:
        return _together([_search(session, terms)])
    alone = terms.seconds_per_request
    return _together([_window(session, terms, turn=terms.turn, windows=1, alone=alone)])


def serve_load_beside(
    pair: BothSessions, terms: Mapping[SideName, LoadTerms]
) -> dict[SideName, TimedPart]:
    """Send windows in turns, ABBA, both sides the same schedules; raises like `at`.

    A search is each side's own; the side that was started first searches first.
    """
    done: dict[SideName, list[WindowDone]] = {side: [] for side in pair.order}
    slowest = max(told.seconds_per_request for told in terms.values())
    for number in range(WINDOWS_A_SIDE):
        for side in pair.order if number % 2 == 0 else pair.order[::-1]:
            told = terms[side]
            with at(side):
                if told.load.rate is not None:
                    turn = told.turn * WINDOWS_A_SIDE + number
                    done[side].append(
                        _window(
                            pair.sessions[side],
                            told,
                            turn=turn,
                            windows=WINDOWS_A_SIDE,
                            alone=slowest,
                        )
                    )
                elif not number:
                    done[side].append(_search(pair.sessions[side], told))
    return {side: _together(windows) for side, windows in done.items()}


def _window(
    session: WorkerSession, terms: LoadTerms, *, turn: int, windows: int, alone: float
) -> WindowDone:
    """Send one of so many windows of a unit; `alone` is what a request takes alone, in seconds."""
    rate = terms.load.rate
    assert rate is not None, "a search has no rate yet"
    requests = _window_requests(
        rate=rate,
        unit_seconds=terms.unit_seconds,
        longest_seconds=terms.longest_seconds,
        min_requests=terms.min_requests,
        windows=windows,
        alone=alone,
    )
    lasting = (requests + ramp_of(requests)) / rate
    longest = terms.longest_seconds / windows
    session.tell(RunWindow(rate=rate, requests=requests, turn=turn, longest_seconds=longest))
    return session.expect(
        WindowDone,
        doing=f"serving {requests} requests at {rate:g} a second",
        more_seconds=_HEADROOM * lasting + terms.load.timeout_seconds,
    )


def _window_requests(
    *,
    rate: float,
    unit_seconds: float,
    longest_seconds: float,
    min_requests: int,
    windows: int,
    alone: float,
) -> int:
    """Return how many requests a window holds; so many that growth is told from chance.

    Of a server that takes each at once, `rate * alone` are under way on average, by chance as many
    more or less as a Poisson variable (the M/G/inf queue), so that two counts differ by the root
    of twice as many.
    """
    alone = min(alone, longest_seconds)
    by_chance = math.sqrt(2 * rate * alone / windows)
    return plan_window(
        rate=rate,
        seconds=max(
            _TIMES_LONGER * unit_seconds / windows,
            _TIMES_A_REQUEST * alone + _TIMES_BY_CHANCE * by_chance / rate,
        ),
        min_requests=-(-_TIMES_MORE_REQUESTS * min_requests // windows),
        max_seconds=longest_seconds / windows,
    )


def _search(session: WorkerSession, terms: LoadTerms) -> WindowDone:
    # No more can be served than all workers do without a pause; endpoints keep theirs to
    # themselves, so that one after another is where to begin.
    served_at_once = 1 if terms.load.connections else terms.load.workers
    start = terms.known_rate or served_at_once / terms.seconds_per_request
    session.tell(
        SearchRate(
            start=start,
            known=terms.known_rate is not None,
            turn=terms.turn,
            max_seconds=terms.longest_seconds,
        )
    )
    return session.expect(
        WindowDone,
        doing="searching for the highest rate",
        more_seconds=_HEADROOM * terms.longest_seconds + terms.load.timeout_seconds,
    )


def _together(windows: list[WindowDone]) -> TimedPart:
    return TimedPart(
        blocks=tuple(window.block for window in windows),
        latency_seconds=tuple(chain.from_iterable(one.latency_seconds for one in windows)),
        open_loop=joined([window.open_loop for window in windows]),
        tokens=joined_tokens([window.tokens for window in windows]),
    )
