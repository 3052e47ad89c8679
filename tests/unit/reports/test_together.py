"""What a reader is told of workloads that were measured together, and only there."""

from __future__ import annotations

from factories.judged import judged
from factories.judging import run
from factories.mixtures import alone, together

from pytest_costguard.reports import markdown, terminal
from pytest_costguard.reports.together import together_told
from pytest_costguard.reports.view import view_of

ROUND = (0, 0, 1, 0)
SLO = {"p99": 0.05}
LABEL = "test_two [together]"


def report(*measurements):
    return judged(run(*measurements))


def parts(**fields):
    spread = [1.0, 1.05, 0.95, 1.02, 0.98, 1.0]
    return [
        alone("reranker", lambda k: [0.01 * spread[k]] * 300, **fields),
        alone("embedder", lambda _: [0.004] * 100, **fields),
    ]


def mixed(**fields):
    return together(lambda _: [0.018, 0.018, 0.006, 0.018] * 100, ROUND * 100, **fields)


def told(*measurements):
    return view_of(report(*measurements)).together


def test_the_change_of_a_percentile_is_told_with_its_interval_and_its_value():
    (reranker, *_) = told(*parts(), mixed())
    assert reranker.startswith(f"{LABEL}: beside the others reranker's p50 is 1.80 times as long (")
    assert ", its p99 is 1.80 times (1.7" in reranker
    assert "; 18.0 ms)" in reranker


def test_serving_and_waiting_are_told_apart():
    (reranker, *_) = told(*parts(), mixed())
    assert "; serving itself takes 1.80 times (" in reranker
    assert reranker.endswith(", the rest is waiting")


def test_one_unit_has_no_interval_and_says_so():
    (reranker, *_) = told(*parts(units=1), mixed(units=1))
    assert "1.80 times as long (one unit, no interval; 18.0 ms)" in reranker


def test_capacity_and_memory_are_told_against_the_parts_alone():
    found = told(
        *parts(slo=SLO, rate=80.0, mebibytes=300), mixed(slo=SLO, rate=60.0, mebibytes=400)
    )
    assert (
        f"{LABEL}: together they take 60.0 requests a second under the SLO, where each alone lets"
        " expect 80.0: 0.750 times (0.750 to 0.750) as many" in found
    )
    assert f"{LABEL}: peak memory is 400 MiB together, 600 MiB in processes of their own" in found


def test_what_cannot_be_compared_says_why_once():
    found = told(parts()[0], mixed())
    why = f"{LABEL}: what the others do to embedder is not known: it was not measured alone"
    assert [one for one in found if "not known" in one] == [why]
    assert f"{LABEL}: beside the others embedder has p50 6.00 ms and p99 6.00 ms" in found


def test_a_reason_of_several_parts_is_told_once():
    (why,) = [one for one in told(mixed()) if "not known" in one]
    assert "reranker and embedder" in why


def test_failures_are_told_of_the_part_that_had_them():
    lost = tuple(range(2, 400, 4))
    found = told(*parts(), together(lambda _: [0.018] * 300, ROUND * 100, unanswered=lost))
    assert any("100 % of 600 requests of embedder had no answer" in one for one in found)


def test_terminal_and_comment_hold_the_sentences():
    whole = report(*parts(), mixed())
    assert "beside the others reranker's p50" in terminal.render(whole, width=200)
    comment = markdown.render(whole)
    assert "Measured together" in comment
    assert "beside the others" in comment


def test_a_report_without_a_mixture_says_nothing_of_it():
    whole = report(*parts())
    assert together_told(whole, {}) == ()
    assert "Measured together" not in markdown.render(whole)
    assert "beside" not in terminal.render(whole, width=200)
