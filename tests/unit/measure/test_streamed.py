"""What answers that stream tell, with known answers."""

from __future__ import annotations

import pytest
from factories.tokens import MS, streamed
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.measure.served import Served
from pytest_costguard.measure.streamed import Kept, tokens_of, took_ns
from pytest_costguard.records import Scenario, joined_tokens


def test_times_of_one_answer():
    answer = streamed([30, 40, 60, 100], began_ms=10)

    assert answer.ttft_ns == 20 * MS
    assert answer.gaps_ns == [10 * MS, 20 * MS, 40 * MS]
    assert answer.tpot_ns == pytest.approx(70 / 3 * MS)


def test_time_per_token_counts_tokens_and_not_events():
    assert streamed([10, 20, 30], output=11).tpot_ns == 2 * MS


@pytest.mark.parametrize(
    ("events", "output"), [([], 5), ([10], 5), ([10, 20], 1), ([10, 20], None)]
)
def test_no_time_per_token_without_a_second_token_or_event(events, output):
    answer = streamed(events, output=output) if output else streamed(events[:1])

    assert answer.tpot_ns is None


def test_answers_become_tokens_in_their_order():
    told = tokens_of([streamed([10, 20], output=4), streamed([30, 40, 60], output=3)])

    assert told.ttft_seconds == (0.01, 0.03)
    assert told.gap_seconds == (0.01, 0.01, 0.02)
    assert told.gaps == (1, 2)
    assert told.output_tokens == (4, 3)
    assert told.input_tokens == (10, 10)
    assert told.counted_by == "usage"
    assert [*told.gaps_by_request()] == [(0.01,), (0.01, 0.02)]
    assert told.tpot_by_request() == pytest.approx([0.01 / 3, 0.03 / 2])
    assert told.tokens_per_event == 7 / 5


def test_the_wait_for_its_turn_is_in_the_time_to_the_first_token():
    told = tokens_of([streamed([10, 20])], waited_ns=[5 * MS])

    assert told.ttft_seconds == (0.015,)
    assert told.gap_seconds == (0.01,)


def test_what_not_every_answer_tells_is_not_known():
    told = tokens_of([streamed([10, 20], output=2), streamed([], output=3, prompt=None)])

    assert (told.ttft_seconds, told.gap_seconds, told.gaps) == ((), (), ())
    assert (told.output_tokens, told.input_tokens) == ((2, 3), ())
    assert told.tokens_per_event is None
    assert tokens_of([]) is None


def test_both_ways_of_counting_are_named():
    assert tokens_of([streamed([10]), streamed([10], output=1)]).counted_by == "both"


def test_stretches_are_joined():
    first, second = tokens_of([streamed([10, 20])]), tokens_of([streamed([30, 35, 40])])
    joined = joined_tokens([first, second])

    assert joined.ttft_seconds == (0.01, 0.03)
    assert joined.gaps == (1, 2)
    assert joined.counted_by == "events"
    assert joined_tokens([first, None]) is None
    assert joined_tokens([]) is None


def test_a_stretch_that_did_not_stream_leaves_no_times():
    whole = tokens_of([streamed([], output=3)])
    joined = joined_tokens([tokens_of([streamed([10, 20], output=2)]), whole])

    assert (joined.ttft_seconds, joined.gaps, joined.output_tokens) == ((), (), (2, 3))


def test_what_a_request_took_by_what_is_looked_at():
    answer = streamed([10, 20, 40])
    took = {
        series: took_ns(answer, series, latency_ns=60 * MS, waited_ns=5 * MS)
        for series in ("latency", "ttft", "tpot", "itl")
    }

    assert took == {"latency": 60 * MS, "ttft": 15 * MS, "tpot": 15 * MS, "itl": 15 * MS}
    assert took_ns(None, "ttft", latency_ns=60, waited_ns=5) is None


def test_what_was_kept_is_that_of_the_last_requests():
    kept = Kept(lambda request: streamed([request]))
    for request in (1, 2, 3):
        kept.serve(request)

    assert kept.last(2).ttft_seconds == (0.002, 0.003)
    assert kept.last(2) is None


def test_a_workload_that_does_not_stream_is_called_bare():
    workload = FakeWorkload(FakeTime())
    served = Served(
        workload=workload, inputs=[1], items=[1], scenario=Scenario(), clock=workload.time.clock()
    )
    block, _ = served.block(first=0, requests=2, discard=0)

    assert served._server.serve == workload.function()
    assert served.tokens(block) is None
