"""Requests that are written down once, so that no timed loop does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

Sent = TypeVar("Sent")


class WrittenRequests(Generic[Sent]):
    """Keeps writing out of the time of a request. Threads may share it.

    Args:
        encode: makes what is sent of an input.
    """

    def __init__(self, encode: Callable[[Any], Sent]) -> None:
        self._encode = encode
        # The input is kept with it: an id is that of another object once this one is gone.
        self._written: dict[int, tuple[Any, Sent]] = {}

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
