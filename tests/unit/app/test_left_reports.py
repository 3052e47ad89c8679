"""Reports that other jobs have left: whose they are, and what a hostile one can do: nothing."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import msgspec
import pytest
from factories import artifacts as made
from factories.judged import head, judged, series
from factories.judging import gates, regression
from factories.money import target
from fakes.forge_server import TOKEN, github, serving

from pytest_costguard.app import left_reports as module
from pytest_costguard.app.left_reports import left_reports
from pytest_costguard.errors import RecordError
from pytest_costguard.forges.events import job
from pytest_costguard.forges.github import transport
from pytest_costguard.records import Against, Outcome, to_json

ENVIRON = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "900",
    "GITHUB_EVENT_NAME": "workflow_run",
}
RUN = {
    "id": 5,
    "run_attempt": 2,
    "event": "pull_request",
    "head_sha": "abc",
    "head_branch": "faster",
    "head_repository": {"full_name": "mallory/ranker", "owner": {"login": "mallory"}},
}


def slower():
    return judged(head(0.0012), series(0.001), gates=gates(regression()))


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        state.answers["/repos/acme/ranker/pulls"] = [
            {"number": 7, "head": {"sha": "abc", "repo": {"full_name": "mallory/ranker"}}},
            {"number": 8, "head": {"sha": "another"}},
        ]
        yield state, transport(TOKEN, api=server.url, sleep=lambda _: None)


def keep(state, *reports, run=5):
    """Let GitHub have these artifacts of a run."""
    entries = []
    for number, (name, data) in enumerate(reports, 1):
        entries.append(made.listed(number, name, data))
        state.answers[f"/repos/acme/ranker/actions/artifacts/{number}/zip"] = (200, data, {})
    state.answers[f"/repos/acme/ranker/actions/runs/{run}/artifacts"] = {"artifacts": entries}


def left(connection, *, run=RUN, environ=ENVIRON, expected=None):
    event = {"workflow_run": run, "repository": {"default_branch": "main"}}
    found = job(environ, event)
    return left_reports(found, connection=connection, name="costguard-report", expected=expected)


def packed(report):
    return made.packed({"report.json": to_json(report), "report.md": b"![x](http://evil)"})


def test_the_pull_request_and_the_run_come_from_github_and_never_from_the_artifact(forge):
    state, connection = forge
    keep(state, ("costguard-report", packed(slower())))
    found = left(connection)
    assert (found.numbers, found.run, found.attempt) == ((7,), 5, 2)
    assert found.reports[0].outcome.failed
    assert "of the fork" in found.notes[0]
    assert found.foreign


def test_a_branch_of_the_repository_itself_has_no_such_note(forge):
    state, connection = forge
    keep(state, ("costguard-report", packed(slower())))
    own = {"full_name": "acme/ranker", "owner": {"login": "acme"}}
    found = left(connection, run={**RUN, "head_repository": own})
    assert (found.notes, found.foreign) == ((), False)


def test_a_commit_that_was_superseded_belongs_to_no_pull_request(forge):
    state, connection = forge
    keep(state, ("costguard-report", packed(slower())))
    assert left(connection, run={**RUN, "head_sha": "old"}).numbers == ()


@pytest.mark.parametrize("event", ["push", "workflow_dispatch", ""])
def test_a_run_that_was_about_no_pull_request_has_none(forge, event):
    state, connection = forge
    keep(state, ("costguard-report", packed(slower())))
    assert left(connection, run={**RUN, "event": event}).numbers == ()


def test_the_legs_of_this_very_run_are_found_and_a_missing_one_is_said(forge):
    state, connection = forge
    keep(state, ("costguard-report-x86", packed(slower())), run=900)
    environ = {
        **ENVIRON,
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_REF": "refs/pull/7/merge",
    }
    found = left(connection, environ=environ, expected=2)
    assert (len(found.reports), found.run) == (1, 900)
    assert found.notes == ("1 target of 2 left no report: see the jobs' logs.",)


def test_a_verdict_that_was_edited_is_decided_again(forge):
    state, connection = forge
    fine = Outcome(failed=False, sentence="All is well @everyone.")
    edited = msgspec.structs.replace(slower(), outcome=fine, verdicts=())
    keep(state, ("costguard-report", packed(edited)))
    assert left(connection).reports[0].outcome.failed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"kind": "run"}',
        b'{"kind": "report", "schema_version": 1}',
        b'{"kind": "report", "schema_version": 99}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_report_is_refused(forge, content):
    state, connection = forge
    keep(state, ("costguard-report", made.packed({"report.json": content})))
    with pytest.raises(RecordError):
        left(connection)


def test_more_than_a_report_can_hold_is_refused_before_it_is_decided(forge, monkeypatch):
    state, connection = forge
    monkeypatch.setattr(module, "_MOST_VALUES", 3)
    keep(state, ("costguard-report", packed(slower())))
    with pytest.raises(RecordError, match="more measurements than a report can have"):
        left(connection)


def with_many_looks(report):
    looks = tuple(range(6, 106))
    against = Against(requested="main", found_as="a branch", run=report.run, looks=looks)
    return msgspec.structs.replace(report, against=against)


def with_many_limits(report):
    (name, held), *_ = report.gates.items()
    many = msgspec.structs.replace(held, regressions=held.regressions * 100)
    return msgspec.structs.replace(report, gates={name: many})


def with_a_long_price(report):
    priced = target()
    quote = msgspec.structs.replace(priced.quote, usd_per_hour=Decimal("1e-900000"))
    return msgspec.structs.replace(report, target=msgspec.structs.replace(priced, quote=quote))


@pytest.mark.parametrize(
    ("larger", "told"),
    [
        (with_many_limits, "more budgets and limits"),
        (with_a_long_price, "more digits"),
        (with_many_looks, "more looks"),
    ],
)
def test_what_would_take_minutes_is_refused_before_it_is_decided(larger, told):
    with pytest.raises(RecordError, match=told):
        module.decoded(to_json(larger(slower())), origin="artifact 1")


NASTY = (0, -1, 1e308, 5e-324, 1e-320, "", "x" * 3000, "@everyone", None, [], {}, True, 2**70)


def mutated(value, dice):
    """Return a copy of JSON with something in it changed."""
    copy = json.loads(json.dumps(value))
    places = list(_places(copy))
    for _ in range(dice.randint(1, 3)):
        holder, key = dice.choice(places)
        try:
            holder[key] = dice.choice(NASTY)
        except (IndexError, KeyError, TypeError):
            continue
    return copy


def _places(value):
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def test_a_report_that_was_tampered_with_anywhere_is_a_report_or_an_error():
    dice = random.Random(20260301)
    sound = json.loads(to_json(slower()))
    refused = 0
    for _ in range(400):
        data = json.dumps(mutated(sound, dice)).encode()
        try:
            module._validated(data, origin="artifact 1")
        except RecordError:
            refused += 1
    assert refused > 100
