from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.open_loop import Sent
from pytest_costguard.measure.windows import (
    joined,
    plan_window,
    ramp_of,
    told,
    within_slo,
)
from pytest_costguard.records import BACKLOG_MOMENTS, Load

MS = 1_000_000


def what_became(*, latency_ms, failed=(), late_ms=0.0, every_ms=10):
    count = len(latency_ms)
    due = [every_ms * MS * (place + 1) for place in range(count)]
    return Sent(
        due_ns=tuple(due),
        sent_ns=tuple(round(at + late_ms * MS) for at in due),
        began_ns=tuple(round(at + late_ms * MS) for at in due),
        ended_ns=tuple(
            0 if place in failed else round(at + latency * MS)
            for place, (at, latency) in enumerate(zip(due, latency_ms, strict=True))
        ),
        failures=dict.fromkeys(failed, "full"),
        batch_sizes={},
        cache_hits=0,
        gave_up=False,
    )


def window_of(sent, *, ramp=0, slo=None, items=None, rate=100.0):
    return told(
        sent,
        ramp=ramp,
        rate=rate,
        load=Load(rate=rate, slo=slo or {}),
        items=items or [1] * len(sent.due_ns),
        cpu_seconds=0.5,
    )


def test_latency_runs_from_the_scheduled_arrival_and_service_from_its_begin():
    window = window_of(what_became(latency_ms=[5, 5], late_ms=2))

    assert window.latency_seconds == pytest.approx((0.005, 0.005))
    assert window.open_loop.service_seconds == pytest.approx((0.003, 0.003))
    assert window.open_loop.lateness_seconds == pytest.approx((0.002, 0.002))


def test_the_ramp_is_not_counted():
    window = window_of(what_became(latency_ms=[99, 99, 5, 5]), ramp=2)

    assert window.latency_seconds == pytest.approx((0.005, 0.005))
    assert window.block.requests == 2
    assert window.block.wall_seconds == pytest.approx(0.02)  # two at 100 a second


@pytest.mark.parametrize("every_ms", [0, 10, 5000])
def test_so_many_requests_last_as_long_as_their_rate_says_however_they_fell(every_ms):
    # A window of a trace may hold a burst, or a gap; few requests have fewer gaps between them.
    window = window_of(what_became(latency_ms=[4], every_ms=every_ms), rate=0.5)
    assert window.block.wall_seconds == pytest.approx(2.0)
    assert window.open_loop.answered_seconds == window.block.wall_seconds


@pytest.mark.parametrize("latency_ms", [1, 100, 600, 3000])
@pytest.mark.parametrize("requests", [100, 400])
def test_a_server_that_keeps_up_serves_the_rate_however_long_each_takes(latency_ms, requests):
    ramp = ramp_of(requests)
    window = window_of(what_became(latency_ms=[latency_ms] * (requests + ramp)), ramp=ramp)

    assert requests / window.block.wall_seconds == pytest.approx(100.0)
    # Those that are under way when the server has been filled are all that ever are.
    filled = latency_ms - 10 * ramp <= 10 * requests / 2
    assert (window.open_loop.backlog_arrived[0] > 0) is filled
    assert not filled or len(set(window.open_loop.backlog)) <= 2


@pytest.mark.parametrize("requests", [100, 400])
def test_a_server_that_is_far_too_slow_serves_what_it_can(requests):
    # One after another, 25 ms each, at 100 a second: the server takes 40.
    ramp = ramp_of(requests)
    late = [25 + 15 * place for place in range(requests + ramp)]
    window = window_of(what_became(latency_ms=late), ramp=ramp)

    assert requests / window.block.wall_seconds == pytest.approx(40.0, rel=0.03)


def test_a_server_that_does_not_keep_up_serves_less():
    # Every tenth is left over: 90 of 100 a second.
    late = [5 + place * 10 / 9 for place in range(440)]
    window = window_of(what_became(latency_ms=late), ramp=40)

    assert 400 / window.block.wall_seconds == pytest.approx(90.0, rel=0.03)


def test_of_a_server_that_answers_all_at_the_end_nothing_is_known():
    window = window_of(what_became(latency_ms=[9000 - 10 * place for place in range(120)]), ramp=20)

    assert window.open_loop.backlog_arrived == (0,)


def test_requests_without_an_answer_keep_their_place_and_their_reason():
    window = window_of(what_became(latency_ms=[5, 5, 5, 5], failed=(0, 3)), ramp=1)

    assert window.open_loop.unanswered == (2,)
    assert window.open_loop.failures == {"full": 1}
    assert window.open_loop.error_rate == pytest.approx(1 / 3)
    assert window.block.requests == 2


def test_reasons_that_differ_from_request_to_request_fill_no_record():
    sent = what_became(latency_ms=[5] * 40, failed=tuple(range(30)))
    each = replace(sent, failures={place: f"request {place}" for place in range(30)})

    failures = window_of(each).open_loop.failures

    assert len(failures) == 11
    assert failures["other reasons"] == 20


def test_a_busy_period_begins_with_a_request_that_is_due_when_all_before_have_ended():
    # Due every 10 ms: the third finds the second under way, the fourth nothing.
    found = window_of(what_became(latency_ms=[5, 15, 8, 5])).open_loop
    assert found.busy_periods == (0, 1, 3)
    # Of the ramp only what it leaves under way is told.
    ramped = window_of(what_became(latency_ms=[5, 15, 8, 5]), ramp=2).open_loop
    assert ramped.busy_periods == (1,)


def test_one_that_failed_may_be_under_way_until_nobody_waits_for_it_any_more():
    sent = what_became(latency_ms=[5, 5, 5, 5, 5], failed=(1,))
    load = Load(rate=100.0, timeout_seconds=0.01)
    found = told(sent, ramp=0, rate=100.0, load=load, items=[1] * 5, cpu_seconds=0.5).open_loop
    assert found.busy_periods == (0, 1, 3, 4)


def test_items_are_those_of_what_was_answered():
    window = window_of(what_became(latency_ms=[5, 5, 5], failed=(1,)), items=[1, 20, 300])

    assert window.block.items == 301


def test_nothing_answered_is_an_error_that_names_the_reasons():
    with pytest.raises(WorkloadError, match=r"not one of 2 requests was answered: full \(2\)"):
        window_of(what_became(latency_ms=[1, 1], failed=(0, 1)))


def test_the_rate_is_that_of_the_schedule_unless_sending_took_longer():
    punctual = window_of(what_became(latency_ms=[5] * 11, late_ms=3))
    sent = what_became(latency_ms=[5] * 11)
    slipping = replace(
        sent, sent_ns=tuple(due + place * MS for place, due in enumerate(sent.due_ns))
    )

    assert punctual.open_loop.dispatched_rate == 100.0
    assert window_of(slipping).open_loop.dispatched_rate == pytest.approx(100 / 1.1)


def test_the_backlog_is_what_has_arrived_and_has_no_answer():
    # Each takes 35 ms and one arrives every 10 ms: three or four are under way.
    window = window_of(what_became(latency_ms=[35] * 100))

    assert len(window.open_loop.backlog) == BACKLOG_MOMENTS
    assert set(window.open_loop.backlog) <= {3, 4}


def test_a_server_that_falls_behind_has_a_backlog_that_grows():
    window = window_of(what_became(latency_ms=[10 * place for place in range(100)]))

    assert window.open_loop.backlog[-1] > window.open_loop.backlog[0] + 30


def test_without_an_slo_nothing_is_goodput():
    assert within_slo([0.1], slo={}) is None


def test_goodput_counts_what_kept_the_limit_of_the_highest_percentile():
    latencies = [0.01] * 95 + [0.04, 9.0, 9.0]

    assert within_slo(latencies, slo={"p99": 0.05, "p50": 0.02}) == 96


def test_windows_of_a_unit_are_joined_in_their_order():
    first = window_of(what_became(latency_ms=[5, 5, 5], failed=(1,))).open_loop
    second = window_of(what_became(latency_ms=[5, 5], failed=(0,))).open_loop

    both = joined([first, second])

    assert both.window_requests == (3, 2)
    assert both.unanswered == (1, 3)
    assert both.failures == {"full": 2}
    assert both.busy_periods == (0, 1, 3)
    assert len(both.backlog) == 2 * BACKLOG_MOMENTS
    assert both.answered_seconds == first.answered_seconds + second.answered_seconds


def test_a_window_holds_what_its_seconds_or_its_percentiles_need_and_no_more_than_it_may():
    assert plan_window(rate=100, seconds=5, min_requests=0, max_seconds=60) == 500
    assert plan_window(rate=100, seconds=1, min_requests=700, max_seconds=60) == 700
    assert plan_window(rate=1, seconds=1, min_requests=700, max_seconds=55) == 35
    assert plan_window(rate=1000, seconds=0.01, min_requests=0, max_seconds=60) == 100


def test_a_ramp_is_a_tenth_and_at_least_twenty_requests():
    assert (ramp_of(50), ramp_of(1000)) == (20, 100)
