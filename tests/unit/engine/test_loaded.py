"""What one unit of load asks of its worker, on one side and on two."""

from __future__ import annotations

import math

import pytest
from factories.judging import block
from factories.loads import a_loop

from pytest_costguard.engine.loaded import LoadTerms, serve_load, serve_load_beside
from pytest_costguard.engine.protocol import RunWindow, SearchRate, WindowDone
from pytest_costguard.engine.sides import BothSessions
from pytest_costguard.records import Load


class Session:
    """Answers every command with a window of its size; keeps what was asked."""

    def __init__(self, log=None, name=""):
        self.asked = []
        self.seconds = []
        self._log = [] if log is None else log
        self._name = name

    def tell(self, command):
        self.asked.append(command)
        self._log.append(self._name)

    def expect(self, answer, *, doing, more_seconds=0.0):
        assert answer is WindowDone
        self.seconds.append(more_seconds)
        requests = self.asked[-1].requests if isinstance(self.asked[-1], RunWindow) else 3
        return WindowDone(
            block=block(requests=requests),
            latency_seconds=(0.01,) * requests,
            open_loop=a_loop(window_requests=(requests,)),
        )


def terms(load=None, **changes):
    fields = {
        "load": load or Load(rate=50.0),
        "seconds_per_request": 0.02,
        "unit_seconds": 0.5,
        "longest_seconds": 60.0,
        "min_requests": 0,
        "turn": 3,
        **changes,
    }
    return LoadTerms(**fields)


def test_a_window_lasts_four_times_a_unit_of_a_closed_loop():
    session = Session()

    timed = serve_load(session, terms(Load(rate=500.0)))

    window = RunWindow(rate=500.0, requests=1000, turn=3, longest_seconds=60.0)
    assert session.asked == [window]
    assert len(timed.latency_seconds) == 1000
    assert timed.open_loop.requests == 1000


def test_of_requests_that_take_long_a_window_holds_what_tells_growth_from_chance():
    session = Session()

    serve_load(session, terms(Load(rate=20.0), seconds_per_request=1.5))

    # Four times the 30 that are under way; two counts of them differ by the root of 60.
    assert session.asked[0].requests == 120 + math.ceil(35 * math.sqrt(60))


def test_percentiles_need_ten_times_what_independent_samples_would():
    session = Session()

    serve_load(session, terms(min_requests=100))

    assert session.asked[0].requests == 1000


def test_a_window_is_waited_for_as_long_as_its_schedule_takes():
    session = Session()

    serve_load(session, terms(min_requests=100))

    assert session.seconds[0] >= 1100 / 50


def test_a_window_is_no_longer_than_a_unit_may_be():
    session = Session()

    serve_load(session, terms(Load(rate=1.0), min_requests=100, longest_seconds=30.0))

    assert session.asked[0].requests == 10


@pytest.mark.parametrize(
    ("load", "known", "start"),
    [
        (Load(slo={"p99": 0.05}, workers=4), None, 200.0),
        (Load(slo={"p99": 0.05}, connections=64), None, 50.0),
        (Load(slo={"p99": 0.05}, workers=4), 120.0, 120.0),
    ],
)
def test_a_search_begins_at_what_all_workers_could_serve_or_where_the_last_one_ended(
    load, known, start
):
    session = Session()

    serve_load(session, terms(load, known_rate=known))

    (asked,) = session.asked
    assert asked == SearchRate(start=start, known=known is not None, turn=3, max_seconds=60.0)


def both():
    log = []
    sessions = {side: Session(log, side) for side in ("base", "head")}
    return BothSessions(sessions, ("head", "base")), sessions, log


def test_two_sides_send_in_turns_the_same_schedules():
    pair, sessions, log = both()

    timed = serve_load_beside(pair, {side: terms() for side in sessions})

    assert log == ["head", "base", "base", "head"]
    turns = {side: [one.turn for one in session.asked] for side, session in sessions.items()}
    assert turns == {"base": [6, 7], "head": [6, 7]}
    assert timed["head"].open_loop.window_requests == (100, 100)


def test_two_sides_send_windows_that_the_slower_one_needs():
    pair, sessions, _ = both()
    load = Load(rate=500.0)

    serve_load_beside(
        pair,
        {"base": terms(load, seconds_per_request=0.1), "head": terms(load, seconds_per_request=1)},
    )

    requests = {side: [one.requests for one in session.asked] for side, session in sessions.items()}
    # Four times the 500 under way; what chance adds is shared by both windows.
    enough = 2000 + math.ceil(35 * math.sqrt(500))
    assert requests == {"base": [enough, enough], "head": [enough, enough]}


def test_two_sides_search_once_each_from_where_each_has_ended():
    pair, sessions, log = both()
    load = Load(slo={"p99": 0.05})

    serve_load_beside(
        pair, {"base": terms(load, known_rate=100.0), "head": terms(load, known_rate=50.0)}
    )

    assert log == ["head", "base"]
    assert [session.asked[0].start for session in sessions.values()] == [100.0, 50.0]
