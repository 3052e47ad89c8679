"""An accepted regression fails nothing, is shown for what it is, and ends where it was accepted."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from factories.judged import head, judged, only, series
from factories.judging import WORKLOAD, gates, regression

from pytest_costguard.app.judging_hypotheses import decide_hypothesis
from pytest_costguard.app.reporting import remake
from pytest_costguard.config.acceptances import AcceptedChange, accepted_rule
from pytest_costguard.records import FailOn, Verdict
from pytest_costguard.reports import markdown
from pytest_costguard.stats.paired import USUAL_LOOKS, PairedUnit

TODAY = dt.date(2026, 3, 1)


def accepted(up_to):
    entry = AcceptedChange(
        nodeid="x",
        metric="mean",
        up_to=up_to,
        reason="beam search",
        by="Jo",
        until=dt.date(2026, 6, 1),
        origin="accepted.yaml",
    )
    return gates(accepted_rule(regression(), nodeid="x", accepted=[entry], today=TODAY))


def judged_at(latency, up_to, **how):
    return judged(head(latency), series(0.001), gates=accepted(up_to), **how)


def test_a_regression_within_what_was_accepted_fails_nothing_and_is_no_unchanged():
    report = judged_at(0.0011, 0.20)
    (comparison,) = only(report).comparisons
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.accepted
    assert not report.outcome.failed
    assert report.outcome.counts == {"accepted": 1}
    assert "worse, and accepted: test_rerank mean latency +10" in report.outcome.sentence.lower()
    assert "accepted by Jo until 2026-06-01 (beam search)" in comparison.reason


def test_a_regression_beyond_it_fails_and_says_what_was_accepted():
    report = judged_at(0.0013, 0.20)
    (comparison,) = only(report).comparisons
    assert (comparison.verdict, comparison.accepted) == (Verdict.REGRESSED, False)
    assert report.outcome.failed
    assert "it is more than that" in comparison.reason


def test_what_is_unchanged_stays_unchanged():
    (comparison,) = only(judged_at(0.001, 0.20)).comparisons
    assert (comparison.verdict, comparison.accepted) == (Verdict.UNCHANGED, False)


def test_what_may_lie_above_the_rule_and_surely_lies_below_what_was_accepted_is_not_known():
    report = judged(
        head(0.00104), series(0.001, spread=0.01), gates=accepted(0.30), fail_on=tuple(FailOn)
    )
    (comparison,) = only(report).comparisons
    assert (comparison.verdict, comparison.accepted) == (Verdict.INCONCLUSIVE, False)
    assert report.outcome.failed


def test_an_acceptance_hides_no_improvement():
    (comparison,) = only(judged_at(0.00095, 0.20)).comparisons
    assert comparison.verdict is Verdict.IMPROVED


def beside(latency, up_to):
    """Head beside base in twelve units, held to what was accepted."""
    wobble = [0.002 * (-1) ** (index // 2) for index in range(12)]
    units = [
        PairedUnit(change=math.log(latency) + one, first=("base", "head")[index % 2])
        for index, one in enumerate(wobble)
    ]
    (rule,) = accepted(up_to)[str(WORKLOAD)].regressions
    return decide_hypothesis(rule, units, looks=USUAL_LOOKS, hypotheses=1, final=True).verdict


def test_side_by_side_the_rule_goes_on_until_it_knows_about_what_was_accepted():
    assert beside(1.10, 0.20) is Verdict.UNCHANGED
    assert beside(1.30, 0.20) is Verdict.REGRESSED
    assert beside(0.95, 0.20) is Verdict.IMPROVED


@pytest.mark.parametrize("latency", [0.001, 0.0011, 0.0013])
def test_decided_again_from_the_record_it_is_the_same(latency):
    report = judged_at(latency, 0.20)
    assert remake(report).verdicts[0].comparisons == report.verdicts[0].comparisons


def test_the_comment_shows_what_was_accepted_and_offers_no_second_acceptance():
    text = markdown.render(judged_at(0.0011, 0.20)).replace("\N{NO-BREAK SPACE}", " ")
    assert "≈ accepted" in text
    assert "costguard accept" not in text


def test_the_comment_says_how_to_accept_what_regressed():
    text = markdown.render(judged(head(0.0011), series(0.001), gates=gates(regression())))
    assert "costguard accept --workload" in text
    assert "--up-to 11%" in text
