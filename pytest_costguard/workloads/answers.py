"""Answers of a server that are read when somebody looks at them, so that no timed loop does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Answer:
    """What a server answered, unread."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    @property
    def value(self) -> Any:
        """The answer itself; raises `NoAnswer` where it is not what it should be."""
        return self._read()

    def __repr__(self) -> str:
        return f"Answer({self.value!r})"


def read(output: Any) -> Any:
    """Return an output as a test is to see it: answers read, all else as it is."""
    return output.value if isinstance(output, Answer) else output
