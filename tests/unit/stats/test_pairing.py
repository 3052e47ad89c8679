"""What a unit of two sides says: pairs of blocks, slices of the inputs, whole-unit metrics."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.tokens import written
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import (
    Block,
    ColdStart,
    Declaration,
    Measurement,
    Memory,
    Sensors,
    Unit,
    Warmup,
    WorkloadId,
)
from pytest_costguard.stats.pairing import paired_units


def unit(seconds, *, index=0, requests=2, peak=None, cold=None, latencies=None):
    """A unit whose blocks take these seconds a request."""
    blocks = [
        Block(wall_seconds=each * requests, cpu_seconds=0.0, requests=requests, items=requests)
        for each in seconds
    ]
    return Unit(
        index=index,
        blocks=tuple(blocks),
        latency_seconds=tuple(latencies or (each for each in seconds for _ in range(requests))),
        warmup=Warmup(requests=1, seconds=0.1, settled=True),
        sensors=Sensors(wall_seconds=1.0, cpu_seconds=1.0),
        memory=None if peak is None else Memory(peak_bytes=peak, method="test"),
        cold_start=None
        if cold is None
        else ColdStart(load_seconds=cold / 2, first_call_seconds=cold / 2),
    )


def measurement(*units, inputs=1):
    return Measurement(
        workload=WorkloadId(nodeid="t.py::t"),
        declaration=Declaration(adapter="callable", input_count=inputs, input_digest="d"),
        units=units,
    )


def change(metric, base, head, *, inputs=1):
    (found,) = paired_units(
        metric,
        base=measurement(base, inputs=inputs),
        head=measurement(head, inputs=inputs),
        inputs_per_request=1,
    )
    return math.exp(found.change)


@pytest.mark.parametrize("metric", ["mean", "p50", "throughput", "cost_per_1k"])
def test_drift_that_both_blocks_of_a_pair_share_cancels(metric):
    drift = [1.0, 1.3, 0.9, 2.0, 1.1]
    assert change(metric, unit(drift), unit([1.05 * each for each in drift])) == pytest.approx(1.05)


def test_a_disturbed_pair_among_many_moves_nothing():
    base = [1.0] * 9
    assert change("mean", unit(base), unit([1.02] * 8 + [50.0])) == pytest.approx(1.02)


def test_one_request_of_many_that_got_much_slower_shows_in_the_sum_over_all():
    (found,) = paired_units(
        "mean",
        base=measurement(unit([1.0] * 20)),
        head=measurement(unit([1.0] * 19 + [3.0])),
        inputs_per_request=1,
    )
    assert (found.change, found.total) == (0.0, None)
    assert math.exp(found.summed) == pytest.approx(22 / 20)


@pytest.mark.parametrize("metric", ["throughput", "cost_per_1k"])
@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_blocks_of_more_items_weigh_what_they_take_not_what_an_item_takes(metric, clock):
    """100 items in 100 ms beside one in 5 ms: what the large request takes is what counts."""

    def uneven(large):
        made = unit([large, 0.005] * 4, requests=1)
        blocks = tuple(
            msgspec.structs.replace(
                one, cpu_seconds=one.wall_seconds, items=100 if one.wall_seconds > 0.05 else 1
            )
            for one in made.blocks
        )
        return msgspec.structs.replace(made, blocks=blocks, clock=clock)

    (found,) = paired_units(
        metric,
        base=measurement(uneven(0.100), inputs=2),
        head=measurement(uneven(0.150), inputs=2),
        inputs_per_request=1,
    )
    assert math.exp(found.total) == pytest.approx(155 / 105)
    assert math.exp(found.summed) == pytest.approx(155 / 105)


@pytest.mark.parametrize("metric", ["p50", "p95", "peak_memory", "cold_start"])
def test_what_is_no_time_spent_has_no_sum_over_requests(metric):
    slow = unit([1.0] * 19 + [3.0], peak=110, cold=2.0, requests=20)
    pairs = {"base": measurement(slow), "head": measurement(slow)}
    (found,) = paired_units(metric, **pairs, inputs_per_request=1)
    assert found.summed is None


@pytest.mark.parametrize("metric", ["mean", "throughput", "cost_per_1k"])
@pytest.mark.parametrize("clock", ["cpu", "wall"])
def test_where_cpu_time_decides_the_sum_is_told_by_wall_time_too(metric, clock):
    """One request of twenty of head sleeps for as long as four take."""

    def slept(seconds):
        made = unit([1.0] * 19 + [1.0 + seconds], requests=1)
        blocks = tuple(msgspec.structs.replace(one, cpu_seconds=1.0) for one in made.blocks)
        return msgspec.structs.replace(made, blocks=blocks, clock=clock)

    (found,) = paired_units(
        metric,
        base=measurement(slept(0.0)),
        head=measurement(slept(4.0)),
        inputs_per_request=1,
    )
    by_wall = found.waited if clock == "cpu" else found.summed
    assert (found.change, math.exp(by_wall)) == (0.0, pytest.approx(24 / 20))
    assert (found.summed == 0.0) == (clock == "cpu")
    assert (found.waited is None) == (clock == "wall")


@pytest.mark.parametrize("metric", ["mean", "throughput", "cost_per_1k"])
def test_a_sum_over_requests_is_as_likely_above_as_below(metric):
    base, head = unit([1.0, 1.0, 5.0, 1.0]), unit([1.0, 4.0, 1.0, 1.0])
    (there,), (back,) = (
        paired_units(metric, base=measurement(a), head=measurement(b), inputs_per_request=1)
        for a, b in ((base, head), (head, base))
    )
    assert there.summed == pytest.approx(-back.summed)


def test_a_part_of_the_inputs_that_got_slower_shows_in_the_total_alone():
    # Eight inputs, two a block; one slice of four takes half of the time and got 20 % slower.
    base, head = unit([1.0, 1.0, 3.0, 1.0] * 4), unit([1.0, 1.0, 3.6, 1.0] * 4)
    (found,) = paired_units(
        "mean",
        base=measurement(base, inputs=8),
        head=measurement(head, inputs=8),
        inputs_per_request=1,
    )
    assert found.change == 0.0
    assert math.exp(found.total) == pytest.approx(6.6 / 6.0)


def test_blocks_that_serve_all_inputs_have_no_total_of_their_own():
    base, head = unit([1.0, 1.2] * 4), unit([1.1, 1.3] * 4)
    (found,) = paired_units(
        "mean",
        base=measurement(base, inputs=2),
        head=measurement(head, inputs=2),
        inputs_per_request=1,
    )
    assert found.total is None


def test_worse_is_above_zero_for_every_metric():
    slow, fast = unit([2.0] * 8), unit([1.0] * 8)
    for metric in ("mean", "p50", "throughput", "cost_per_1k"):
        assert change(metric, fast, slow) == pytest.approx(2.0), metric


def test_memory_and_cold_start_are_those_of_the_units():
    base, head = unit([1.0], peak=100, cold=2.0), unit([1.0], peak=110, cold=3.0)
    assert change("peak_memory", base, head) == pytest.approx(1.1)
    assert change("cold_start", base, head) == pytest.approx(1.5)


def test_a_tail_needs_the_samples_of_every_unit():
    few = measurement(unit([1.0] * 4))
    assert paired_units("p99", base=few, head=few, inputs_per_request=1) == ()
    many = measurement(unit([1.0] * 400, requests=2))
    assert len(paired_units("p99", base=many, head=many, inputs_per_request=1)) == 1


def test_units_are_paired_by_their_index_and_know_who_was_first():
    base = measurement(*(unit([1.0], index=index) for index in (0, 1, 2, 4)))
    head = measurement(*(unit([1.0], index=index) for index in (1, 2, 3, 4)))
    found = paired_units("mean", base=base, head=head, inputs_per_request=1)
    assert [one.first for one in found] == ["head", "base", "base"]


def test_offline_has_one_latency_a_block():
    base = unit([1.0, 2.0], requests=4, latencies=[1.0, 2.0])
    head = unit([1.1, 2.2], requests=4, latencies=[1.1, 2.2])
    assert change("mean", base, head, inputs=8) == pytest.approx(1.1)


@given(
    st.lists(st.floats(0.001, 1000), min_size=1, max_size=40),
    st.floats(0.5, 2.0),
    st.integers(1, 12),
)
def test_a_constant_factor_is_found_exactly_whatever_the_inputs(seconds, factor, inputs):
    head = [factor * each for each in seconds]
    assert change("mean", unit(seconds), unit(head), inputs=inputs) == pytest.approx(factor)


def beside(cpu_seconds):
    """A unit of requests that ran at the same time as the other side's, and took twice as long."""
    alone = unit([0.5])
    blocks = [
        Block(wall_seconds=2 * each + 1e-9, cpu_seconds=each, requests=1, items=4)
        for each in cpu_seconds
    ]
    return msgspec.structs.replace(alone, clock="cpu", together=tuple(blocks))


@pytest.mark.parametrize("metric", ["mean", "throughput", "cost_per_1k"])
def test_at_the_same_time_the_cpu_time_of_the_same_request_counts(metric):
    found = change(metric, beside([0.1, 0.2, 0.3]), beside([0.11, 0.22, 0.33]), inputs=3)
    assert found == pytest.approx(1.1)


@pytest.mark.parametrize(("clock", "found"), [("cpu", 1.05), ("wall", 2.0)])
def test_what_others_do_on_the_core_is_not_in_cpu_time(clock, found):
    def interrupted(seconds, wait):
        blocks = [
            Block(wall_seconds=seconds + wait, cpu_seconds=seconds, requests=2, items=2)
            for _ in range(9)
        ]
        made = unit([(seconds + wait) / 2] * 9)
        return msgspec.structs.replace(made, blocks=tuple(blocks), clock=clock)

    # A block that is longer than its turn on a busy core is interrupted, a shorter one is not.
    assert change("mean", interrupted(1.0, 0.0), interrupted(1.05, 0.95)) == pytest.approx(found)


def test_at_the_same_time_the_median_latency_is_that_of_requests_that_ran_alone():
    assert change("p50", beside([0.1]), beside([0.2])) == pytest.approx(1.0)


def test_at_the_same_time_one_slower_input_of_many_shows_in_the_total():
    base, head = beside([0.1] * 10), beside([0.1] * 9 + [0.2])
    (found,) = paired_units(
        "mean",
        base=measurement(base, inputs=10),
        head=measurement(head, inputs=10),
        inputs_per_request=1,
    )
    assert found.change == 0.0
    assert math.exp(found.total) == pytest.approx(1.1, rel=0.01)
    assert found.summed == pytest.approx(found.total)
    assert found.waited is None  # at the same time as the other side, wall time is both sides'


def test_cpu_time_below_the_clock_has_no_ratio():
    pairs = {"base": measurement(beside([0.0])), "head": measurement(beside([0.1]))}
    assert paired_units("mean", **pairs, inputs_per_request=1) == ()


@pytest.mark.parametrize(
    ("metric", "ratio"),
    [
        ("ttft_mean", 1.5),
        ("itl_p50", 2.0),
        ("tpot_mean", 2.0),
        ("output_tokens_per_second", 1.9),
        ("cost_per_1m_output_tokens", 1.9),
    ],
)
def test_tokens_are_compared_a_unit_at_a_time_and_above_one_is_worse(metric, ratio):
    base = written(ttft=[0.1] * 2, gaps=[[0.1] * 4] * 2)
    head = written(ttft=[0.15] * 2, gaps=[[0.2] * 4] * 2)

    assert change(metric, base, head) == pytest.approx(ratio)
