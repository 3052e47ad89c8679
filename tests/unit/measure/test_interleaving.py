"""The requests of several parts go by their shares, evenly spread, and every input is sent."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from pytest_costguard.measure.interleaving import MOST_REQUESTS, TooLong, interleaved, weights_of

ONE, THREE = Fraction(1), Fraction(3)


def order(shares, inputs):
    return [turn.part for turn in interleaved(shares, inputs)]


def test_three_to_one_is_spread_evenly_in_each_round():
    assert order([THREE, ONE], [3, 1]) == [0, 0, 1, 0]


def test_equal_shares_alternate():
    assert order([ONE, ONE], [2, 2]) == [0, 1, 0, 1]


def test_five_one_one_is_the_order_that_the_field_knows():
    # nginx's own example of smooth weighted round robin: a a b a c a a.
    assert order([Fraction(5), ONE, ONE], [5, 1, 1]) == [0, 0, 1, 0, 2, 0, 0]


def test_every_input_is_sent_equally_often():
    turns = interleaved([THREE, ONE], [4, 3])
    counts = Counter((turn.part, turn.input) for turn in turns)
    assert set(counts) == {(0, k) for k in range(4)} | {(1, k) for k in range(3)}
    for part in (0, 1):
        assert len({n for (of, _), n in counts.items() if of == part}) == 1
    assert sum(turn.part == 0 for turn in turns) == 3 * sum(turn.part == 1 for turn in turns)


def test_each_part_sends_its_inputs_in_their_order():
    turns = interleaved([THREE, ONE], [4, 3])
    sent = [turn.input for turn in turns if turn.part == 0]
    assert sent == [k % 4 for k in range(len(sent))]


def test_where_equally_often_would_be_too_long_each_is_sent_once_at_least():
    turns = interleaved([ONE, ONE], [9973, 9967])
    counts = Counter((turn.part, turn.input) for turn in turns)
    assert len(turns) <= MOST_REQUESTS
    assert len(counts) == 9973 + 9967
    for part in (0, 1):
        of_part = [n for (of, _), n in counts.items() if of == part]
        assert max(of_part) - min(of_part) <= 1


@pytest.mark.parametrize(
    ("shares", "inputs"),
    [([Fraction(10_000), ONE], [1, 100]), ([Fraction("0.3333333"), Fraction("0.7")], [1, 1])],
)
def test_an_order_without_end_is_refused(shares, inputs):
    with pytest.raises(TooLong):
        interleaved(shares, inputs)


def test_shares_become_the_smallest_whole_numbers():
    assert weights_of([Fraction("0.75"), Fraction("0.25")]) == (3, 1)
    assert weights_of([Fraction(30), Fraction(10)]) == (3, 1)
    assert weights_of([Fraction("0.1"), Fraction("0.2"), Fraction("0.3")]) == (1, 2, 3)
