"""GitHub: the comments of a pull request, and which pull request a run is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pytest_costguard.errors import Forbidden, ForgeError, Missing
from pytest_costguard.forges.port import Comment
from pytest_costguard.forges.transport import Transport

ACTIONS_AUTHOR = "github-actions[bot]"
"""Whose comments those of a job's own token are, where it may not ask who it is."""
_BOT = "[bot]"
_WHO = {"query": "query { viewer { login } }"}
_GRAPHQL = {True: "../graphql", False: "graphql"}
"""Beside the address of an Enterprise server's REST interface, `/api/v3`, and below GitHub's."""
_API = "https://api.github.com"
_LIMIT = 65_000


def transport(token: str, *, api: str = _API, **options: Any) -> Transport:
    """Return a connection to GitHub, or to an Enterprise server by the address of its API."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "pytest-costguard",
    }
    return Transport(api, headers=headers, **options)


class GitHubThread:
    """The comments of one pull request on GitHub."""

    limit = _LIMIT

    def __init__(self, connection: Transport, *, repository: str, number: int) -> None:
        self._connection = connection
        self._repository = quote(repository)
        self._number = number
        self._author: str | None = None

    def author(self) -> str:
        """Return the token's user, or the bot of the App whose token it is."""
        if self._author is None:
            try:
                self._author = _text(self._connection.get("/user"), "login")
            except (Forbidden, Missing):
                self._author = self._bot()
        return self._author

    def _bot(self) -> str:
        """Return the name of an App's bot: its token may ask by GraphQL alone who it is."""
        enterprise = self._connection.address.endswith("/api/v3")
        try:
            answer = self._connection.post(_GRAPHQL[enterprise], _WHO)
        except (Forbidden, Missing):
            return ACTIONS_AUTHOR
        login = _inside(_inside(_inside(answer, "data"), "viewer"), "login")
        if not isinstance(login, str):
            return ACTIONS_AUTHOR
        # A person could be called as a bot is without its ending.
        return login if login.endswith(_BOT) else f"{login}{_BOT}"

    def comments(self) -> Iterator[Comment]:
        """Return all comments, from all pages."""
        path = f"/repos/{self._repository}/issues/{self._number}/comments"
        return map(_comment, self._connection.pages(path))

    def create(self, body: str) -> Comment:
        """Add a comment."""
        path = f"/repos/{self._repository}/issues/{self._number}/comments"
        return _comment(self._connection.post(path, {"body": body}))

    def update(self, comment: int, body: str) -> None:
        """Replace the body of a comment."""
        self._connection.patch(self._of(comment), {"body": body})

    def delete(self, comment: int) -> None:
        """Remove a comment."""
        self._connection.delete(self._of(comment))

    def _of(self, comment: int) -> str:
        return f"/repos/{self._repository}/issues/comments/{comment}"


def pull_requests_of(
    connection: Transport, *, repository: str, owner: str, branch: str, sha: str, source: str
) -> tuple[int, ...]:
    """Return the open pull requests into a repository whose newest commit is `sha`.

    Asked by the branch that they come from, since a commit of a fork is not known by itself.

    Args:
        connection: to GitHub.
        repository: the one that is merged into.
        owner: of the repository that they come from.
        branch: there.
        sha: of its newest commit; another one has been superseded.
        source: the repository that they come from, `owner/name`: an owner may have several forks.
    """
    query = {"state": "open", "head": f"{owner}:{branch}"}
    found = connection.pages(f"/repos/{quote(repository)}/pulls", query)
    return tuple(
        _number(pull, "number")
        for pull in found
        if isinstance(pull, dict) and _head_of(pull) == (sha, source)
    )


def _head_of(pull: Mapping[str, Any]) -> tuple[object, object]:
    """Return the newest commit of a pull request, and the repository that it is in."""
    head = pull.get("head")
    head = head if isinstance(head, dict) else {}
    repository = head.get("repo")
    return head.get("sha"), repository.get("full_name") if isinstance(repository, dict) else None


def _comment(entry: Any) -> Comment:
    user = entry.get("user") if isinstance(entry, dict) else None
    author = user.get("login") if isinstance(user, dict) else ""  # a deleted account has none
    return Comment(id=_number(entry, "id"), body=_body(entry), author=str(author))


def _body(entry: Any) -> str:
    body = entry.get("body")
    return body if isinstance(body, str) else ""


def _inside(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None


def _text(entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, str):
        raise _unexpected(key)
    return value


def _number(entry: Any, key: str) -> int:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unexpected(key)
    return value


def _unexpected(key: str) -> ForgeError:
    return ForgeError(
        f"an answer of the API has no {key}",
        remedy="check the address of the API (GITHUB_API_URL)",
    )
