"""The files by which a step tells GitHub its outputs and its summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_costguard.errors import StoreError

SUMMARY_BYTES = 1024 * 1024
"""Of a step's summary in all; of a longer one GitHub shows nothing."""


def outputs(values: Mapping[str, str], *, delimiter: str) -> str:
    """Return what to add to the file GITHUB_OUTPUT, so that no value can name another output.

    Args:
        values: by name; the names are ours.
        delimiter: a line that no value can hold: random.

    Raises:
        ValueError: a value holds it all the same.
    """
    if any(delimiter in value for value in values.values()):
        raise ValueError("a value holds the delimiter")
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def room(path: Path, *, limit: int = SUMMARY_BYTES) -> int:
    """Return how many bytes still go into a step's summary; one that is not there is empty."""
    try:
        return max(0, limit - path.stat().st_size)
    except OSError:
        return limit


def add(path: Path, text: str) -> None:
    """Add text to one of the files.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(
            f"{path}: could not be written: {error.strerror or error}",
            remedy="check the disk of the runner; the variable that names the file is the CI's own",
        ) from error
