"""GitHub and GitLab on this machine's loopback: state, pages, and faults on demand."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.github_description import violation

TOKEN = "a-token-that-must-not-be-seen"
BOT = "github-actions[bot]"
GRAPHQL = "/graphql"


@dataclass
class Fault:
    """What happens to the next requests that match, instead of an answer or after the work."""

    method: str = ""
    path: str = ""
    """A regular expression that is searched for; "" matches all."""
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "fault"
    cut: bool = False
    """Close the connection without an answer."""
    delay_seconds: float = 0.0
    """Answer later, as if nothing were wrong."""
    after: bool = False
    """Do the work first: the answer alone is lost."""


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: Any


@dataclass
class State:
    """All that the fake knows; tests read and change it."""

    author: str | None = BOT
    """None: the token may not ask who it is."""
    viewer: str | None = None
    """Who the token is for GraphQL; None: it may not ask there either."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    writer: str = BOT
    """Under which name new comments appear."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What is stored elsewhere, by path."""
    answers: dict[str, Any] = field(default_factory=dict)
    """What GET of a path answers beside the comments, or what returns that."""
    before: list[Callable[[Seen], None]] = field(default_factory=list)
    """Called with each request before it is answered: another job's work."""
    violations: list[str] = field(default_factory=list)
    """Requests that the forge's own description does not know."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    last: int = 0

    def add(self, body: str, *, author: str) -> dict[str, Any]:
        """Add somebody's comment and return it as the state keeps it."""
        with self.lock:
            self.last += 1
            entry = {"id": self.last, "body": body, "author": author}
            self.comments.append(entry)
            return entry

    def bodies(self, author: str = BOT) -> list[str]:
        """Return the bodies of somebody's comments, in order."""
        return [one["body"] for one in self.comments if one["author"] == author]


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        state = self.server.state
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        content = json.loads(self.rfile.read(length)) if length else None
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        seen = Seen(
            method=method,
            path=unquote(parts.path),
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            content=content,
        )
        with state.lock:
            state.seen.append(seen)
            state.violations += filter(None, [self.server.unknown(seen)])
            for act in tuple(state.before):
                act(seen)
            fault = self._fault(seen)
            late = fault.delay_seconds if fault is not None else 0.0
            if fault is not None and not fault.after and not late:
                return self._fail(fault)
            status, answer, headers = self.server.dialect(state, seen, parts.path)
            if fault is not None and not late:
                return self._fail(fault)
        time.sleep(late)
        with suppress(OSError):  # who asked may have gone meanwhile
            self._send(status, answer, headers)
        return None

    def _fault(self, seen: Seen) -> Fault | None:
        for fault in self.server.state.faults:
            wanted = fault.method in ("", seen.method) and re.search(fault.path, seen.path)
            if fault.times > 0 and wanted:
                fault.times -= 1
                return fault
        return None

    def _fail(self, fault: Fault) -> None:
        if fault.cut:
            self.close_connection = True
            self.connection.close()
            return
        self._send(fault.status, {"message": fault.message}, fault.headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        if status == 204:
            data = b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


Answer = tuple[int, Any, dict[str, str]]
Dialect = Callable[[State, Seen, str], Answer]


class Server(ThreadingHTTPServer):
    """A forge on the loopback."""

    daemon_threads = True

    def __init__(self, state: State, dialect: Dialect, *, described: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.dialect = dialect
        self.described = described

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that were cut on purpose."""

    def unknown(self, seen: Seen) -> str:
        """Return why the forge would not know a request; GitLab publishes no description."""
        stored = seen.path in self.state.files
        if not self.described or self.dialect is not github or stored or seen.path == GRAPHQL:
            return ""
        return violation(
            seen.method,
            seen.path,
            query=seen.query,
            headers=seen.headers,
            content=seen.content,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(dialect: Dialect, *, described: bool = True) -> Iterator[tuple[Server, State]]:
    """Serve a dialect until the end of the block.

    Args:
        dialect: the forge.
        described: whether it must know every request; not where a test is about none of its own.
    """
    state = State()
    server = Server(state, dialect, described=described)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert state.violations == []


def _paged(entries: list[Any], seen: Seen) -> list[Any]:
    size = min(100, int(seen.query.get("per_page", "30")))
    first = (int(seen.query.get("page", "1")) - 1) * size
    return entries[first : first + size]


def _found(state: State, number: str) -> dict[str, Any] | None:
    return next((one for one in state.comments if one["id"] == int(number)), None)


_NOT_FOUND: Answer = (404, {"message": "Not Found"}, {})


def github(state: State, seen: Seen, _: str) -> Answer:
    """Answer as GitHub's REST interface does, as far as it is used."""
    if seen.path in state.files:
        return 200, state.files[seen.path], {}
    if seen.headers.get("authorization") != f"Bearer {TOKEN}":
        return 401, {"message": "Bad credentials"}, {}
    if seen.path == "/user" and state.author is None:
        return 403, {"message": "Resource not accessible by integration"}, {}
    if seen.path == "/user":
        return 200, {"login": state.author}, {}
    if seen.path == GRAPHQL:
        return _graphql(state, seen)
    if re.fullmatch(r"/repos/[^/]+/[^/]+/issues/\d+/comments", seen.path):
        return _github_list(state, seen)
    if one := re.fullmatch(r"/repos/[^/]+/[^/]+/issues/comments/(\d+)", seen.path):
        return _github_comment(state, seen, _found(state, one[1]))
    if seen.method == "GET" and seen.path in state.answers:
        answer = state.answers[seen.path]
        if callable(answer):
            answer = answer()
        return answer if isinstance(answer, tuple) else (200, answer, {})
    return _NOT_FOUND


def _graphql(state: State, seen: Seen) -> Answer:
    """Answer the one question that is asked of it; its description is another than REST's."""
    if seen.content != {"query": "query { viewer { login } }"}:
        return 200, {"errors": [{"message": "Parse error"}]}, {}
    if state.viewer is None:
        return 403, {"message": "Resource not accessible by integration"}, {}
    return 200, {"data": {"viewer": {"login": state.viewer}}}, {}


def _github_list(state: State, seen: Seen) -> Answer:
    if seen.method == "GET":
        return 200, _paged([_as_github(entry) for entry in state.comments], seen), {}
    if len(seen.content["body"]) > 65_536:
        return 422, {"message": "Validation Failed: body is too long"}, {}
    return 201, _as_github(state.add(seen.content["body"], author=state.writer)), {}


def _github_comment(state: State, seen: Seen, entry: dict[str, Any] | None) -> Answer:
    if entry is None:
        return _NOT_FOUND
    if seen.method == "DELETE":
        state.comments.remove(entry)
        return 204, None, {}
    entry["body"] = seen.content["body"]
    return 200, _as_github(entry), {}


def _as_github(entry: dict[str, Any]) -> dict[str, Any]:
    user = None if entry["author"] is None else {"login": entry["author"]}
    return {"id": entry["id"], "body": entry["body"], "user": user}


def gitlab(state: State, seen: Seen, raw: str) -> Answer:
    """Answer as GitLab's REST interface does, as far as it is used."""
    if seen.headers.get("private-token") != TOKEN:
        return 401, {"message": "401 Unauthorized"}, {}
    if seen.path == "/user":
        return 200, {"username": state.author}, {}
    notes = re.fullmatch(r"/projects/[^/]+/merge_requests/\d+/notes(?:/(\d+))?", raw)
    if notes is None:
        return _NOT_FOUND
    if notes[1] is None and seen.method == "GET":
        shown = [_as_gitlab(entry) for entry in state.comments]
        return 200, _paged(shown, seen), {}
    if notes[1] is None and seen.method == "POST":
        return 201, _as_gitlab(state.add(seen.content["body"], author=state.writer)), {}
    entry = None if notes[1] is None else _found(state, notes[1])
    if entry is None:
        return _NOT_FOUND
    if seen.method == "PUT":
        entry["body"] = seen.content["body"]
        return 200, _as_gitlab(entry), {}
    if seen.method == "DELETE":
        state.comments.remove(entry)
        return 204, None, {}
    return _NOT_FOUND


def _as_gitlab(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "body": entry["body"],
        "system": False,
        "author": {"username": entry["author"]},
    }
