"""What a store of baselines can do, whatever it keeps them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pytest_costguard.baselines.series import moment
from pytest_costguard.errors import ConfigError, RecordError, StoreError
from pytest_costguard.records import BaselineRun

DEFAULT_NAME = "main"

_LOGIN = re.compile(r"://[^/\s]*@")
_RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,150}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)


class Store(Protocol):
    """Named series of baseline runs. Many processes may add at once, and be killed at any moment.

    Every method that takes a name raises `ConfigError` for one that `checked_name` refuses,
    `StoreError` when the store cannot be read or written, and `RecordError` when a run in it is
    corrupt: a series is never returned without its broken runs.
    """

    @property
    def location(self) -> str:
        """Where this is, for a person to read."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names that have at least one run, in alphabetical order."""
        ...

    def series(self, name: str) -> tuple[BaselineRun, ...]:
        """Return the runs of a name, oldest first; none for a name that is not there."""
        ...

    def add(self, name: str, run: BaselineRun) -> str:
        """Add a run, or replace the one that was made at the same time with the same id.

        Returns:
            Where the run lies, for a person to read.
        """
        ...

    def promote(self, source: str, target: str) -> tuple[str, ...]:
        """Make the runs of `source` the reference of `target`; `source` keeps them.

        On the same hardware, what `source` measured takes the place of what `target` had of the
        same workloads. Other workloads and runs on other hardware stay. A kill in between leaves
        both, and promoting again ends it.

        Returns:
            The ids of the runs promoted.

        Raises:
            StoreError: There is no run in `source`.
        """
        ...

    def remove(self, name: str, run_ids: Iterable[str]) -> tuple[str, ...]:
        """Remove the runs with these ids from a name, and return the ids that were there."""
        ...

    def run_ids(self, name: str) -> frozenset[str]:
        """Return the ids of the runs of a name, none of them read: they may be corrupt."""
        ...

    def discard_corrupt(self, name: str) -> tuple[str, ...]:
        """Remove what is no sound run from a name, and return what it was called.

        Runs that a newer version wrote may be sound, and stay.
        """
        ...

    def place(self, name: str) -> str:
        """Return where the runs of a name are, for a person to read; whether it is there or not."""
        ...


def file_name(run: BaselineRun) -> str:
    """Return the name of a run's file, which sorts by time and says the run's id.

    Raises:
        StoreError: The id of the run cannot be part of a file's name.
    """
    if not _RUN_ID.fullmatch(run.run_id):
        raise StoreError(
            f"the run id {run.run_id!r} cannot be part of a file's name",
            remedy="use up to 150 letters, digits, '.', '_' and '-'",
        )
    moment_utc = moment(run.created).replace(tzinfo=None).isoformat(timespec="microseconds")
    # Without the characters that some file systems refuse, and without another `-`.
    return f"{moment_utc.replace('-', '').replace(':', '')}Z-{run.run_id}.json"


def run_id_of(file: str) -> str:
    """Return the id of the run in a file of that name."""
    return file.removesuffix(".json").partition("-")[2]


def require_own_name(run: BaselineRun, file: str, *, origin: str, remedy: str) -> None:
    """Raise `RecordError` where a run lies in a file of another name.

    Copies of one run would pass for several, and make the spread look smaller than it is.
    """
    if file != file_name(run):
        raise RecordError(
            f"{origin}: renamed or copied: its run belongs into {file_name(run)}", remedy=remedy
        )


def require_promotable(
    source: str, target: str, runs: Sequence[BaselineRun], *, place: Callable[[str], str]
) -> None:
    """Raise where `runs`, those of `source`, cannot take the place of others in `target`."""
    if checked_name(source) == checked_name(target):
        raise ConfigError(f"{source!r} is both source and target", remedy="name two baselines")
    if not runs:
        raise StoreError(
            f"{place(source)}: there is no baseline {source!r} to promote",
            remedy=f"measure it: `pytest --costguard --costguard-save={source}`",
        )


def without_password(text: str) -> str:
    """Return a text whose addresses name no user: it may stand in reports and logs."""
    return _LOGIN.sub("://…@", text)


def is_name(name: str) -> bool:
    """Return whether a baseline may have this name; `checked_name` has the rules."""
    return _NAME.fullmatch(name) is not None and ".." not in name


def checked_name(name: str) -> str:
    """Return the name of a baseline, which is also that of a folder.

    Raises:
        ConfigError: It has other characters than letters, digits, `.`, `_` and `-`, holds `..`,
            starts with `.` or `-`, or is longer than 100 characters.
    """
    if is_name(name):
        return name
    proposal = re.sub(r"[^A-Za-z0-9_-]+", "-", name, flags=re.ASCII).strip("-")[:100]
    raise ConfigError(
        f"{name!r} cannot be the name of a baseline",
        remedy="use letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'"
        + (f": {proposal!r}, for example" if proposal else ""),
    )
