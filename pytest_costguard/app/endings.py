"""How a test may end without failing: skipped, or as it was expected to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the test, or its workload, said when it ended the test."""

    reason: str
    expected_failure: bool = False
    """Whether it was `pytest.xfail` rather than `pytest.skip`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """The test runner's own way of ending a test, translated both ways."""

    recognise: Callable[[BaseException], Ending | None]
    """Returns how an exception ends a test; None for one that fails it."""
    repeat: Callable[[Ending], object]
    """Ends the running test in the same way."""
