"""Servers that are played: which keep up with their rate, and what they are said to serve."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from factories.loads import a_load, loaded

from benchmarks.load.queues import constant, exponential, served
from pytest_costguard.measure.open_loop import Sent
from pytest_costguard.measure.windows import ramp_of, told
from pytest_costguard.records import Load
from pytest_costguard.stats.backlog import growing_backlog, may_pile_up, unknown_backlog
from pytest_costguard.stats.generator import moved_by_lateness

UNITS = 6


def played(*, rate, times, servers, requests, seed=0, burstiness=1.0, refused=0.0, load=None):
    """Return a measurement of a server whose requests were answered as they were played.

    A share of them may have been refused at once.
    """
    units = []
    load = load or Load(rate=rate, connections=64)
    for index in range(UNITS):
        chance = np.random.default_rng((seed, index))
        ramp = ramp_of(requests)
        gaps = chance.gamma(1 / burstiness, burstiness / rate, ramp + requests)
        due = 1.0 + np.cumsum(gaps)
        takes, taken = times(chance, ramp + requests), chance.random(ramp + requests) >= refused
        ended = np.zeros(ramp + requests)
        ended[taken] = served(due[taken], takes[taken], servers=servers)
        began = due if load.connections else ended - takes
        due_ns, began_ns, ended_ns = (
            tuple(round(at * 1e9) for at in one) for one in (due, began, ended)
        )
        sent = Sent(
            due_ns=due_ns,
            sent_ns=due_ns,
            began_ns=began_ns,
            ended_ns=ended_ns,
            failures={int(place): "no room" for place in np.flatnonzero(~taken)},
            batch_sizes={},
            cache_hits=0,
            gave_up=False,
        )
        window = told(
            sent, ramp=ramp, rate=rate, load=load, items=[1] * len(due_ns), cpu_seconds=0.0
        )
        unit = loaded(latencies=window.latency_seconds, index=index, rate=rate)
        units.append(
            msgspec.structs.replace(unit, open_loop=window.open_loop, blocks=(window.block,))
        )
    return a_load(units, load=load)


def throughputs(measurement):
    return [block.requests / block.wall_seconds for u in measurement.units for block in u.blocks]


@pytest.mark.parametrize(
    ("rate", "seconds", "requests"),
    [(50, 0.4, 400), (20, 2.0, 368), (100, 1.0, 1000), (5, 8.0, 272)],
)
def test_a_server_that_takes_long_and_serves_many_at_once_keeps_up(rate, seconds, requests):
    doubted = 0
    for seed in range(10):
        found = played(
            rate=rate, times=constant(seconds), servers=500, requests=requests, seed=seed
        )
        assert growing_backlog(found) == ""
        doubted += bool(may_pile_up(found))
        assert np.mean(throughputs(found)) == pytest.approx(rate, rel=0.02)
    assert doubted <= 2


@pytest.mark.parametrize("burstiness", [1.0, 4.0])
def test_a_worker_with_room_is_hardly_ever_doubted(burstiness):
    doubted = [
        may_pile_up(
            played(
                rate=40,
                times=constant(0.01),
                servers=1,
                requests=400,
                burstiness=burstiness,
                seed=seed,
            )
        )
        for seed in range(20)
    ]

    assert sum(map(bool, doubted)) <= 1


def test_a_server_that_is_too_slow_is_seen_and_told_by_what_it_serves():
    found = played(rate=130, times=exponential(0.01), servers=1, requests=400)

    assert "piled up" in growing_backlog(found)
    assert np.mean(throughputs(found)) == pytest.approx(100, rel=0.1)


def test_one_that_is_hardly_too_slow_is_doubted():
    doubted = [
        growing_backlog(one) or may_pile_up(one)
        for one in (
            played(rate=105, times=exponential(0.01), servers=1, requests=400, seed=seed)
            for seed in range(10)
        )
    ]

    assert all(doubted)


def test_where_requests_take_longer_than_half_of_a_window_nothing_is_known():
    found = played(rate=50, times=exponential(5.0), servers=500, requests=100)

    assert "it is not known whether the server keeps up" in may_pile_up(found)
    assert max(throughputs(found)) < 50, "no better than what was seen"


@pytest.mark.parametrize(("telling", "known"), [(1, False), (4, False), (5, True)])
def test_windows_that_tell_do_not_speak_for_more_than_one_in_five_that_do_not(telling, known):
    told = played(rate=50, times=constant(0.01), servers=1, requests=400).units[:telling]
    others = played(rate=50, times=constant(5.0), servers=500, requests=400).units[telling:]

    mixed = a_load([*told, *others], load=Load(rate=50.0, connections=64))

    assert ("it is not known" in may_pile_up(mixed)) != known


def test_what_a_server_answers_that_is_too_slow_is_its_own_rate_whatever_arrives():
    found = played(rate=150, times=constant(0.01), servers=1, requests=400)

    assert throughputs(found) == pytest.approx([100] * UNITS, rel=0.03)


def test_what_is_too_slow_is_not_excused_by_a_lateness_that_there_was_not():
    alone = Load(rate=100.0)
    found = played(rate=100, times=constant(0.02), servers=1, requests=400, load=alone)

    moved = moved_by_lateness(found, "throughput")

    assert throughputs(found) == pytest.approx([50] * UNITS, rel=0.03)
    assert (moved.less, moved.more) == (0.0, 0.0)


def test_what_it_refuses_at_once_is_no_part_of_what_it_answers():
    found = played(rate=200, times=constant(0.01), servers=1, requests=400, refused=0.2)

    assert throughputs(found) == pytest.approx([100] * UNITS, rel=0.05)


def test_what_a_server_answers_that_is_far_too_slow_to_be_filled_is_its_own_rate():
    found = played(rate=100, times=constant(0.1), servers=1, requests=400)

    assert "requests got slower until the end" in growing_backlog(found)
    assert not unknown_backlog(found)
    assert throughputs(found) == pytest.approx([10] * UNITS, rel=0.02)


def test_latencies_that_grow_within_each_window_are_seen_whatever_their_number():
    window = np.linspace(0.01, 0.015, 300)
    unit = loaded(latencies=[*window, *window])
    loop = msgspec.structs.replace(
        unit.open_loop, window_requests=(300, 300), backlog=(0,) * 40, backlog_arrived=(300, 300)
    )
    found = a_load([msgspec.structs.replace(unit, open_loop=loop)] * UNITS)

    assert "requests got slower until the end (31 % from" in growing_backlog(found)


@pytest.mark.parametrize("absent", [{"backlog_arrived": ()}, {"backlog": ()}])
def test_a_report_without_these_counts_tells_nothing_of_keeping_up(absent):
    unit = loaded(latencies=[0.01] * 600)
    loop = msgspec.structs.replace(unit.open_loop, **absent)
    old = a_load([msgspec.structs.replace(unit, open_loop=loop)] * 6)

    assert "it is not known" in may_pile_up(old)


def test_requests_without_an_answer_may_have_piled_up():
    lost = tuple(range(0, 600, 10))
    found = a_load([loaded(latencies=[0.01] * 540, unanswered=lost)] * 6)

    assert "10 % of the requests had no answer" in may_pile_up(found)


def test_units_that_are_all_alike_are_no_surer_than_their_requests():
    few = a_load([loaded(latencies=[0.01] * 10)] * 6)

    assert "up to 10 % of the requests may have piled up" in may_pile_up(few)
