"""Requests that are written down once, and first answers that are read once nothing is timed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

from pytest_costguard.workloads.answers import Answer

Sent = TypeVar("Sent")
Got = TypeVar("Got")


class WrittenRequests(Generic[Sent, Got]):
    """Keeps neither writing nor reading in the time of a request. Threads may share it.

    Args:
        encode: makes what is sent of an input.
        decode: makes a result of what came back, or raises.
    """

    def __init__(self, *, encode: Callable[[Any], Sent], decode: Callable[[Got], Any]) -> None:
        self._encode = encode
        self._decode = decode
        # The input is kept with it: an id is that of another object once this one is gone.
        self._written: dict[int, tuple[Any, Sent]] = {}
        self._answered: set[int] = set()
        self._unread: deque[Answer] = deque()

    def write(self, inputs: Iterable[Any]) -> None:
        """Write down the request of each input; raises what `encode` does."""
        for value in inputs:
            self.of(value)

    def of(self, value: Any) -> Sent:
        """Return the request of an input, made now where it was not yet."""
        known = self._written.get(id(value))
        if known is None:
            known = self._written[id(value)] = value, self._encode(value)
        return known[1]

    def was_answered(self, value: Any) -> bool:
        """Whether an answer to this input came back before."""
        return id(value) in self._answered

    def answer(self, value: Any, reply: Got) -> Answer:
        """Return what came back for an input, unread; the first one will be by `reading`."""
        answer = Answer(partial(self._decode, reply))
        if not self.was_answered(value):
            self._answered.add(id(value))
            self._unread.append(answer)
        return answer

    @contextmanager
    def reading(self) -> Iterator[None]:
        """At the end of the block, read first answers in full; raises what `decode` does."""
        yield
        while self._unread:
            try:
                answer = self._unread.popleft()
            except IndexError:  # another thread was quicker
                return
            _ = answer.value
