"""The representative inputs of a workload: consumed once, kept, counted and digested."""

from __future__ import annotations

import inspect
import operator
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.digests import Digest, digest_of

LARGEST_ITERATOR = 100_000
"""An iterator that gives more than this is taken for endless."""


@dataclass(frozen=True, kw_only=True)
class InputSet:
    """The requests of one workload, in order; one entry is one request.

    Make it with `InputSet.of`.
    """

    inputs: tuple[Any, ...]
    parts: tuple[int, ...] = ()
    """Of a mixture, which part each belongs to; else none."""

    @classmethod
    def of(cls, inputs: object) -> InputSet:
        """Keep the inputs that a test gives.

        Args:
            inputs: a list, a tuple, an array or tensor (an entry of its first axis is a request),
                anything else with a length and entries, an iterator or generator (consumed
                here), an input set, or a function without arguments that returns one of these.

        Raises:
            WorkloadError: there are none, or they look like a single request.
        """
        if _is_factory(inputs):
            inputs = _made_by(inputs)
        if isinstance(inputs, InputSet):
            return inputs
        return cls(inputs=_entries(inputs))

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inputs)

    def items(self, batch_size: int | Callable[[Any], int] | None = None) -> list[int]:
        """Return how many items (inferences) each input holds, in order; each at least 1.

        Args:
            batch_size: a number for all, a function of the input, or None for one each.

        Raises:
            WorkloadError: a number is not whole or below 1; it names the input's index.
        """
        if batch_size is None:
            return [1] * len(self.inputs)
        if not callable(batch_size):
            return [_whole(batch_size, where="batch_size")] * len(self.inputs)
        return [
            _whole(batch_size(entry), where=f"batch_size of input {index}")
            for index, entry in enumerate(self.inputs)
        ]

    @property
    def served_once(self) -> tuple[Any, ...]:
        """What is served to see that the answers are right, where nothing is measured: all."""
        return self.inputs

    @property
    def digest(self) -> str:
        """SHA-256 of all inputs, in order; the same in every process."""
        return self._digest.hexadecimal

    @property
    def digest_is_partial(self) -> bool:
        """Whether some part could be told by its type only, so that a change may go unseen."""
        return self._digest.is_partial

    @cached_property
    def _digest(self) -> Digest:
        return digest_of(list(self.inputs))


def _entries(inputs: Any) -> tuple[Any, ...]:
    _refuse_single_request(inputs)
    _refuse_asynchronous(inputs)
    if isinstance(inputs, AbstractSet):
        raise WorkloadError(
            "inputs= is a set, whose order differs between processes",
            remedy="give a list: inputs=sorted(…)",
        )
    counted = hasattr(inputs, "__len__")
    if isinstance(inputs, Iterable) and not counted:
        found = tuple(islice(inputs, LARGEST_ITERATOR + 1))
        if len(found) > LARGEST_ITERATOR:
            raise WorkloadError(
                f"inputs= gave more than {LARGEST_ITERATOR} inputs and may be endless",
                remedy="give a part of it: inputs=itertools.islice(…, 1000)",
            )
    elif counted and getattr(inputs, "shape", None) != ():
        found = _counted(inputs)
    else:
        raise WorkloadError(
            f"inputs= is a single {type(inputs).__qualname__}",
            remedy="give a list of requests: inputs=[request, …]",
        )
    if not found:
        raise WorkloadError("inputs= is empty", remedy="give at least one representative request")
    return found


def _counted(inputs: Any) -> tuple[Any, ...]:
    if hasattr(inputs, "__iter__"):
        return tuple(inputs)
    # A data set with a length and entries need not stop an iteration by itself.
    return tuple(inputs[index] for index in range(len(inputs)))


def _refuse_single_request(inputs: object) -> None:
    """A text would be served letter by letter, a mapping by its keys, without a word."""
    is_mapping = isinstance(inputs, Mapping) or hasattr(inputs, "keys")
    if is_mapping or isinstance(inputs, str | bytes | bytearray | memoryview):
        raise WorkloadError(
            f"inputs= is a {type(inputs).__qualname__}, which looks like a single request",
            remedy="wrap it in a list: inputs=[request]; for many requests give them in a list",
        )


def _refuse_asynchronous(inputs: object) -> None:
    if inspect.iscoroutine(inputs):
        inputs.close()  # it is not going to be awaited
    elif not isinstance(inputs, AsyncIterable):
        return
    raise WorkloadError(
        f"inputs= is asynchronous (a {type(inputs).__qualname__})",
        remedy="collect it first: inputs=[request async for request in …]",
    )


def _is_factory(inputs: object) -> bool:
    if isinstance(inputs, type):  # it has the methods of its instances, and none of their entries
        return True
    return callable(inputs) and not hasattr(inputs, "__len__") and not hasattr(inputs, "__iter__")


def _made_by(factory: Any) -> object:
    try:
        signature = inspect.signature(factory)
    except ValueError:  # some builtins do not tell
        return factory()
    try:
        signature.bind()
    except TypeError as error:
        raise WorkloadError(
            f"inputs= is a function that needs arguments: {error}",
            remedy="give a function without arguments: inputs=lambda: make_requests(…)",
        ) from error
    return factory()


def _whole(number: Any, *, where: str) -> int:
    try:
        whole = operator.index(number)
    except TypeError:
        whole = 0
    if whole < 1 or isinstance(number, bool):
        raise WorkloadError(
            f"{where} is {number!r}",
            remedy="give a whole number of items, at least 1",
        )
    return whole
