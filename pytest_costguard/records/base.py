"""What all records share: frozen, checked, strict about unknown keys."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

SCHEMA_VERSION = 1

# Nothing that was measured comes near these bounds: a clock's step is a nanosecond, and 1e9
# seconds are 32 years. Within them no sum, square or ratio that a rule takes is infinite or 0.
LEAST_SECONDS = 1e-12
MOST_SECONDS = 1e9
LEAST_RATE = 1e-15
MOST_RATE = 1e15
MOST_COUNT = 2**53
"""Up to here each integer is a float, too."""
_MOST_DIGITS = 25


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A frozen fact. Subclasses check themselves in `__post_init__` by raising `ValueError`.

    No record can be part of a cycle, so the cycle collector need not look at them: a baseline
    holds hundreds of thousands.
    """


def require_positive(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number above zero."""
    # A comparison takes an integer of any size, which `math.isfinite` does not.
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a finite number above zero, got {_told(value)}")


def require_not_negative(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number of at least zero."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least zero, got {_told(value)}")


def require_all_positive(name: str, values: Sequence[float]) -> None:
    """Raise `ValueError` unless each of `values`, of which there may be none, is."""
    # At C's speed: a sum is not finite where a value is not, or where it overflows.
    if values and not (min(values) > 0 and sum(values) < math.inf):
        for value in values:
            require_positive(name, value)


def require_seconds(name: str, value: float) -> None:
    """Raise `ValueError` unless something can have taken so many seconds, and not none."""
    require_from(name, value, least=LEAST_SECONDS, most=MOST_SECONDS)


def require_all_seconds(name: str, values: Sequence[float]) -> None:
    """Raise `ValueError` unless each of `values`, of which there may be none, can be; see above."""
    require_all_from(name, values, least=LEAST_SECONDS, most=MOST_SECONDS)


def require_waits(name: str, values: Sequence[float]) -> None:
    """Raise `ValueError` unless each of `values` is no seconds at all, or can have been waited."""
    require_all_from(name, values, least=0, most=MOST_SECONDS)


def require_counts(name: str, values: Sequence[int], *, least: int = 0) -> None:
    """Raise `ValueError` unless each of `values` is a number of things from `least` up."""
    require_all_from(name, values, least=least, most=MOST_COUNT)


def require_rate(name: str, value: float) -> None:
    """Raise `ValueError` unless something can have happened so many times a second."""
    require_from(name, value, least=LEAST_RATE, most=MOST_RATE)


def require_all_from(name: str, values: Sequence[float], *, least: float, most: float) -> None:
    """Raise `ValueError` unless each of `values`, of which there may be none, is in these bounds.

    Args:
        name: of the field, for the message.
        values: in any unit.
        least: at least 0.
        most: in the same unit.
    """
    # At C's speed: none of them exceeds their sum, and one that is no number makes it none.
    if values and not (min(values) >= least and sum(values) <= most):
        for value in values:
            require_from(name, value, least=least, most=most)


def require_from(name: str, value: float, *, least: float, most: float) -> None:
    """Raise `ValueError` unless `value` is in these bounds, both of which it may be."""
    if least <= value <= most:
        return
    if value < 0 and least == 0:
        raise ValueError(f"{name} must not be negative, got {_told(value)}")
    raise ValueError(f"{name} must be from {least:g} to {most:g}, got {_told(value)}")


def _told(value: float) -> str:
    """Return a number as a message tells it: an integer may have thousands of digits."""
    told = repr(value)
    return told if len(told) <= _MOST_DIGITS else f"a number of {len(told)} digits"
