"""What all records share: frozen, checked, strict about unknown keys."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

SCHEMA_VERSION = 1


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A frozen fact. Subclasses check themselves in `__post_init__` by raising `ValueError`.

    No record can be part of a cycle, so the cycle collector need not look at them: a baseline
    holds hundreds of thousands.
    """


def require_positive(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number above zero."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above zero, got {value!r}")


def require_not_negative(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number of at least zero."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least zero, got {value!r}")


def require_all_positive(name: str, values: Sequence[float]) -> None:
    """Raise `ValueError` unless each of `values`, of which there may be none, is."""
    # At C's speed: a sum is not finite where a value is not, or where it overflows.
    if values and not (min(values) > 0 and math.isfinite(sum(values))):
        for value in values:
            require_positive(name, value)
