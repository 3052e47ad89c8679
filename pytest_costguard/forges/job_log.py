"""The log of a job: groups that fold, in which foreign output can command nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_costguard.forges.events import ForgeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is printed before and after a part of the log; each ends its line."""

    opening: str
    closing: str


def group(title: str, *, forge: ForgeName | None, token: str, now: float) -> Group:
    """Return the frame of a part of the log that folds where the CI can do that.

    On GitHub a line that begins with `::` commands the runner, whoever printed it. Inside of the
    group that is switched off, until a word is printed that nobody can guess.

    Args:
        title: ours, never foreign text.
        forge: whose CI; None: a terminal.
        token: a word that foreign output cannot know; letters and digits.
        now: seconds since 1970, which GitLab wants to know.
    """
    if forge == "github":
        return Group(
            opening=f"::group::{title}\n::stop-commands::{token}\n",
            closing=f"\n::{token}::\n::endgroup::\n",
        )
    if forge == "gitlab":
        name = f"costguard_{token}"
        return Group(
            opening=f"\x1b[0Ksection_start:{int(now)}:{name}\r\x1b[0K{title}\n",
            closing=f"\n\x1b[0Ksection_end:{int(now)}:{name}\r\x1b[0K\n",
        )
    return Group(opening=f"{title}\n", closing="\n")
