"""One comment that is updated: found by its marker and author, the newest run wins.

The marker is the first thing in the body. Matched anywhere it could be planted by text from the
repository under test, and the author is compared since anybody may begin a comment with it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pytest_costguard.errors import ConfigError, ForgeError, Missing, Uncertain
from pytest_costguard.forges.port import Comment, Thread

_KEY = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MARKER = re.compile(
    rf"<!-- costguard key=(?P<key>{_KEY.pattern}) run=(?P<run>\d{{1,19}})"
    r" attempt=(?P<attempt>\d{1,9}) -->(?:\r?\n|$)"
)
_LOOKS = 4
"""How often what another job wrote meanwhile is mended."""
_SETTLING_SECONDS = 3.0
"""After a write, before it is looked at: a job that had read before it may write after it."""

Outcome = Literal["created", "updated", "unchanged", "outdated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Whose comment it is: which suite's, and which run wrote it last."""

    key: str
    run: int
    attempt: int

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ConfigError(
                f"the comment's key {self.key!r} is not one",
                remedy="use up to 100 letters, digits, dots, dashes and underscores",
            )

    def __str__(self) -> str:
        return f"<!-- costguard key={self.key} run={self.run} attempt={self.attempt} -->"

    @property
    def order(self) -> tuple[int, int]:
        """Grows with every run, and with every attempt of one."""
        return self.run, self.attempt

    @classmethod
    def of(cls, body: str) -> Marker | None:
        """Read the marker that a body begins with; None where it begins with something else."""
        found = _MARKER.match(body)
        if found is None:
            return None
        return cls(key=found["key"], run=int(found["run"]), attempt=int(found["attempt"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """What became of a comment."""

    outcome: Outcome
    id: int


def stick(
    thread: Thread,
    text: str,
    marker: Marker,
    *,
    create: bool = True,
    sleep: Callable[[float], object] = time.sleep,
) -> Stuck | None:
    """Leave exactly one comment of the marker's key, with `text` unless a newer run has written.

    Two jobs at once converge: some seconds after writing, all comments are read again, the newest
    run's text is put into the oldest of ours and the others are removed, by whoever sees them.
    Forges have no write that depends on what is there, so an older job that takes longer than
    those seconds between its reading and its writing is not met with.

    Args:
        thread: the pull request.
        text: of the comment, without a marker.
        marker: this run's.
        create: whether one is made where there is none.
        sleep: waits some seconds.

    Returns:
        None where there is none, and none was to be made.

    Raises:
        ForgeError: the forge refuses, or cannot be reached.
    """
    body = f"{marker}\n{text}"
    ours = _ours(thread, marker.key)
    outcome: Outcome = "updated"
    if not ours and not create:
        return None
    if not ours:
        _create(thread, body)
        sleep(_SETTLING_SECONDS)
        outcome, ours = "created", _ours(thread, marker.key)
    for look in range(_LOOKS):
        if not ours:
            raise ForgeError(
                "the comment that was written is not there",
                remedy="run the job again; if it stays so, something removes its comments",
            )
        (kept, kept_marker), *others = ours
        newest, newest_marker = max(ours, key=lambda pair: pair[1].order)
        newer = newest_marker.order > marker.order
        wanted = newest.body if newer else body
        if kept.body == wanted and not others:
            if newer or kept_marker.order > marker.order:
                return Stuck(outcome="outdated", id=kept.id)
            settled: Outcome = "unchanged" if look == 0 and outcome == "updated" else outcome
            return Stuck(outcome=settled, id=kept.id)
        if kept.body != wanted:
            with suppress(Missing):  # another job has removed it since; the next look tells
                thread.update(kept.id, wanted)
        for other, _ in others:
            with suppress(Missing):  # another job was quicker
                thread.delete(other.id)
        sleep(_SETTLING_SECONDS)
        ours = _ours(thread, marker.key)
    return Stuck(outcome=outcome, id=ours[0][0].id if ours else kept.id)


def _ours(thread: Thread, key: str) -> list[tuple[Comment, Marker]]:
    """Return our comments of a key, the oldest first."""
    author = thread.author()
    found = [
        (comment, marker)
        for comment in thread.comments()
        if comment.author == author
        and (marker := Marker.of(comment.body)) is not None
        and marker.key == key
    ]
    return sorted(found, key=lambda pair: pair[0].id)


def _create(thread: Thread, body: str) -> None:
    try:
        thread.create(body)
    except Uncertain:
        # It may be there all the same, which reading them again tells.
        if not any(comment.body == body for comment in thread.comments()):
            thread.create(body)
