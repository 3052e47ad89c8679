"""What a late generator can have done to latencies, on queues whose answer is known."""

from __future__ import annotations

import heapq
import math

import msgspec
import numpy as np
import pytest
from factories.loads import a_load, a_loop, loaded
from factories.tokens import written_under_load

from pytest_costguard.records import BudgetVerdict, Load
from pytest_costguard.stats.generator import generator_fault, moved_by_lateness
from pytest_costguard.stats.lateness import Moved, held_up, in_time
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.stats.slo import decide_slo


def played(dues, services, lateness, *, workers):
    """Return when each request ends, and begins, in a queue that serves in order of arrival."""
    free = [0.0] * workers
    begins, ends = [], []
    for due, service, late in zip(dues, services, lateness, strict=True):
        worker = min(range(workers), key=free.__getitem__)
        begin = max(due + late, free[worker])
        free[worker] = begin + service
        begins.append(begin)
        ends.append(begin + service)
    return np.array(begins), np.array(ends)


def a_queue(*, seed, utilisation, late_share, late_seconds, requests=4000):
    """Return a unit of a queue whose generator was late at times, and the latencies in time."""
    rng = np.random.default_rng(seed)
    services = rng.exponential(0.01, requests)
    dues = np.cumsum(rng.exponential(0.01 / utilisation, requests))
    # While the generator does not run, it sends nothing: what was due meanwhile is sent at its end.
    lateness, until = np.zeros(requests), 0.0
    for place, due in enumerate(dues):
        if due > until and rng.random() < late_share:
            until = due + late_seconds
        lateness[place] = max(0.0, until - due)
    begins, ends = played(dues, services, lateness, workers=1)
    _, in_time = played(dues, services, np.zeros(requests), workers=1)
    return unit_of(ends - dues, services=ends - begins, lateness=lateness), in_time - dues


def shared_out(dues, services, lateness):
    """Return when each ends where all that are there share one server (processor sharing)."""
    ends, left, now = np.zeros(len(dues)), [], 0.0
    # Each needs so much of what every one has been given since the start.
    given = 0.0
    for place, at in enumerate(dues + lateness):
        while left and now + (left[0][0] - given) * len(left) <= at:
            now += (left[0][0] - given) * len(left)
            given, ended = heapq.heappop(left)
            ends[ended] = now
        given += (at - now) / len(left) if left else 0.0
        now = at
        heapq.heappush(left, (given + services[place], place))
    while left:
        now += (left[0][0] - given) * len(left)
        given, ended = heapq.heappop(left)
        ends[ended] = now
    return ends


def batched(dues, services, lateness, *, most=8):
    """Return when each ends where all that wait are served together, a batch after another."""
    sent, ends, free, place = dues + lateness, np.zeros(len(dues)), 0.0, 0
    while place < len(dues):
        begin = max(free, sent[place])
        waiting = [k for k in range(place, min(place + most, len(dues))) if sent[k] <= begin]
        free = begin + max(services[waiting]) + 0.1 * sum(services[waiting])
        ends[waiting] = free
        place += len(waiting)
    return ends


def an_endpoint(serve, *, seed, utilisation=0.15, late_share=0.012, requests=4000):
    """Return units of a server elsewhere whose client was late at times, and its figures in time.

    Late by 3 ms where a request takes 10: more than a twentieth.
    """
    units, in_time = [], []
    for index in range(6):
        rng = np.random.default_rng([seed, index])
        services = 0.005 + rng.exponential(0.005, requests)
        dues = np.cumsum(rng.exponential(0.01 / utilisation, requests))
        lateness = np.where(rng.random(requests) < late_share, 0.003, 0.0)
        lateness = np.maximum.accumulate(dues + lateness) - dues
        ends = serve(dues, services, lateness)
        before = np.maximum.accumulate(np.concatenate([[0.0], ends[:-1]]))
        unit = unit_of(
            ends - dues,
            services=ends - dues - lateness,
            lateness=lateness,
            index=index,
            busy_periods=tuple(np.flatnonzero(dues >= before).tolist()),
        )
        units.append(unit)
        in_time += (serve(dues, services, np.zeros(requests)) - dues).tolist()
    return a_load(units, load=Load(rate=100.0, connections=16)), in_time


def several(dues, services, lateness):
    return played(dues, services, lateness, workers=4)[1]


def unit_of(latencies, *, services, lateness, index=0, unanswered=(), **loop_fields):
    loop = a_loop(
        rate=100.0,
        unanswered=unanswered,
        lateness_seconds=tuple(map(float, lateness)),
        service_seconds=tuple(map(float, services)),
        **{"window_requests": (len(lateness),), **loop_fields},
    )
    unit = loaded(latencies=[float(one) for one in latencies], index=index, unanswered=unanswered)
    return msgspec.structs.replace(unit, open_loop=loop)


@pytest.mark.parametrize("utilisation", [0.3, 0.7, 0.9])
def test_no_request_was_held_up_by_more_than_is_said(utilisation):
    unit, in_time = a_queue(seed=3, utilisation=utilisation, late_share=0.02, late_seconds=0.01)
    most = np.array(held_up(unit, unit.open_loop))
    truly = np.array(unit.latency_seconds) - in_time
    assert np.all(truly - most < 1e-9)
    assert truly.max() == pytest.approx(0.01, rel=0.05)


def test_rare_lateness_leaves_the_median_alone_though_its_99th_percentile_is_a_twentieth():
    unit, in_time = a_queue(seed=5, utilisation=0.3, late_share=0.012, late_seconds=0.003)
    measurement = a_load([unit, unit])
    late = percentile(unit.open_loop.lateness_seconds, 0.99)
    assert late > 0.05 * percentile(unit.latency_seconds, 0.5)
    assert generator_fault(measurement, "p50") == ""
    assert percentile(unit.latency_seconds, 0.5) == pytest.approx(
        percentile(in_time.tolist(), 0.5), rel=0.01
    )


def test_a_generator_that_is_always_late_has_moved_every_percentile():
    services = np.random.default_rng(7).uniform(0.009, 0.011, 1000)
    unit = unit_of(services + 0.002, services=services, lateness=[0.002] * 1000)
    measurement = a_load([unit] * 4)
    for metric in ("mean", "p50", "p95"):
        assert "late by 2 ms (p99), which with what waited behind it can be " in generator_fault(
            measurement, metric
        )
    assert "of p50" in generator_fault(measurement, "p50")
    assert "of the mean latency" in generator_fault(measurement, "mean")
    # At either end of 10 s a fifth of a request may be counted, or not; if its ramp was no later.
    assert "of the median latency" in generator_fault(measurement, "throughput")
    loop = msgspec.structs.replace(unit.open_loop, ramp_lateness_seconds=(0.002,))
    known = a_load([msgspec.structs.replace(unit, open_loop=loop)] * 4)
    assert generator_fault(known, "throughput") == ""


def test_of_an_endpoint_nobody_knows_what_waits_behind_what():
    unit, _ = a_queue(seed=5, utilisation=0.5, late_share=0.012, late_seconds=0.003)
    here, elsewhere = Load(rate=100.0), Load(rate=100.0, connections=16)
    assert generator_fault(a_load([unit] * 2, load=here), "p50") == ""
    assert "of the median latency" in generator_fault(a_load([unit] * 2, load=elsewhere), "p50")


def test_what_is_counted_beyond_a_limit_has_no_such_bound():
    unit, _ = a_queue(seed=5, utilisation=0.5, late_share=0.012, late_seconds=0.003)
    assert "of the median latency" in generator_fault(a_load([unit] * 2), "goodput")


def test_without_a_metric_it_names_what_it_can_have_moved_most():
    # 4 % are late by 10 ms: the 99th percentile is theirs, the median is not.
    services = np.full(2000, 0.01)
    lateness = np.where(np.arange(2000) % 25 == 0, 0.01, 0.0)
    unit = unit_of(services + lateness, services=services, lateness=lateness)
    assert "which with what waited behind it can be 50 % of p99" in generator_fault(
        a_load([unit] * 4)
    )
    assert generator_fault(a_load([unit] * 4), "p50") == ""


def test_requests_that_were_lost_by_being_late_accuse_nobody():
    # 6 % came too late for their time limit because they were sent 15 ms late; p99 is no answer.
    services = np.full(1000, 0.002)
    lost = tuple(range(0, 1000, 17))[:60]
    lateness = [0.015 if place in lost else 0.0 for place in range(1000)]
    unit = unit_of(
        services[: 1000 - len(lost)],
        services=services[: 1000 - len(lost)],
        lateness=lateness,
        unanswered=lost,
    )
    load = Load(rate=100.0, timeout_seconds=0.02)
    measurement = a_load([unit] * 6, load=load)

    # What was lost may have held up others, had it been in time: there is no bound.
    assert "more than 5 % of the limit" in generator_fault(measurement, "p99", against=0.02)
    assert "late by 15 ms" in generator_fault(measurement, "throughput")
    decision = decide_slo(measurement, "p99", limit=0.02, alpha=0.01)
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE


def test_time_to_first_token_is_held_against_its_own_median():
    # Answers of 5 s whose first tokens are there after 50 ms, all sent 200 ms late.
    rng = np.random.default_rng(1)
    units = [
        written_under_load(
            ttft=(0.25 + 0.02 * rng.random(200)).tolist(),
            gaps=[(4.75,)] * 200,
            lateness=0.2,
            index=index,
        )
        for index in range(6)
    ]
    measurement = a_load(units, load=Load(rate=100.0, connections=64))

    assert "of the median time to first token" in generator_fault(
        measurement, "ttft_p99", against=0.1
    )
    assert generator_fault(measurement, "p99") == ""


@pytest.mark.parametrize(
    "load",
    [
        Load(rate=100.0, workers=2),
        Load(rate=100.0, max_batch_size=8),
        Load(rate=100.0, cache_entries=4),
        Load(rate=100.0, shares={"a": 0.5, "b": 0.5}),
    ],
)
def test_where_it_is_not_known_what_waits_for_what_nothing_is_excused(load):
    unit, _ = a_queue(seed=5, utilisation=0.3, late_share=0.012, late_seconds=0.003)
    assert "of the median latency" in generator_fault(a_load([unit] * 2, load=load), "p50")


@pytest.mark.parametrize("serve", [several, shared_out, batched])
def test_a_server_elsewhere_would_have_taken_no_less_and_no_more_than_is_said(serve):
    measurement, in_time = an_endpoint(serve, seed=13)
    truth = {"mean": float(np.mean(in_time))}
    truth |= {f"p{q}": percentile(in_time, q / 100) for q in (50, 90, 99)}
    for metric, seconds in truth.items():
        moved = moved_by_lateness(measurement, metric)
        if moved.figure:
            least, most = moved.figure * (1 - moved.less), moved.figure * (1 + moved.more)
            assert least <= seconds <= most, metric
        else:  # nothing to speak of
            felt = [one for unit in measurement.units for one in unit.latency_seconds]
            assert seconds == pytest.approx(percentile(felt, int(metric[1:]) / 100), rel=0.01)


def test_rare_lateness_hardly_moves_the_median_of_an_endpoint():
    measurement, _ = an_endpoint(several, seed=17)
    moved = moved_by_lateness(measurement, "p50")
    assert moved.less < 0.03
    assert moved.more < 0.02
    # Each of the few may be why the tail is what it is.
    assert "which with what waited behind it can be" in generator_fault(measurement, "p99")


def test_a_request_alone_was_late_by_its_own_lateness():
    lateness = [0.002] * 1000
    unit = unit_of(
        [0.012] * 1000, services=[0.01] * 1000, lateness=lateness, busy_periods=range(1000)
    )
    moved = moved_by_lateness(a_load([unit] * 4, load=Load(rate=1.0, connections=4)), "p50")
    assert (moved.less, moved.more) == pytest.approx((1 / 6, 0.0))


@pytest.mark.parametrize(("ramp", "more"), [((), math.inf), ((0.005,), math.inf), ((0.0,), 0.0)])
def test_what_began_in_the_ramp_may_have_waited_for_any_of_it(ramp, more):
    late = [0.0] * 95 + [0.002] * 5
    unit = unit_of(
        [0.01] * 95 + [0.012] * 5,
        services=[0.01] * 100,
        lateness=late,
        busy_periods=tuple(range(94, 100)),
        ramp_lateness_seconds=ramp,
    )
    moved = moved_by_lateness(a_load([unit] * 4, load=Load(rate=1.0, connections=4)), "mean")
    assert moved.more == more
    assert moved.less >= 0.01 / 1.01 - 1e-9


def a_window(*, ramp_late, requests=120, ramp=20, services=0.0095):
    """Return a window's requests behind a ramp in which one was late, by 10 ms apart."""
    dues = 1 + 0.01 * np.arange(requests)
    lateness = np.zeros(requests)
    lateness[ramp - 10] = ramp_late
    lateness = np.maximum.accumulate(dues + lateness) - dues
    lateness[-2:] = np.maximum(lateness[-2:], 0.002)
    begins, ends = played(dues, [services] * requests, lateness, workers=1)
    _, in_time = played(dues, [services] * requests, np.zeros(requests), workers=1)
    before = np.maximum.accumulate(np.concatenate([[0.0], ends[:-1]]))
    return {
        "latencies": (ends - dues)[ramp:],
        "services": (ends - begins)[ramp:],
        "lateness": lateness[ramp:],
        "idle": np.flatnonzero(dues[ramp:] >= before[ramp:]),
        "ramp": lateness[:ramp].max(),
        "in_time": (in_time - dues)[ramp:],
    }


@pytest.mark.parametrize("told", [True, False])
def test_a_window_begins_with_what_its_ramp_has_left(told):
    # Two windows in a unit; before the second one, a request was 90 ms late.
    windows = [a_window(ramp_late=late) for late in (0.0, 0.09)]
    joined = {
        name: np.concatenate([one[name] for one in windows])
        for name in ("latencies", "services", "lateness", "in_time")
    }
    unit = unit_of(
        joined["latencies"],
        services=joined["services"],
        lateness=joined["lateness"],
        window_requests=(100, 100),
        busy_periods=(*windows[0]["idle"].tolist(), *(100 + windows[1]["idle"]).tolist()),
        ramp_lateness_seconds=tuple(one["ramp"] for one in windows) if told else (),
    )
    most = np.array(held_up(unit, unit.open_loop))
    assert np.all(joined["latencies"] - joined["in_time"] - most < 1e-9)
    decision = decide_slo(a_load([unit] * 6), "p90", limit=0.03, alpha=0.01)
    assert decision.interval.lower > 0.03
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE


def apart(services, lateness, *, index=0, lost=()):
    """Return a unit of requests that never meet, of a server elsewhere."""
    latencies = np.asarray(services) + np.asarray(lateness)
    kept = [place for place in range(len(latencies)) if place not in lost]
    return unit_of(
        latencies[kept],
        services=np.asarray(services)[kept],
        lateness=lateness,
        index=index,
        unanswered=lost,
        busy_periods=tuple(range(len(latencies))),
    )


def test_the_fastest_of_requests_that_are_always_late_was_late_too():
    # 2 ms, all of them sent 1 ms late, so often that periods of several are the rule.
    rng = np.random.default_rng(0)
    units = []
    for index in range(6):
        dues = np.cumsum(rng.exponential(0.0015, 2000))
        ends = dues + 0.003
        before = np.maximum.accumulate(np.concatenate([[0.0], ends[:-1]]))
        units.append(
            unit_of(
                ends - dues,
                services=[0.002] * 2000,
                lateness=[0.001] * 2000,
                index=index,
                busy_periods=tuple(np.flatnonzero(dues >= before).tolist()),
            )
        )
    measurement = a_load(units, load=Load(rate=667.0, connections=64))
    for metric in ("p50", "p99"):
        assert decide_slo(measurement, metric, limit=0.0025, alpha=0.01).verdict is (
            BudgetVerdict.INCONCLUSIVE
        )
        moved = moved_by_lateness(measurement, metric)
        assert moved.figure * (1 - moved.less) <= 0.002 + 1e-9


def test_answers_that_were_lost_by_lateness_move_the_throughput_by_nobody_knows_how_much():
    late = [0.055 if place % 10 == 9 else 0.0 for place in range(1000)]
    lost = tuple(range(9, 1000, 10))
    units = [apart([0.01] * 1000, late, index=index, lost=lost) for index in range(6)]
    load = Load(rate=10.0, timeout_seconds=0.05, connections=8)
    measurement = a_load(units, load=load)
    for metric in ("throughput", "cost_per_1k", "mean"):
        assert "late by 55 ms" in generator_fault(measurement, metric)
        assert moved_by_lateness(measurement, metric) is None


def test_a_tail_that_one_unit_has_by_nature_hides_no_lateness_of_the_others():
    units = []
    for index in range(24):
        services, late = np.full(1000, 0.003), np.zeros(1000)
        if index == 0:
            services[::2] = 0.02
        else:
            late[7::50] = 0.002
        units.append(apart(services, late, index=index))
    measurement = a_load(units, load=Load(rate=20.0, connections=8))
    # Of all samples p99 is that of the one; what is compared is each unit's own.
    assert "of p99" in generator_fault(measurement, "p99")
    assert moved_by_lateness(measurement, "p99").less == pytest.approx(0.4)


def test_over_rests_on_what_the_lower_bound_would_have_been_in_time():
    units = []
    for index in range(6):
        places = np.random.default_rng([11, index]).permutation(200)
        services, late = np.full(200, 0.005), np.zeros(200)
        services[places[:23]] = 0.03
        late[places[23:35]] = 0.02
        units.append(apart(services, late, index=index))
    measurement = a_load(units, load=Load(rate=10.0, connections=8))
    # The estimate is 30 ms with and without lateness; what bounds it from below is lateness.
    decision = decide_slo(measurement, "p90", limit=0.015, alpha=0.01)
    assert decision.interval.lower > 0.015
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert "in time p90 may have kept the limit" in decision.reason


def test_a_period_after_one_with_a_late_request_may_have_been_reached_by_it():
    late = [0.01, 0.0, 0.0, 0.0]
    unit = unit_of(
        [0.03, 0.02, 0.02, 0.02] * 50,
        services=[0.02] * 200,
        lateness=late * 50,
        busy_periods=tuple(place for place in range(200) if place % 4 != 1),
    )
    (bounds,) = in_time(a_load([unit], load=Load(rate=1.0, connections=4)))
    assert bounds.most[2] == pytest.approx(0.02 + 0.02 + (0.01 + 0.03))
    assert (bounds.least[3], bounds.most[3]) == (0.02, 0.02)


def test_a_percentile_before_an_answer_that_never_came_is_a_number():
    assert percentile([1.0] * 100 + [math.inf], 0.99) == 1.0


def test_shares_that_are_none_are_refused():
    for wrong in ({"less": 1.5}, {"less": -0.1}, {"more": math.nan}):
        with pytest.raises(ValueError, match="less must be from 0 to 1"):
            Moved(**{"figure": 1.0, "less": 0.0, "more": 0.0, **wrong})


def test_over_is_said_where_all_that_lateness_can_have_done_does_not_reach_the_limit():
    measurement, _ = an_endpoint(several, seed=19, late_share=0.05)
    assert "which with what waited behind it can be" in generator_fault(
        measurement, "p90", against=0.01
    )
    decision = decide_slo(measurement, "p90", limit=0.01, alpha=0.01)
    assert decision.verdict is BudgetVerdict.OVER
    assert "which with what waited behind it can be" in decision.despite
    # Nothing passes that lateness may have kept from being over.
    far = decide_slo(measurement, "p99", limit=1.0, alpha=0.01)
    assert far.verdict is BudgetVerdict.WITHIN
    near = decide_slo(measurement, "p99", limit=1.001 * far.interval.upper, alpha=0.01)
    assert near.verdict is BudgetVerdict.INCONCLUSIVE


def test_nothing_is_known_of_what_lateness_did_to_counts_and_to_other_series():
    measurement, _ = an_endpoint(several, seed=19, late_share=0.05)
    assert moved_by_lateness(measurement, "mean") is not None
    assert moved_by_lateness(measurement, "goodput") is None

    rng = np.random.default_rng(1)
    written = [
        written_under_load(
            ttft=(0.25 + 0.02 * rng.random(200)).tolist(), gaps=[(0.1,)] * 200, lateness=0.2
        )
        for _ in range(6)
    ]
    idle = [
        msgspec.structs.replace(
            unit, open_loop=msgspec.structs.replace(unit.open_loop, busy_periods=tuple(range(200)))
        )
        for unit in written
    ]
    streams = a_load(idle, load=Load(rate=100.0, connections=64))
    assert moved_by_lateness(streams, "mean") is not None
    for metric in ("ttft_mean", "ttft_p50"):
        assert generator_fault(streams, metric)
        assert moved_by_lateness(streams, metric) is None


def test_few_requests_that_were_very_late_move_a_mean_of_which_no_bound_is_known():
    # 9 of 1000 are sent 50 ms late; in time each takes 5 ms. The server never was idle.
    late = tuple(0.05 if place % 111 == 0 else 0.0 for place in range(999))
    unit = loaded(latencies=[0.005 + wait for wait in late])
    loop = msgspec.structs.replace(unit.open_loop, lateness_seconds=late, busy_periods=())
    measurement = a_load(
        [msgspec.structs.replace(unit, open_loop=loop)] * 6,
        load=Load(rate=100.0, connections=64),
    )

    assert "on average by 8.3 % of the mean latency" in generator_fault(measurement, "mean")
    assert generator_fault(measurement, "mean", against=1.0) == ""
    assert generator_fault(measurement, "p50") == ""


def test_what_keeps_up_with_its_rate_serves_it_in_time_too():
    unit = loaded(latencies=[0.005] * 600, lateness=3e-6)
    loop = msgspec.structs.replace(unit.open_loop, ramp_lateness_seconds=(3e-6,))
    kept_up = a_load([msgspec.structs.replace(unit, open_loop=loop)] * 6)

    moved = moved_by_lateness(kept_up, "throughput")

    assert moved is not None
    assert (moved.less, moved.more) == (0.0, 0.0)


def test_lateness_before_a_window_is_told_as_that():
    # What it left behind is in the first requests of each window.
    latencies = [0.055 - 0.005 * place for place in range(10)] + [0.005] * 90
    unit = loaded(latencies=latencies, lateness=0.0)
    loop = msgspec.structs.replace(
        unit.open_loop, ramp_lateness_seconds=(0.05,), service_seconds=(0.005,) * 100
    )
    measurement = a_load([msgspec.structs.replace(unit, open_loop=loop)] * 6)

    assert "late by up to 50 ms before a window began" in generator_fault(measurement, "mean")
