"""Answers of a server that are read when somebody looks at them, so that no timed loop does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

Got = TypeVar("Got")


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


class UnreadAnswers(Generic[Got]):
    """Keeps reading out of the time of a request. Threads may share it.

    Args:
        decode: makes a result of what came back, or raises.
    """

    def __init__(self, decode: Callable[[Got], Any]) -> None:
        self._decode = decode
        # By its id, which is that of another object once this one is gone: so it is kept.
        self._answered: dict[int, Any] = {}
        self._first: deque[Answer] = deque()

    def knows(self, value: Any) -> bool:
        """Whether an answer to this input came back before."""
        return id(value) in self._answered

    def of(self, value: Any, reply: Got) -> Answer:
        """Return what came back for an input, unread; the first one will be by `reading`."""
        answer = Answer(partial(self._decode, reply))
        if not self.knows(value):
            self._answered[id(value)] = value
            self._first.append(answer)
        return answer

    @contextmanager
    def reading(self) -> Iterator[None]:
        """At the end of the block, read first answers in full; raises what `decode` does."""
        yield
        while self._first:
            try:
                answer = self._first.popleft()
            except IndexError:  # another thread was quicker
                return
            _ = answer.value
