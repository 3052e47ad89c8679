"""HTTP to a forge: patience with limits, none with refusals, and the token at one origin only."""

from __future__ import annotations

import io

import pytest
import requests
from fakes.forge_server import TOKEN, Fault, github, serving

from pytest_costguard.errors import Forbidden, ForgeError, Missing, Uncertain
from pytest_costguard.forges import github as github_forge
from pytest_costguard.forges import transport

PATH = "/repos/acme/ranker/actions/runs/1"


@pytest.fixture
def forge():
    with serving(github, described=False) as (server, state):
        state.answers[PATH] = {"id": 1}
        yield server, state


@pytest.fixture
def waited():
    return []


@pytest.fixture
def connection(forge, waited):
    server, _ = forge
    return github_forge.transport(
        TOKEN, api=server.url, sleep=waited.append, now=lambda: 1_000_000.0
    )


def test_the_token_goes_in_the_header_and_nowhere_else(forge, connection):
    connection.get(PATH)
    (seen,) = forge[1].seen
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in seen.path
    assert seen.query == {}


@pytest.mark.parametrize(
    ("status", "headers", "message", "seconds"),
    [
        (429, {"retry-after": "7"}, "", 7.0),
        (403, {"retry-after": "3"}, "", 3.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000020"}, "", 21.0),
        (403, {}, "You have exceeded a secondary rate limit", 60.0),
        (429, {}, "", 60.0),
        (502, {}, "", 1.0),
    ],
)
def test_limits_and_broken_servers_are_waited_for(
    forge, connection, waited, status, headers, message, seconds
):
    forge[1].faults.append(Fault(status=status, headers=headers, message=message))
    assert connection.get(PATH) == {"id": 1}
    assert waited == [seconds]


def test_a_connection_that_breaks_is_tried_again(forge, connection, waited):
    forge[1].faults.append(Fault(cut=True, times=2))
    assert connection.get(PATH) == {"id": 1}
    assert waited == [1.0, 2.0]


def test_patience_ends(forge, connection, waited):
    forge[1].faults.append(Fault(status=429, headers={"retry-after": "100"}, times=9))
    with pytest.raises(ForgeError, match="429"):
        connection.get(PATH)
    assert waited == [100.0]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, ForgeError), (403, Forbidden), (404, Missing), (422, ForgeError)]
)
def test_refusals_stand(forge, connection, waited, status, kind):
    forge[1].faults.append(Fault(status=status, message="no\n::error::planted"))
    with pytest.raises(kind, match=f"GET {PATH}: {status}") as refused:
        connection.get(PATH)
    assert waited == []
    assert "\n" not in refused.value.message
    assert TOKEN not in str(refused.value)


def test_a_post_whose_server_breaks_is_not_repeated(forge, connection, waited):
    forge[1].faults.append(Fault(method="POST", status=502))
    with pytest.raises(Uncertain):
        connection.post("/repos/acme/ranker/issues/1/comments", {"body": "x"})
    assert waited == []


def test_writes_leave_a_second_between_them(forge, connection, waited):
    for body in ("a", "b"):
        connection.post("/repos/acme/ranker/issues/1/comments", {"body": body})
    assert waited == [1.0]


def test_another_origin_is_not_followed_by_requests_of_the_api(forge, connection):
    location = {"location": "http://elsewhere.invalid/"}
    forge[1].answers["/moved"] = (301, {}, location)
    with pytest.raises(ForgeError, match="sends to another address"):
        connection.get("/moved")


def test_a_renamed_repository_is_followed(forge, connection):
    forge[1].answers["/moved"] = (301, {}, {"location": PATH})
    assert connection.get("/moved") == {"id": 1}


class Redirecting(requests.Session):
    """Sends to a file at another origin, and remembers what it was asked with."""

    def __init__(self, location):
        super().__init__()
        self.location = location
        self.asked = []

    def request(self, method, url, *, headers, **_):
        self.asked.append((url, {name.lower(): value for name, value in headers.items()}))
        answer = requests.Response()
        first = len(self.asked) == 1
        answer.status_code, answer.url = (302 if first else 200), url
        answer.headers.update({"location": self.location} if first else {})
        answer.raw = io.BytesIO(b"content")
        return answer


def test_a_file_that_is_stored_elsewhere_is_fetched_without_the_token():
    session = Redirecting("https://files.example.invalid/blob?signature=x")
    connection = github_forge.transport(TOKEN, api="https://api.github.com", session=session)
    assert connection.download("/zip", most_bytes=100) == b"content"
    (_, of_the_api), (address, of_the_store) = session.asked
    assert address.startswith("https://files.example.invalid/")
    assert of_the_api["authorization"] == f"Bearer {TOKEN}"
    assert of_the_store == {}


def test_a_file_of_the_api_itself_is_fetched_with_the_token(forge, connection):
    forge[1].files["/blob"] = b"content"
    forge[1].answers["/zip"] = (302, {}, {"location": f"{forge[0].url}/blob"})
    assert connection.download("/zip", most_bytes=100) == b"content"
    assert forge[1].seen[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_login_in_a_netrc_file_does_not_replace_the_token(
    forge, connection, tmp_path, monkeypatch
):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    connection.get(PATH)
    assert forge[1].seen[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_server_that_does_not_answer_in_time_is_given_up(forge, connection, waited, monkeypatch):
    monkeypatch.setattr(transport, "_READ_SECONDS", 0.2)
    forge[1].faults.append(Fault(delay_seconds=1.0, times=9))
    with pytest.raises(Uncertain, match="no answer"):
        connection.get(PATH)
    assert waited == [1.0, 2.0, 4.0, 8.0]


def test_a_file_elsewhere_without_https_is_not_fetched(forge, connection):
    with serving(github, described=False) as (store, stored):
        stored.files["/blob"] = b"content"
        forge[1].answers["/zip"] = (302, {}, {"location": f"{store.url}/blob"})
        with pytest.raises(ForgeError, match="without https"):
            connection.download("/zip", most_bytes=100)
        assert stored.seen == []


def test_a_file_that_is_too_large_is_not_read(forge, connection):
    forge[1].files["/blob"] = b"x" * 1000
    forge[1].answers["/zip"] = (302, {}, {"location": "/blob"})
    with pytest.raises(ForgeError, match="more than 100 bytes"):
        connection.download("/zip", most_bytes=100)


@pytest.mark.parametrize("answer", [b"<html>", b"\xff", b"[1"])
def test_an_answer_that_is_no_json_is_an_error(forge, connection, answer):
    forge[1].answers[PATH] = (200, answer, {})
    with pytest.raises(ForgeError, match="not what the API would say"):
        connection.get(PATH)


def test_pages_that_are_no_list_are_an_error(connection):
    with pytest.raises(ForgeError, match="not what the API would say"):
        list(connection.pages(PATH))


def test_a_forge_that_cannot_be_reached_says_so_without_the_query():
    nobody = github_forge.transport(TOKEN, api="http://127.0.0.1:9", sleep=lambda _: None)
    with pytest.raises(Uncertain, match="no answer") as unreached:
        nobody.get("/user", {"secret": "x"})
    assert "secret" not in str(unreached.value)


@pytest.mark.parametrize(
    "address", ["http://[::1", "file:///etc/", "http://x:99999", "x", f"http://{70 * 'a'}.b/"]
)
def test_an_address_that_is_none_is_told_at_once(address, waited):
    with pytest.raises(ForgeError, match=r"address of an API|could not be asked") as caught:
        github_forge.transport(TOKEN, api=address, sleep=waited.append).get("/user")
    assert "GITHUB_API_URL" in str(caught.value.remedy)
    assert waited == []


def test_a_header_that_is_none_is_told_at_once(forge, waited):
    connection = github_forge.transport("a\nb", api=forge[0].url, sleep=waited.append)
    with pytest.raises(ForgeError, match="could not be asked"):
        connection.get(PATH)
    assert waited == []


def test_a_redirect_to_nowhere_is_an_error(forge, connection):
    forge[1].faults.append(Fault(status=302, headers={"location": "http://[bad"}, message=""))
    with pytest.raises(ForgeError, match=r"address of an API|could not be asked"):
        connection.get(PATH)


def test_an_answer_without_an_end_is_unreadable(forge, connection, monkeypatch):
    monkeypatch.setattr(transport, "_read", lambda *_, **__: b"[" * 100_000)
    with pytest.raises(ForgeError, match="not what the API would say"):
        connection.get(PATH)
