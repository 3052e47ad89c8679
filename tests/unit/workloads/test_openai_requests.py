from __future__ import annotations

import json

import pytest

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.openai_requests import Bodies, is_chat, speaks_openai

HOST = "http://127.0.0.1:8000"


def body(value, *, chat=True, **options):
    return json.loads(Bodies(chat=chat, **options).of(value))


def test_text_is_one_message_of_the_user():
    assert body("hello", model="tiny") == {
        "messages": [{"role": "user", "content": "hello"}],
        "model": "tiny",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_list_is_the_messages():
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]

    assert body(messages)["messages"] == messages


def test_a_mapping_is_the_body_and_wins_over_what_all_have():
    made = body({"messages": [], "max_tokens": 4}, parameters={"max_tokens": 64, "temperature": 0})

    assert (made["max_tokens"], made["temperature"]) == (4, 0)


def test_completions_take_text_or_tokens_as_a_prompt():
    assert body("hello", chat=False)["prompt"] == "hello"
    assert body([1, 2, 3], chat=False)["prompt"] == [1, 2, 3]


def test_without_streaming_nothing_is_asked_of_a_stream():
    made = body("hello", stream=False)

    assert made["stream"] is False
    assert "stream_options" not in made


def test_usage_is_not_asked_for_where_a_server_refuses_that():
    assert "stream_options" not in body("hello", include_usage=False)


def test_other_options_of_the_stream_are_kept():
    made = body({"messages": [], "stream_options": {"continuous_usage_stats": True}})

    assert made["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


@pytest.mark.parametrize(
    ("value", "chat", "said"),
    [
        (3, True, "no request of this endpoint"),
        ([1, 2], True, "no request of this endpoint"),
        ([], True, "no request of this endpoint"),
        ({"prompt": "hello"}, True, "no 'messages'"),
        ({"messages": []}, False, "no 'prompt'"),
        ({"messages": [], "stream": False}, True, "stream=False"),
        ({"messages": [], "n": 2}, True, "several answers"),
        ({"messages": [object()]}, True, "JSON"),
    ],
)
def test_what_cannot_be_measured_is_refused(value, chat, said):
    with pytest.raises(WorkloadError, match=said):
        Bodies(chat=chat).of(value)


@pytest.mark.parametrize(
    ("url", "options", "speaks"),
    [
        (f"{HOST}/v1/chat/completions", {}, True),
        (f"{HOST}/v1/chat/completions/?a=b", {}, True),
        (f"{HOST}/v1/completions", {}, True),
        (f"{HOST}/suggest/completions", {}, False),
        (f"{HOST}/suggest/completions", {"protocol": "openai"}, True),
        (f"{HOST}/v1/completions", {"protocol": "template"}, False),
        (f"{HOST}/v1/completions", {"answer": "choices[0].text"}, False),
        (f"{HOST}/v2/models/m/infer", {}, False),
    ],
)
def test_an_address_speaks_it_if_it_says_so_or_by_its_path(url, options, speaks):
    assert speaks_openai(url, options) is speaks


def test_the_path_says_what_is_taken():
    assert is_chat(f"{HOST}/v1/chat/completions")
    assert not is_chat(f"{HOST}/v1/completions?x=1")
    with pytest.raises(ConfigError, match="'/v1'"):
        is_chat(f"{HOST}/v1")


def test_what_is_no_address_speaks_nothing():
    assert not speaks_openai("http://[::1/v1/chat/completions", {})
