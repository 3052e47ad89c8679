"""What a forge offers for one pull request: its comments, in the forge's own order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment of a pull request."""

    id: int
    """Grows with every comment that is made."""
    body: str
    author: str


class Thread(Protocol):
    """The comments of one pull request, as the owner of the token sees them.

    Every method raises `ForgeError`: `Forbidden` where the token may not, `Missing` where there is
    no such comment or pull request, `Uncertain` where the connection broke before it was known
    whether a comment was made.
    """

    @property
    def limit(self) -> int:
        """The longest body that the forge takes, in bytes of UTF-8 to be on the safe side."""
        ...

    def author(self) -> str:
        """Return under which name comments of this token appear."""
        ...

    def comments(self) -> Iterable[Comment]:
        """Return all comments, from all pages."""
        ...

    def create(self, body: str) -> Comment:
        """Add a comment."""
        ...

    def update(self, comment: int, body: str) -> None:
        """Replace the body of a comment."""
        ...

    def delete(self, comment: int) -> None:
        """Remove a comment."""
        ...
