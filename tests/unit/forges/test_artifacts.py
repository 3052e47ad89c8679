"""Reports out of artifacts: a zip file from a stranger can only be a report, or an error."""

from __future__ import annotations

import contextlib
import random
import zipfile

import pytest
from factories import artifacts as made
from fakes.forge_server import TOKEN, github, serving

from pytest_costguard.errors import ForgeError, RecordError
from pytest_costguard.forges import artifacts
from pytest_costguard.forges.artifacts import artifacts_of, downloaded, unpacked
from pytest_costguard.forges.github import pull_requests_of, transport


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        yield state, transport(TOKEN, api=server.url, sleep=lambda _: None)


def test_the_report_comes_out_and_what_lies_beside_it_is_not_read():
    assert unpacked(made.packed({"report.json": b"{}", "report.md": b"#"}), origin="a") == b"{}"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"report.md": b""},
        {"../report.json": b"{}"},
        {"/report.json": b"{}"},
        {"report.json": b"{}", "../../x": b""},
        {"report.json": b"{}", "run.sh": b""},
        {"report.json": b"{}", "folder/": b""},
        {"REPORT.JSON": b"{}"},
    ],
)
def test_any_other_name_is_refused(files):
    with pytest.raises(RecordError, match=r"does not hold report\.json alone"):
        unpacked(made.packed(files), origin="a")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_reports_in_one_are_refused():
    with pytest.raises(RecordError, match=r"does not hold report\.json alone"):
        unpacked(made.twice(), origin="a")


def test_a_link_is_refused():
    with pytest.raises(RecordError, match="a link"):
        unpacked(made.with_a_link(), origin="a")


def test_a_run_that_keeps_thousands_of_artifacts_is_not_read_to_its_end(forge):
    state, connection = forge
    page = [made.listed(number, f"other-{number}", b"") for number in range(100)]
    state.answers["/repos/acme/ranker/actions/runs/5/artifacts"] = {"artifacts": page}
    with pytest.raises(ForgeError, match="more than 2000 artifacts"):
        artifacts_of(connection, repository="acme/ranker", run=5, name="costguard-report")
    assert len(state.seen) <= 21


def test_a_bomb_is_refused_before_it_is_unpacked():
    with pytest.raises(RecordError, match="far more than it is"):
        unpacked(made.packed({"report.json": b"0" * 50_000_000}), origin="a")


def test_a_report_that_is_larger_than_any_is_refused(monkeypatch):
    monkeypatch.setattr(artifacts, "MOST_UNPACKED_BYTES", 10)
    with pytest.raises(RecordError, match="larger than one can be"):
        unpacked(made.packed({"report.json": b"12345678901"}), origin="a")


def test_a_report_packed_in_another_way_is_refused():
    data = made.packed({"report.json": b"{}"}, method=zipfile.ZIP_LZMA)
    with pytest.raises(RecordError, match="packed in another way"):
        unpacked(data, origin="a")


def test_bytes_that_are_broken_anywhere_are_an_error_or_the_report():
    dice = random.Random(20260301)
    sound = made.packed({"report.json": b'{"kind": "report"}' * 50})
    read = 0
    for _ in range(3_000):
        data = bytearray(sound)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        broken = bytes(data[: dice.choice((len(data), dice.randrange(len(data) + 1)))])
        with contextlib.suppress(RecordError):
            assert len(unpacked(broken, origin="a")) <= len(sound) * 300
            read += 1
    assert 0 < read < 3_000


def path(run=5):
    return f"/repos/acme/ranker/actions/runs/{run}/artifacts"


def of_run(connection, name="costguard-report"):
    return artifacts_of(connection, repository="acme/ranker", run=5, name=name)


def test_the_artifacts_of_a_name_and_of_its_legs_are_found(forge):
    state, connection = forge
    names = ["costguard-report-gpu", "costguard-reports", "logs", "costguard-report"]
    state.answers[path()] = {
        "total_count": 4,
        "artifacts": [made.listed(n, name, b"x") for n, name in enumerate(names)],
    }
    assert [one.name for one in of_run(connection)] == ["costguard-report", "costguard-report-gpu"]


def test_of_a_run_that_was_repeated_the_newest_counts_and_the_expired_do_not(forge):
    state, connection = forge
    state.answers[path()] = {
        "artifacts": [
            made.listed(1, "costguard-report", b"x"),
            made.listed(3, "costguard-report", b"x", expired=True),
            made.listed(2, "costguard-report", b"x"),
        ]
    }
    assert [one.id for one in of_run(connection)] == [2]


def test_more_legs_than_a_comment_can_show_are_an_error(forge):
    state, connection = forge
    legs = [made.listed(n, f"costguard-report-{n}", b"x") for n in range(17)]
    state.answers[path()] = {"artifacts": legs}
    with pytest.raises(ForgeError, match="17 artifacts"):
        of_run(connection)


@pytest.mark.parametrize("entry", [{}, {"id": "1", "name": "costguard-report"}, 7, None])
def test_an_answer_of_another_shape_is_an_error(forge, entry):
    state, connection = forge
    state.answers[path()] = {"artifacts": [entry]}
    with pytest.raises(ForgeError, match="describes no artifact"):
        of_run(connection)


def test_an_artifact_is_downloaded_from_where_it_is_kept_without_the_token(forge):
    state, connection = forge
    data = made.packed({"report.json": b"{}"})
    state.files["/store/1"] = data
    where = {"location": "/store/1"}
    state.answers["/repos/acme/ranker/actions/artifacts/1/zip"] = (302, b"", where)
    found = artifacts.Artifact(id=1, name="x", size_bytes=len(data))
    assert downloaded(connection, repository="acme/ranker", artifact=found) == b"{}"


def test_one_that_says_that_it_is_too_large_is_not_downloaded(forge):
    state, connection = forge
    found = artifacts.Artifact(id=1, name="x", size_bytes=1 << 40)
    with pytest.raises(RecordError, match="at most"):
        downloaded(connection, repository="acme/ranker", artifact=found)
    assert state.seen == []


def test_one_that_is_larger_than_it_says_is_not_read(forge, monkeypatch):
    state, connection = forge
    monkeypatch.setattr(artifacts, "MOST_BYTES", 1000)
    state.answers["/repos/acme/ranker/actions/artifacts/1/zip"] = (200, b"x" * 2000, {})
    found = artifacts.Artifact(id=1, name="x", size_bytes=10)
    with pytest.raises(ForgeError, match="more than 1000 bytes"):
        downloaded(connection, repository="acme/ranker", artifact=found)


def pull(number, sha, repository="mallory/ranker"):
    return {"number": number, "head": {"sha": sha, "repo": {"full_name": repository}}}


def test_the_pull_request_of_a_fork_is_found_by_branch_and_newest_commit(forge):
    state, connection = forge
    other = pull(9, "abc", repository="mallory/another-fork")
    state.answers["/repos/acme/ranker/pulls"] = [pull(7, "abc"), pull(8, "older"), other]
    found = pull_requests_of(
        connection,
        repository="acme/ranker",
        owner="mallory",
        branch="x&state=closed",
        sha="abc",
        source="mallory/ranker",
    )
    assert found == (7,)
    assert state.seen[0].query["head"] == "mallory:x&state=closed"
    assert state.seen[0].query["state"] == "open"
