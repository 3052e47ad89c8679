"""What is posted, and when: quiet where nothing changed, never what somebody else has rendered."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import head, judged, series
from factories.judging import gates, regression
from fakes.forge_server import Fault, github, serving

from pytest_costguard.app.commenting import CommentSource, post, text_of, worth
from pytest_costguard.forges import github as github_forge
from pytest_costguard.forges.sticky import Marker
from pytest_costguard.records import Outcome


def unchanged():
    return judged(head(0.001), series(0.001), gates=gates(regression()))


def slower():
    return judged(head(0.0012), series(0.001), gates=gates(regression()))


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        connection = github_forge.transport(
            "a-token-that-must-not-be-seen", api=server.url, sleep=lambda _: None
        )
        yield state, github_forge.GitHubThread(connection, repository="acme/ranker", number=7)


def posted(thread, *reports, when="auto", run=1):
    marker = Marker(key="main", run=run, attempt=1)
    source = CommentSource(reports=reports, numbers=(7,), run=run, attempt=1, notes=())
    return post(source, thread=thread, marker=marker, when=when)


@pytest.mark.parametrize(
    ("when", "of_unchanged", "of_slower", "of_first"),
    [
        ("auto", False, True, True),
        ("always", True, True, True),
        ("changes", False, True, False),
        ("failures", False, True, False),
        ("never", False, False, False),
    ],
)
def test_when_a_first_comment_is_made(when, of_unchanged, of_slower, of_first):
    assert worth(unchanged(), when) is of_unchanged
    assert worth(slower(), when) is of_slower
    assert worth(judged(head(0.001), None, gates=gates(regression())), when) is of_first


def test_quiet_first_then_loud_then_up_to_date(forge):
    state, thread = forge
    assert posted(thread, unchanged()).outcome == "quiet"
    assert posted(thread, slower(), run=2).outcome == "created"
    assert "regressed" in state.bodies()[0]
    assert posted(thread, unchanged(), run=3).outcome == "updated"
    assert "regressed" not in state.bodies()[0]


def test_a_run_without_a_report_leaves_no_old_verdict_standing(forge):
    state, thread = forge
    assert posted(thread).outcome == "quiet"
    posted(thread, slower(), run=2)
    assert posted(thread, run=3).outcome == "updated"
    assert "No verdict" in state.bodies()[0]
    assert "regressed" not in state.bodies()[0]


def test_a_strangers_report_offers_no_commands(forge):
    state, thread = forge
    source = CommentSource(
        reports=(slower(),), numbers=(7,), run=1, attempt=1, notes=(), foreign=True
    )
    post(source, thread=thread, marker=Marker(key="m", run=1, attempt=1), when="auto")
    assert "pytest --costguard" not in state.bodies()[0]
    assert "costguard accept" not in state.bodies()[0]


def test_never_is_never(forge):
    state, thread = forge
    assert posted(thread, slower(), when="never").outcome == "quiet"
    assert state.seen == []


def test_a_verdict_that_was_edited_is_decided_again(forge):
    state, thread = forge
    fine = Outcome(failed=False, sentence="All is well @everyone.")
    edited = msgspec.structs.replace(slower(), outcome=fine, verdicts=())
    assert posted(thread, edited).outcome == "created"
    assert "regressed" in state.bodies()[0]
    assert "All is well" not in state.bodies()[0]


def test_a_fork_that_may_not_comment_is_no_failure(forge):
    state, thread = forge
    state.faults.append(
        Fault(method="POST", status=403, message="Resource not accessible by integration")
    )
    done = posted(thread, slower())
    assert done.outcome == "not allowed"
    assert "Resource not accessible by integration" in done.reason


def test_legs_of_a_matrix_share_a_comment(forge):
    state, thread = forge
    posted(thread, unchanged(), slower())
    (body,) = state.bodies()
    assert "on 2 targets" in body
    assert "Target 2 of 2" in body


def test_targets_of_one_name_are_told_apart():
    text = text_of([unchanged(), unchanged()], limit=60_000)
    assert "(1)`" in text
    assert "(2)`" in text
