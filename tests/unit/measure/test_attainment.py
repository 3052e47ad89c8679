"""SLOs whose limits look at different things, with known answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.tokens import MS, streamed, tokens

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.attainment import (
    beyond,
    give_up,
    require_told,
    sent_late,
    within_slo,
)
from pytest_costguard.measure.open_loop import Sent
from pytest_costguard.measure.rate_search import Allowance, allowances, window_requests
from pytest_costguard.records import Load

ANSWERS = (
    streamed([10, 20, 30]),
    streamed([90, 100, 110]),
    streamed([10, 50, 90]),
    streamed([10, 11, 12], output=41),
)
"""The second is late with its first token, the third slow between, the fourth has many tokens."""


def sent(*, failed=()):
    places = range(len(ANSWERS))
    lost = frozenset(failed)
    return Sent(
        due_ns=tuple(MS for _ in places),
        sent_ns=tuple(MS for _ in places),
        began_ns=tuple(6 * MS for _ in places),
        ended_ns=tuple(0 if place in lost else 200 * MS for place in places),
        failures=dict.fromkeys(failed, "full"),
        batch_sizes={},
        cache_hits=0,
        gave_up=False,
        streamed={place: ANSWERS[place] for place in places if place not in lost},
    )


@pytest.mark.parametrize(
    ("limit", "count", "samples"),
    [
        (Allowance(seconds=0.3, quantile=0.5), 0, 4),
        (Allowance(seconds=0.1, quantile=0.5), 4, 4),
        (Allowance(seconds=0.016, quantile=0.5, series="ttft"), 1, 4),
        (Allowance(seconds=0.014, quantile=0.5, series="ttft"), 4, 4),
        (Allowance(seconds=0.02, quantile=0.5, series="tpot"), 1, 4),
        (Allowance(seconds=0.02, quantile=0.5, series="itl"), 2, 8),
        (Allowance(seconds=0.005, quantile=0.5, series="itl"), 6, 8),
    ],
)
def test_what_is_beyond_each_kind_of_limit(limit, count, samples):
    found = beyond(sent(), range(4), limit)

    assert (found.beyond, found.samples) == (count, samples)


def test_a_failure_is_beyond_every_limit_and_as_many_gaps_as_others_have():
    lost = sent(failed=(0,))
    ttft = beyond(lost, range(4), Allowance(seconds=0.016, quantile=0.5, series="ttft"))
    itl = beyond(lost, range(4), Allowance(seconds=0.02, quantile=0.5, series="itl"))

    assert (ttft.beyond, ttft.samples) == (2, 4)
    assert (itl.beyond, itl.samples) == (4, 8)
    assert itl.requests(4) == 2


def test_a_limit_is_kept_with_as_many_beyond_as_it_has_room_for():
    found = beyond(sent(), range(4), Allowance(seconds=0.02, quantile=0.75, series="itl"))

    assert found.keeps(Allowance(seconds=0.02, quantile=0.75, series="itl"))
    assert not found.keeps(Allowance(seconds=0.02, quantile=0.9, series="itl"))


def test_of_several_limits_that_on_the_first_token_is_clear_first():
    limits = allowances({"p99": 2.0, "ttft_p99": 0.3, "ttft_p50": 0.1, "itl_p99": 0.05})
    limit = give_up(limits, requests=1000, ramp=100)

    assert (limit.of, limit.seconds, limit.most) == ("ttft", 0.3, 30)


def test_gaps_are_looked_at_when_the_window_is_over():
    limit = give_up(allowances({"itl_p99": 0.05}), requests=1000, ramp=100)

    assert (limit.of, limit.seconds, limit.most) == ("latency", float("inf"), 30)


def late_by(milliseconds, *, failed=()):
    """All requests are answered 199 ms after they were due."""
    window = sent(failed=failed)
    return replace(window, sent_ns=tuple(due + milliseconds * MS for due in window.due_ns))


PACE = {"tpot_p99": 0.03, "itl_p99": 0.05}


@pytest.mark.parametrize(
    ("slo", "milliseconds", "late"),
    [
        ({"p99": 0.4}, 19, False),
        ({"p99": 0.4}, 21, True),
        ({"p99": 0.4, "ttft_p99": 0.1, "tpot_p99": 0.001}, 4, False),
        ({"p99": 0.4, "ttft_p99": 0.1, "tpot_p99": 0.001}, 6, True),
        (PACE, 9, False),
        (PACE, 11, True),
        ({"itl_p50": 0.001}, 9, False),
    ],
)
def test_lateness_is_held_against_limits_on_waiting_and_without_any_against_what_is_typical(
    slo, milliseconds, late
):
    assert sent_late(late_by(milliseconds), range(4), allowances(slo)) is late


def test_where_nothing_was_answered_the_generator_is_not_to_blame():
    lost = late_by(100, failed=range(4))

    assert not sent_late(lost, range(4), allowances(PACE))
    assert sent_late(lost, range(4), allowances({"p99": 0.4}))


TOLD = tokens(ttft=[0.01, 0.09, 0.01, 0.01], gaps=[[0.01, 0.01], [0.01, 0.01], [0.04, 0.04], []])
LATENCIES = [0.03, 0.11, 0.09, 0.5]


@pytest.mark.parametrize(
    ("slo", "kept"),
    [
        ({"ttft_p99": 0.05}, 3),
        ({"itl_p99": 0.02}, 3),
        ({"tpot_p99": 0.02}, 3),
        ({"p99": 0.2}, 3),
        ({"ttft_p99": 0.05, "itl_p99": 0.02}, 2),
        ({"ttft_p99": 0.05, "itl_p99": 0.02, "p99": 0.2}, 1),
        ({"ttft_p50": 0.001, "ttft_p99": 0.05}, 3),
        ({"ttft_p50": 0.001, "p99": 0.2}, 0),
    ],
)
def test_a_request_counts_where_it_keeps_its_limits_together(slo, kept):
    assert within_slo(LATENCIES, slo=slo, tokens=TOLD) == kept


def test_an_answer_of_one_token_keeps_a_limit_between_tokens():
    assert within_slo([0.5], slo={"itl_p99": 1e-6}, tokens=tokens(ttft=[0.5], gaps=[[]])) == 1


def test_what_the_answers_do_not_tell_cannot_be_limited():
    require_told({"p99": 1.0}, None)
    require_told({"ttft_p99": 1.0}, TOLD)
    with pytest.raises(WorkloadError, match=r"ttft_p99.*does not stream"):
        require_told({"p99": 1.0, "ttft_p99": 1.0}, None)
    with pytest.raises(WorkloadError, match=r"itl_p99.*second event"):
        require_told({"itl_p99": 1.0}, tokens(ttft=[0.5], gaps=[[]]))


def test_a_window_of_limits_between_tokens_lasts_as_long_as_many_requests():
    assert window_requests({"itl_p99": 0.05}, 10.0) == 160
    assert window_requests({"ttft_p99": 0.05}, 10.0) == 3 * 368


def test_a_load_is_held_by_percentiles_alone():
    assert Load(rate=1.0, slo={"itl_p99": 0.05}).slo == {"itl_p99": 0.05}
    with pytest.raises(ValueError, match="ttft_mean"):
        Load(rate=1.0, slo={"ttft_mean": 0.05})
