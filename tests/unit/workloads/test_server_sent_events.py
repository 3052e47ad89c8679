from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.workloads.server_sent_events import EventStream, ServerSentEvent

BODY = (
    b": keep-alive\r\n\r\n"
    b'data: {"a": 1}\r\n\r\n'
    b"event: error\ndata:first\ndata: second\n\n"
    b"id: 7\nretry: 3\n\n"
    b"data: \xc3\xa9t\xc3\xa9\r\r"
    b"data: [DONE]\n\n"
)
EVENTS = [
    ServerSentEvent(b'{"a": 1}'),
    ServerSentEvent(b"first\nsecond", "error"),
    ServerSentEvent(b"\xc3\xa9t\xc3\xa9"),
    ServerSentEvent(b"[DONE]"),
]


def events_of(*pieces):
    stream = EventStream()
    return [event for piece in pieces for event in stream.feed(piece)]


def test_comments_and_fields_of_no_meaning_are_passed_over():
    assert events_of(BODY) == EVENTS


@given(st.lists(st.integers(0, len(BODY)), max_size=30))
def test_where_the_body_is_cut_changes_nothing(cuts):
    edges = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[a:b] for a, b in itertools.pairwise(edges)]

    assert events_of(*pieces) == EVENTS


def test_byte_by_byte_an_event_is_there_with_its_blank_line():
    stream = EventStream()
    found = [stream.feed(bytes([one])) for one in b"data: x\r\n\r\n"]

    assert [len(events) for events in found] == [0] * 9 + [1, 0]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_with_any_of_three_ends(end):
    assert events_of(b"data: x" + end + end + b"data: y" + end + end) == [
        ServerSentEvent(b"x"),
        ServerSentEvent(b"y"),
    ]


def test_only_one_space_after_the_colon_is_not_part_of_the_data():
    assert events_of(b"data:  x\n\n") == [ServerSentEvent(b" x")]


def test_a_byte_order_mark_is_no_part_of_the_first_field():
    assert events_of(b"\xef\xbb\xbfdata: x\n\n") == [ServerSentEvent(b"x")]


def test_a_name_is_that_of_its_own_event_alone():
    assert [event.name for event in events_of(b"event: error\n\ndata: x\n\n")] == [""]


@pytest.mark.parametrize("body", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r"])
def test_what_lacks_its_blank_line_is_the_rest(body):
    stream = EventStream()

    assert stream.feed(body) == []
    assert stream.rest() == ServerSentEvent(b"[DONE]")
    assert stream.rest() is None


def test_nothing_is_left_of_a_body_that_ended_well():
    stream = EventStream()
    stream.feed(BODY)

    assert stream.rest() is None
