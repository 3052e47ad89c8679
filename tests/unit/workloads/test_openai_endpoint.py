"""Against a real server of a tiny language model, in a process of its own."""

from __future__ import annotations

import threading

import pytest
from contracts.workload import WorkloadContract
from fakes.language_server import OPEN_SECONDS, SLOW_SECONDS, language_server

from pytest_costguard.app.adapters import adapter_for
from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Load, Scenario
from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.openai_endpoint import OpenAiEndpoint

PROMPT = {"messages": [{"role": "user", "content": "Tell me more."}], "max_tokens": 12}


@pytest.fixture(scope="module")
def server():
    with language_server() as origin:
        yield origin


def chat(server, **options):
    return OpenAiEndpoint(f"{server}/v1/chat/completions", options={"model": "tiny", **options})


def asked(workload, value=PROMPT):
    return workload.function()(value)


class TestOpenAiEndpoint(WorkloadContract):
    @pytest.fixture(autouse=True)
    def _server(self, server):
        self.server = server

    def make(self):
        return chat(self.server)

    def an_input(self):
        return PROMPT

    def same(self, first, second):
        return first.output == second.output


def test_a_stream_tells_when_each_token_came(server):
    answer = asked(chat(server))

    assert (answer.output_tokens, answer.counted_by) == (12, "usage")
    assert answer.input_tokens == len(PROMPT["messages"][0]["content"])
    assert len(answer.event_ns) == len(answer.output) == 12
    assert list(answer.event_ns) == sorted(answer.event_ns)
    assert answer.event_ns[0] > answer.began_ns


def test_the_same_comes_as_a_whole(server):
    whole = asked(chat(server, stream=False))

    assert whole.output == asked(chat(server)).output
    assert (whole.output_tokens, whole.ttft_ns) == (12, None)


def test_completions_take_a_prompt(server):
    workload = OpenAiEndpoint(
        f"{server}/v1/completions", options={"model": "tiny", "parameters": {"max_tokens": 5}}
    )

    assert asked(workload, "Once upon a time").output_tokens == 5


@pytest.mark.parametrize("manner", ["reasons", "calls"])
def test_what_is_not_shown_is_timed_as_well(server, manner):
    answer = asked(chat(server, model=manner))

    assert len(answer.event_ns) == 12
    assert answer.output == ""


def test_an_event_may_hold_several_tokens(server):
    answer = asked(chat(server, model="pairs"))

    assert (answer.output_tokens, len(answer.event_ns)) == (12, 6)


def test_without_usage_events_are_counted(server):
    answer = asked(chat(server, model="no-usage"))

    assert (answer.output_tokens, answer.counted_by, answer.input_tokens) == (12, "events", None)


def test_usage_that_was_not_asked_for_is_not_told(server):
    assert asked(chat(server, include_usage=False)).counted_by == "events"


def test_a_slow_first_token_is_in_its_time_and_in_no_gap(server):
    answer = asked(chat(server, model="slow"))

    assert answer.ttft_ns >= SLOW_SECONDS * 1e9


def test_who_is_told_that_nothing_more_comes_does_not_wait_for_the_end(server):
    workload = chat(server, model="leaves-open")
    clock = Clock.system()
    before = clock.wall_ns()

    assert [asked(workload).output_tokens for _ in range(2)] == [12, 12]
    assert clock.wall_ns() - before < 2 * OPEN_SECONDS * 1e9


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("half", "broke off"),
        ("closes", "connection broke"),
        ("fails", "out of memory"),
        ("busy", "503.*no room"),
        ("html", "text/html.*Welcome"),
        ("never-streams", "application/json"),
    ],
)
def test_an_answer_that_is_none_is_a_failure_and_the_next_is_sent(server, manner, said):
    workload = chat(server, model=manner)
    for _ in range(2):
        with pytest.raises(NoAnswer, match=f"(?s){said}"):
            asked(workload)


def test_the_end_of_a_body_is_in_no_latency(server):
    workload = chat(server, model="leaves-open")
    clock = Clock.system()
    took = []
    for _ in range(5):
        before = clock.wall_ns()
        asked(workload)
        took.append(clock.wall_ns() - before)

    # The quickest of them: a busy machine holds up some.
    assert min(took) < OPEN_SECONDS * 1e9 / 2


def test_connections_are_used_again(server):
    workload = chat(server)
    for _ in range(20):
        asked(workload)

    # Whose body has not ended yet when the next request is sent is used by a later one.
    assert workload._exchange._pool.num_connections < 10


def test_nobody_there_is_told(server):
    workload = OpenAiEndpoint("http://127.0.0.1:9/v1/chat/completions")
    with pytest.raises(NoAnswer, match="no connection"):
        asked(workload)


def test_an_answer_that_takes_too_long_is_given_up(server):
    with pytest.raises(NoAnswer, match=r"in time|time was up"):
        asked(chat(server, model="slow", timeout=SLOW_SECONDS / 5))


def test_it_says_what_a_comparison_depends_on_and_not_where(server):
    assert chat(server).describe().details == {
        "protocol": "openai",
        "path": "/v1/chat/completions",
        "stream": "yes",
        "model": "tiny",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"modle": "tiny"},
        {"model": ""},
        {"stream": "yes"},
        {"parameters": [1]},
        {"headers": 3},
        {"timeout": 0},
    ],
)
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(ConfigError):
        OpenAiEndpoint("http://h/v1/chat/completions", options=options)


def test_the_table_of_adapters_knows_it_by_path_and_by_word(server):
    by_path = adapter_for(f"{server}/v1/completions", threads=1, options={})
    by_word = adapter_for(f"{server}/x/completions", threads=1, options={"protocol": "openai"})

    assert (by_path.kind, by_word.kind) == ("openai", "openai")


def served(workload, scenario=None):
    return Served(
        workload=workload,
        inputs=[PROMPT, {**PROMPT, "max_tokens": 6}],
        items=[1, 1],
        scenario=scenario or Scenario(),
        clock=Clock.system(),
    )


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(),
        Scenario(kind="concurrent", n=2),
        Scenario(kind="multi_stream", n=2),
        Scenario(kind="offline"),
    ],
)
def test_a_block_of_a_closed_loop_tells_its_tokens(server, scenario):
    workload = served(chat(server), scenario)
    block, _ = workload.block(first=0, requests=4, discard=1)
    tokens = workload.tokens(block)

    answers = 8 if scenario.kind == "multi_stream" else 4
    assert len(tokens.ttft_seconds) == len(tokens.output_tokens) == answers
    assert sum(tokens.output_tokens) == answers // 2 * 18
    assert sum(tokens.gaps) == len(tokens.gap_seconds) == answers // 2 * 16
    assert tokens.counted_by == "usage"


def test_the_outputs_are_texts(server):
    outputs = served(chat(server)).outputs()

    assert [len(text) for text in outputs] == [12, 6]
    assert all(isinstance(text, str) for text in outputs)


def under_load(server, *, model="tiny", **load):
    load = Load(rate=200.0, connections=4, **load)
    workload = served(chat(server, model=model), Scenario(kind="server", load=load))
    return workload.under_load().window(rate=200.0, requests=30, turn=0)


def test_under_load_the_first_token_is_waited_for_from_the_scheduled_arrival(server):
    window = under_load(server)

    assert len(window.tokens.ttft_seconds) == len(window.latency_seconds) == 30
    for ttft, latency, gaps in zip(
        window.tokens.ttft_seconds,
        window.latency_seconds,
        window.tokens.gaps_by_request(),
        strict=True,
    ):
        assert 0 < ttft + sum(gaps) <= latency


def test_arrivals_that_take_far_longer_than_they_may_are_not_sent(server):
    load = Load(rate=0.1, connections=4)
    workload = served(chat(server), Scenario(kind="server", load=load))
    with pytest.raises(WorkloadError, match=r"at 0.1 a second take [\d,]+ s, and 20 s are meant"):
        workload.under_load().window(rate=0.1, requests=1, turn=0, longest_seconds=20.0)


def test_failures_under_load_have_no_tokens(server):
    window = under_load(server, model="flaky")
    lost = len(window.open_loop.unanswered)

    assert 4 <= lost <= 12
    assert len(window.tokens.output_tokens) == 30 - lost


def test_goodput_counts_requests_that_keep_their_limits_together(server):
    easy = under_load(server, slo={"p99": 9.0, "ttft_p99": 9.0, "itl_p99": 9.0})
    hard = under_load(server, slo={"p99": 9.0, "ttft_p99": 9.0, "itl_p99": 1e-9})

    assert (easy.open_loop.within_slo, hard.open_loop.within_slo) == (30, 0)


def test_a_limit_on_tokens_needs_answers_that_stream(server):
    load = Load(rate=200.0, connections=4, slo={"ttft_p99": 1.0})
    workload = served(chat(server, stream=False), Scenario(kind="server", load=load))
    with pytest.raises(WorkloadError, match="does not stream"):
        workload.under_load().window(rate=200.0, requests=10, turn=0)


def test_the_highest_rate_keeps_every_limit(server):
    slo = {"ttft_p50": 1.0, "itl_p50": 0.5}  # which a busy machine keeps
    load = Load(connections=8, slo=slo)
    workload = served(chat(server), Scenario(kind="max_rate", load=load))
    seen, window = workload.under_load().search(
        start=20.0, known=False, turn=0, max_seconds=3.0, alone_seconds=0.005
    )

    assert any(probe.passed for probe in seen.probes)
    assert all(len(probe.late) == len(slo) for probe in seen.probes)
    assert len(window.tokens.ttft_seconds) == len(window.latency_seconds)


def test_threads_have_connections_of_their_own(server):
    workload = chat(server)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(asked(workload).output)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(answers)) == 1
    assert len(answers) == 4
