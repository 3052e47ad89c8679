from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.measure.blocks import (
    MAX_REQUESTS,
    plan_glimpse,
    plan_together,
    plan_unit,
    requests_per_block,
)
from pytest_costguard.records import Scenario
from pytest_costguard.stats.percentiles import unit_samples_needed


def inputs_covered(plan, *, inputs, taken=1):
    return {(first + k) % inputs for first, requests in plan for k in range(requests * taken)}


def test_a_block_holds_about_three_milliseconds():
    assert requests_per_block(0.0001) == 30


def test_a_slow_request_is_a_block_of_its_own():
    assert requests_per_block(0.2) == 1


def test_requests_too_fast_to_time_do_not_make_endless_blocks():
    assert requests_per_block(1e-9) == MAX_REQUESTS // 8


def test_a_unit_of_quick_requests_lasts_its_time_in_many_blocks():
    plan = plan_unit(inputs=10, seconds_per_request=1e-4, unit_seconds=0.25, max_seconds=60)
    assert sum(requests for _, requests in plan) == 2500
    assert {requests for _, requests in plan} <= {29, 30, 31}


def test_a_unit_of_slow_requests_has_eight_blocks():
    plan = plan_unit(inputs=1, seconds_per_request=0.2, unit_seconds=0.25, max_seconds=60)
    assert plan == ((0, 1),) * 8


def test_blocks_follow_each_other_through_the_inputs():
    plan = plan_unit(inputs=3, seconds_per_request=0.2, unit_seconds=0.25, max_seconds=60)
    assert [first for first, _ in plan] == [0, 1, 2] * 3


def test_a_percentile_gets_its_requests():
    plan = plan_unit(
        inputs=1, seconds_per_request=0.01, unit_seconds=0.25, max_seconds=60, min_requests=368
    )
    assert sum(requests for _, requests in plan) >= 368


def test_the_time_limit_outweighs_the_percentile():
    plan = plan_unit(
        inputs=1, seconds_per_request=1.0, unit_seconds=0.25, max_seconds=20, min_requests=368
    )
    assert sum(requests for _, requests in plan) == 20


def test_one_pass_outweighs_the_time_limit():
    plan = plan_unit(inputs=50, seconds_per_request=1.0, unit_seconds=0.25, max_seconds=20)
    assert sum(requests for _, requests in plan) == 50


def test_offline_makes_few_and_long_blocks():
    plan = plan_unit(
        inputs=1,
        scenario=Scenario(kind="offline"),
        seconds_per_request=1e-4,
        unit_seconds=0.4,
        max_seconds=60,
    )
    assert plan == ((0, 500),) * 8


@settings(max_examples=150, deadline=None)
@given(
    inputs=st.integers(1, 300),
    seconds=st.floats(1e-8, 5),
    unit_seconds=st.floats(0.01, 2),
    min_requests=st.integers(1, 500),
    scenario=st.sampled_from(
        [
            Scenario(),
            Scenario(kind="multi_stream", n=8),
            Scenario(kind="multi_stream", n=3),
            Scenario(kind="concurrent", n=4),
            Scenario(kind="offline"),
        ]
    ),
)
def test_every_unit_covers_the_inputs_and_keeps_its_promises(
    inputs, seconds, unit_seconds, min_requests, scenario
):
    plan = plan_unit(
        inputs=inputs,
        scenario=scenario,
        seconds_per_request=seconds,
        unit_seconds=unit_seconds,
        max_seconds=1e9,
        min_requests=min_requests,
    )
    taken = scenario.n if scenario.kind == "multi_stream" else 1
    callers = scenario.n if scenario.kind == "concurrent" else 1
    sizes = [requests for _, requests in plan]
    assert len(plan) >= 8
    assert inputs_covered(plan, inputs=inputs, taken=taken) == set(range(inputs))
    assert sum(sizes) >= min_requests
    assert sum(sizes) * seconds >= unit_seconds or sum(sizes) >= MAX_REQUESTS
    assert max(sizes) - min(sizes) <= callers
    assert all(size % callers == 0 for size in sizes)


def glimpse(*, inputs, seconds, turn=0):
    return plan_glimpse(inputs=inputs, seconds_per_request=seconds, unit_seconds=0.25, turn=turn)


def test_a_glimpse_of_slow_requests_is_two_of_them():
    assert glimpse(inputs=10, seconds=0.5) == ((0, 1), (5, 1))


def test_units_that_glimpse_see_every_input_together():
    seen = [
        inputs_covered(glimpse(inputs=10, seconds=0.1, turn=turn), inputs=10) for turn in range(10)
    ]
    assert set().union(*seen) == set(range(10))


def test_a_glimpse_goes_through_whole_passes_where_there_is_time_for_one():
    assert [first for first, _ in glimpse(inputs=2, seconds=0.1, turn=3)] == [0, 1, 0, 1]


def test_a_glimpse_of_quick_requests_is_as_many_as_a_95th_percentile_needs():
    assert len(glimpse(inputs=8, seconds=0.003)) == 24
    assert len(glimpse(inputs=1, seconds=0.01)) == unit_samples_needed(0.95)


@pytest.mark.parametrize(
    ("inputs", "seconds", "requests"),
    [(1, 0.004, 63), (1, 0.1, 8), (1, 0.2, 4), (1, 2.0, 3), (30, 0.2, 30)],
)
def test_at_the_same_time_requests_are_enough_and_no_more_than_people_wait_for(
    inputs, seconds, requests
):
    found = plan_together(inputs=inputs, seconds_per_request=seconds, unit_seconds=0.25)
    assert found == requests
