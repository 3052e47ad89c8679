"""A language model behind an address, from the test function to the report."""

from __future__ import annotations

import json

import pytest
from fakes.language_server import language_server

PROMPTS = """
    PROMPTS = [
        {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 12},
        "Go on.",
    ]
"""


@pytest.fixture(scope="module")
def server():
    with language_server() as origin:
        yield origin


def measured(project, *options):
    result = project.measure("--costguard-price=0.36", *options)
    return result, project.report


def test_tokens_are_measured_priced_and_held_to_limits(project, server):
    project.write("prompts.py", PROMPTS)
    project.tests(f"""
        import pytest
        from prompts import PROMPTS

        @pytest.mark.costguard(
            slo={{"ttft_mean": "30s"}},
            budget={{"cost_per_1m_output_tokens": "$1000", "output_tokens_per_second": 0.1}},
        )
        def test_chat(costguard):
            result = costguard.measure(
                "{server}/v1/chat/completions", protocol="openai", model="tiny", inputs=PROMPTS,
                quality=lambda texts: min(map(len, texts)),
            )
            assert result.quality == 8
            if result.measured:
                assert 0 < result.ttft.mean < result.latency.mean
                assert 0 < result.itl.mean
                assert result.tokens_per_second > 0
                assert result.cost_per_1m_output_tokens > result.cost_per_1m_total_tokens
    """)
    result, report = measured(project)

    result.assert_outcomes(passed=1)
    (verdict,) = report["verdicts"]
    judged = {one["budget"]["metric"]: one["verdict"] for one in verdict["budgets"]}
    assert judged.keys() == {
        "ttft_mean",
        "cost_per_1m_output_tokens",
        "output_tokens_per_second",
    }
    # Two units that neighbours disturb bound little; what is measured is never judged otherwise.
    assert set(judged.values()) <= {"within", "inconclusive"}
    for unit in report["run"]["measurements"][0]["units"]:
        tokens = unit["tokens"]
        assert len(tokens["ttft_seconds"]) == len(unit["latency_seconds"])
        assert set(tokens["output_tokens"]) == {8, 12}
    result.stdout.fnmatch_lines(["*TTFT*output*"])


def test_a_slow_first_token_is_seen_under_load(project, server):
    project.tests(f"""
        import pytest

        @pytest.mark.costguard(slo={{"ttft_p50": "10ms", "itl_p50": "20s"}})
        def test_chat(costguard):
            costguard.measure(
                "{server}/v1/chat/completions", model="slow", inputs=["Go on."],
                scenario="server", rate=100, slo={{"ttft_p99": "10ms", "itl_p99": "20s"}},
            )
    """)
    _, report = measured(project)

    (verdict,) = report["verdicts"]
    judged = {one["budget"]["metric"]: one["verdict"] for one in verdict["budgets"]}
    # On a busy machine the load may not count; it is never judged the other way.
    assert judged["ttft_p50"] in ("over", "inconclusive")
    assert judged["itl_p50"] in ("within", "inconclusive")
    assert verdict["figures"]["goodput"]["estimate"] == 0
    units = report["run"]["measurements"][0]["units"]
    if any(unit["open_loop"].get("unanswered") for unit in units):
        assert "ttft_mean" not in verdict["figures"]
    else:
        assert verdict["figures"]["ttft_mean"]["estimate"] > 0.05


def test_without_the_flag_the_answers_are_texts(project, server):
    project.tests(f"""
        def test_chat(costguard):
            result = costguard.measure(
                "{server}/v1/completions", model="tiny", inputs=["Once upon a time"],
                parameters={{"max_tokens": 5}}, quality=lambda texts: len(texts[0]),
            )
            assert result.quality == 5
    """)
    project.run().assert_outcomes(passed=1)


def test_half_an_answer_is_an_error_and_says_what_was_missing(project, server):
    project.tests(f"""
        def test_chat(costguard):
            costguard.measure(
                "{server}/v1/chat/completions", model="half", inputs=["Go on."]
            )
    """)
    result, report = measured(project)

    result.assert_outcomes(failed=1)
    (failure,) = report["run"]["failures"]
    assert "broke off" in failure["reason"]
    assert json.dumps(report)
