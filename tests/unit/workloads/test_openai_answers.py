from __future__ import annotations

import json

import pytest

from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.openai_answers import AnswerReader
from pytest_costguard.workloads.server_sent_events import ServerSentEvent

MS = 1_000_000


def chat(text=None, **choice):
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}]}


def usage(output, prompt=5):
    counts = {"prompt_tokens": prompt, "completion_tokens": output}
    return {"choices": [], "usage": counts}


END = chat(finish_reason="stop")
ROLE = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
DONE = "[DONE]"


def read(*said):
    """Read events that come a millisecond apart, the first a millisecond after the request."""
    reader = AnswerReader(began_ns=0)
    for place, one in enumerate(said):
        data = one if isinstance(one, str) else json.dumps(one)
        reader.take(ServerSentEvent(data.encode()), at_ns=(place + 1) * MS)
    return reader


def test_only_events_with_output_are_timed():
    answer = read(ROLE, chat("He"), chat(""), chat("llo"), END, usage(2), DONE).answer()

    assert answer.event_ns == (2 * MS, 4 * MS)
    assert answer.ttft_ns == 2 * MS
    assert answer.gaps_ns == [2 * MS]
    assert answer.output == "Hello"


def test_the_servers_count_is_taken_where_there_is_one():
    answer = read(chat("a"), chat("bc"), END, usage(3), DONE).answer()

    assert (answer.output_tokens, answer.input_tokens, answer.counted_by) == (3, 5, "usage")
    assert answer.tpot_ns == MS / 2


def test_the_last_of_several_counts_is_taken():
    first = {**chat("a"), "usage": {"prompt_tokens": 5, "completion_tokens": 1}}

    assert read(first, chat("b"), END, usage(2), DONE).answer().output_tokens == 2


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"usage": None},
        {"usage": {"completion_tokens": 0}},
        {"usage": {"completion_tokens": 10**30, "prompt_tokens": 10**30}},
    ],
)
def test_without_a_count_the_events_with_output_are(told):
    answer = read(chat("a"), chat("b"), {**END, **told}, DONE).answer()

    assert (answer.output_tokens, answer.input_tokens, answer.counted_by) == (2, None, "events")


def test_completions_say_text():
    text = [{"choices": [{"text": piece, "finish_reason": None}]} for piece in ("a", "b", "")]
    answer = read(*text, DONE).answer()

    assert (answer.output, len(answer.event_ns)) == ("ab", 2)


def test_reasoning_and_tools_are_output():
    answer = read(
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"reasoning": "m"}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "add"}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "x"}]}}]},
        chat(finish_reason="tool_calls"),
        DONE,
    ).answer()

    assert len(answer.event_ns) == 4
    assert answer.output == ""
    assert answer.output.reasoning == "hmm"
    assert answer.output.tool_calls == ({"name": "add", "arguments": "{}"},)
    assert answer.output.finish_reason == "tool_calls"


@pytest.mark.parametrize("end", [(END,), (DONE,), (END, DONE)])
def test_either_end_is_an_end(end):
    assert read(chat("a"), *end).answer().output == "a"


def test_half_an_answer_is_none():
    with pytest.raises(NoAnswer, match="broke off"):
        read(chat("a"), chat("b")).answer()


def test_an_answer_without_output_has_no_first_token():
    with pytest.raises(NoAnswer, match="no output at all"):
        read(ROLE, END, usage(0), DONE).answer()


def test_an_error_within_a_stream_is_the_requests_failure():
    with pytest.raises(NoAnswer, match="out of memory"):
        read(chat("a"), {"error": {"message": "out of memory"}})


def test_an_event_that_is_called_an_error_is_one():
    reader = AnswerReader(began_ns=0)
    with pytest.raises(NoAnswer, match="too long"):
        reader.take(ServerSentEvent(b'{"message": "too long"}', "error"), at_ns=1)


@pytest.mark.parametrize(
    ("data", "said"), [("{", "no JSON"), ("[1]", "no object"), ("\udcff", "no JSON")]
)
def test_what_is_no_event_of_this_protocol_is_refused(data, said):
    reader = AnswerReader(began_ns=0)
    with pytest.raises(NoAnswer, match=said):
        reader.take(ServerSentEvent(data.encode(errors="surrogateescape")), at_ns=1)


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 3, "tool_calls": [{"index": [], "function": {}}]}}]},
        {"choices": {}, "usage": 7},
    ],
)
def test_odd_events_hold_no_output(odd):
    assert len(read(odd, chat("a"), END).answer().event_ns) == 1


def test_a_whole_answer_tells_its_tokens_and_no_times():
    reader = AnswerReader(began_ns=0)
    said = {
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    reader.take_whole(json.dumps(said).encode())
    answer = reader.answer()

    assert (answer.output, answer.output_tokens, answer.input_tokens) == ("Hello", 2, 3)
    assert (answer.ttft_ns, answer.gaps_ns, answer.tpot_ns) == (None, [], None)


def test_a_whole_answer_without_a_count_has_no_tokens():
    reader = AnswerReader(began_ns=0)
    reader.take_whole(b'{"choices": [{"message": {"content": "Hello"}}]}')

    assert reader.answer().output_tokens is None
