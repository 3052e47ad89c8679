"""The log of a job: groups that fold, in which foreign output can command nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_costguard.forges.events import ForgeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A part of the log that folds where the CI can do that.

    On GitHub a line that begins with `::` commands the runner, whoever printed it. Inside of the
    group that is switched off, until a word is printed that nobody can guess.
    """

    title: str
    """Ours, never foreign text."""
    forge: ForgeName | None
    """Whose CI; None: a terminal."""
    token: str
    """A word that foreign output cannot know; letters and digits."""

    def opening(self, *, now: float) -> str:
        """Return what is printed before it; `now` in seconds since 1970, for GitLab."""
        if self.forge == "github":
            return f"::group::{self.title}\n::stop-commands::{self.token}\n"
        if self.forge == "gitlab":
            return f"\x1b[0Ksection_start:{int(now)}:{self._section}\r\x1b[0K{self.title}\n"
        return f"{self.title}\n"

    def closing(self, *, now: float) -> str:
        """Return what is printed after it; `now` as for `opening`."""
        if self.forge == "github":
            return f"\n::{self.token}::\n::endgroup::\n"
        if self.forge == "gitlab":
            return f"\n\x1b[0Ksection_end:{int(now)}:{self._section}\r\x1b[0K\n"
        return "\n"

    @property
    def _section(self) -> str:
        return f"costguard_{self.token}"
