"""One comment a key, on GitHub and on GitLab: found, updated, merged, never another's."""

from __future__ import annotations

import io
import threading

import pytest
import requests
from fakes.forge_server import BOT, TOKEN, Fault, github, gitlab, serving

from pytest_costguard.errors import ConfigError, Forbidden, ForgeError, Uncertain
from pytest_costguard.forges import github as github_forge
from pytest_costguard.forges import gitlab as gitlab_forge
from pytest_costguard.forges.github import GitHubThread
from pytest_costguard.forges.gitlab import GitLabThread
from pytest_costguard.forges.sticky import Marker, stick


class Forge:
    """A fake forge and a way to open a pull request of it, as a job would."""

    def __init__(self, kind, server, state):
        self.kind, self.server, self.state = kind, server, state
        self.waited = []

    def thread(self):
        options = {"api": self.server.url, "sleep": self.waited.append}
        if self.kind == "github":
            connection = github_forge.transport(TOKEN, **options)
            return GitHubThread(connection, repository="acme/ranker", number=7)
        connection = gitlab_forge.transport(TOKEN, **options)
        return GitLabThread(connection, project="acme/ranker", number=7)

    def stick(self, text, *, run=10, attempt=1, key="main", sleep=lambda _: None):
        marker = Marker(key=key, run=run, attempt=attempt)
        return stick(self.thread(), text, marker, sleep=sleep).outcome

    def texts(self):
        return [body.partition("\n")[2] for body in self.state.bodies()]


@pytest.fixture(params=["github", "gitlab"])
def forge(request):
    with serving({"github": github, "gitlab": gitlab}[request.param]) as (server, state):
        yield Forge(request.param, server, state)


def test_a_first_comment_is_created_and_later_ones_update_it(forge):
    assert forge.stick("first") == "created"
    assert forge.stick("second", run=11) == "updated"
    assert forge.texts() == ["second"]


def test_the_same_text_of_the_same_run_changes_nothing(forge):
    forge.stick("same")
    assert forge.stick("same") == "unchanged"


def test_where_nothing_is_to_be_said_none_is_made_and_an_old_one_is_kept_up_to_date(forge):
    marker = Marker(key="main", run=10, attempt=1)
    quick = {"create": False, "sleep": lambda _: None}
    assert stick(forge.thread(), "text", marker, **quick) is None
    forge.stick("old", run=9)
    assert stick(forge.thread(), "text", marker, **quick).outcome == "updated"
    assert forge.texts() == ["text"]


def test_a_rerun_is_newer_than_its_first_attempt(forge):
    forge.stick("first")
    assert forge.stick("again", attempt=2) == "updated"
    assert forge.stick("late", attempt=1) == "outdated"
    assert forge.texts() == ["again"]


def test_an_older_run_does_not_overwrite_a_newer_one(forge):
    forge.stick("newer", run=12)
    assert forge.stick("older", run=11) == "outdated"
    assert forge.texts() == ["newer"]


def test_suites_with_keys_of_their_own_have_comments_of_their_own(forge):
    forge.stick("one", key="one")
    assert forge.stick("two", key="two") == "created"
    assert sorted(forge.texts()) == ["one", "two"]


def test_it_is_found_behind_a_hundred_and_thirty_foreign_comments(forge):
    for number in range(130):
        forge.state.add(f"comment {number}", author="somebody")
    forge.stick("first")
    assert forge.stick("second", run=11) == "updated"
    assert forge.texts() == ["second"]


def test_a_planted_marker_is_somebody_elses_comment(forge):
    marker = Marker(key="main", run=1, attempt=1)
    planted = forge.state.add(f"{marker}\nplanted", author="mallory")
    forge.state.add(f"quoted:\n{marker}\nmine", author=BOT)
    assert forge.stick("text") == "created"
    assert planted["body"].endswith("planted")
    assert len(forge.state.comments) == 3


def test_comments_that_two_jobs_created_become_one_with_the_newest_text(forge):
    forge.state.add(f"{Marker(key='main', run=11, attempt=1)}\nnewer", author=BOT)
    forge.state.add(f"{Marker(key='main', run=10, attempt=1)}\nolder", author=BOT)
    assert forge.stick("oldest", run=9) == "outdated"
    assert forge.texts() == ["newer"]
    assert [one["id"] for one in forge.state.comments] == [1]


def test_another_job_that_creates_one_at_the_same_moment_is_met_with(forge):
    def other(seen):
        if seen.method == "POST":
            forge.state.before.clear()
            forge.state.add(f"{Marker(key='main', run=11, attempt=1)}\nnewer", author=BOT)

    forge.state.before.append(other)
    assert forge.stick("older", run=10) == "outdated"
    assert forge.texts() == ["newer"]


def test_an_older_job_that_had_read_before_and_writes_after_is_written_over(forge):
    forge.stick("first", run=9)
    older = f"{Marker(key='main', run=10, attempt=1)}\nolder"
    waits = []

    def overtaken(seconds):
        if not waits:
            forge.state.comments[0]["body"] = older
        waits.append(seconds)

    assert forge.stick("newer", run=11, sleep=overtaken) == "updated"
    assert forge.texts() == ["newer"]
    assert waits == [3.0, 3.0]


def test_many_writers_at_once_leave_one_comment_of_the_newest_run(forge):
    failed = []

    def write(run):
        try:
            forge.stick(f"run {run}", run=run)
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(run,)) for run in range(1, 7)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    forge.stick("run 6", run=6)  # the last look of a job that is slower than the others
    assert forge.texts() == ["run 6"]


def test_an_answer_that_got_lost_makes_no_second_comment(forge):
    forge.state.faults.append(Fault(method="POST", cut=True, after=True))
    assert forge.stick("text") == "created"
    assert forge.texts() == ["text"]


def test_a_comment_that_was_never_made_is_made_then(forge):
    forge.state.faults.append(Fault(method="POST", cut=True))
    assert forge.stick("text") == "created"
    assert forge.texts() == ["text"]


def test_a_forge_that_loses_every_answer_is_an_error(forge):
    forge.state.faults.append(Fault(method="POST", cut=True, times=9))
    with pytest.raises(Uncertain, match="no answer"):
        forge.stick("text")


def test_a_token_that_may_not_write_is_told_apart(forge):
    forge.state.faults.append(
        Fault(method="POST", status=403, message="Resource not accessible by integration")
    )
    with pytest.raises(Forbidden, match="Resource not accessible by integration"):
        forge.stick("text")
    assert forge.waited == []


def test_a_comment_that_vanishes_is_an_error_and_no_endless_loop(forge):
    forge.state.before.append(lambda _: forge.state.comments.clear())
    with pytest.raises(ForgeError, match="is not there"):
        forge.stick("text")


@pytest.mark.parametrize("key", ["", "a b", "a-->", "x" * 101])
def test_a_key_that_would_break_the_marker_is_refused(key):
    with pytest.raises(ConfigError, match="key"):
        Marker(key=key, run=1, attempt=1)


@pytest.mark.parametrize(
    "body",
    ["", "text", "<!-- costguard key=a run=1 -->", " <!-- costguard key=a run=1 attempt=1 -->"],
)
def test_what_begins_with_no_marker_has_none(body):
    assert Marker.of(body) is None


@pytest.mark.parametrize(
    ("viewer", "writer"),
    [
        (None, BOT),
        (BOT, BOT),
        ("acme-perf[bot]", "acme-perf[bot]"),
        ("acme-perf", "acme-perf[bot]"),
    ],
)
def test_on_github_a_token_that_may_not_ask_who_it_is_knows_its_comments(viewer, writer):
    with serving(github) as (server, state):
        state.author, state.viewer, state.writer = None, viewer, writer
        marker = Marker(key="main", run=99, attempt=1)
        state.add(f"{marker}\nplanted", author="acme-perf")
        forge = Forge("github", server, state)
        assert forge.stick("first") == "created"
        assert forge.stick("second", run=11) == "updated"
        assert [body.partition("\n")[2] for body in state.bodies(writer)] == ["second"]


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.acme.example/api/v3", "https://git.acme.example/api/graphql"),
    ],
)
def test_an_enterprise_server_is_asked_at_its_own_address(address, asked):
    session = Refusing()
    connection = github_forge.transport(TOKEN, api=address, session=session)
    GitHubThread(connection, repository="acme/ranker", number=7).author()
    assert session.asked == [f"GET {address}/user", f"POST {asked}"]


class Refusing(requests.Session):
    """Answers 403 to everything, and remembers what was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def request(self, method, url, **_):
        self.asked.append(f"{method} {url}")
        answer = requests.Response()
        answer.status_code, answer.raw = 403, io.BytesIO(b"{}")
        return answer
