"""What a store of baselines can do, whatever it keeps them in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from pytest_costguard.errors import ConfigError
from pytest_costguard.records import BaselineRun

DEFAULT_NAME = "main"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)


class Store(Protocol):
    """Named series of baseline runs. Many processes may add at once, and be killed at any moment.

    Every method that takes a name raises `ConfigError` for one that `checked_name` refuses,
    `StoreError` when the store cannot be read or written, and `RecordError` when a run in it is
    corrupt: a series is never returned without its broken runs.
    """

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
