"""GitLab: the notes of a merge request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pytest_costguard.errors import ForgeError
from pytest_costguard.forges.port import Comment
from pytest_costguard.forges.transport import Transport

_API = "https://gitlab.com/api/v4"
_LIMIT = 900_000
"""GitLab takes a million characters."""


def transport(token: str, *, api: str = _API, **options: Any) -> Transport:
    """Return a connection to GitLab, by an access token of a project, group or person."""
    headers = {"PRIVATE-TOKEN": token, "User-Agent": "pytest-costguard"}
    return Transport(api, headers=headers, **options)


class GitLabThread:
    """The notes of one merge request on GitLab."""

    limit = _LIMIT

    def __init__(self, connection: Transport, *, project: str, number: int) -> None:
        self._connection = connection
        self._notes = f"/projects/{quote(project, safe='')}/merge_requests/{number}/notes"
        self._author: str | None = None

    def author(self) -> str:
        """Return the token's user; a project's token has a bot of its own."""
        if self._author is None:
            self._author = str(_entry(self._connection.get("/user")).get("username"))
        return self._author

    def comments(self) -> Iterator[Comment]:
        """Return all notes of people and bots, from all pages."""
        notes = self._connection.pages(self._notes, {"sort": "asc", "order_by": "created_at"})
        return (_comment(note) for note in notes if not _entry(note).get("system"))

    def create(self, body: str) -> Comment:
        """Add a note."""
        return _comment(self._connection.post(self._notes, {"body": body}))

    def update(self, comment: int, body: str) -> None:
        """Replace the body of a note."""
        self._connection.put(f"{self._notes}/{comment}", {"body": body})

    def delete(self, comment: int) -> None:
        """Remove a note."""
        self._connection.delete(f"{self._notes}/{comment}")


def _comment(note: Any) -> Comment:
    entry = _entry(note)
    number, body = entry.get("id"), entry.get("body")
    author = _entry(entry.get("author") or {}).get("username")
    if not isinstance(number, int) or isinstance(number, bool):
        raise _unexpected()
    return Comment(id=number, body=body if isinstance(body, str) else "", author=str(author or ""))


def _entry(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise _unexpected()
    return answer


def _unexpected() -> ForgeError:
    return ForgeError(
        "an answer of the API is not what GitLab would say",
        remedy="check the address of the API (CI_API_V4_URL)",
    )
