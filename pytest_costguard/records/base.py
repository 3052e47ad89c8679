"""What all records share: frozen, checked, strict about unknown keys."""

from __future__ import annotations

import math

import msgspec

SCHEMA_VERSION = 1


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen fact. Subclasses check themselves in `__post_init__` by raising `ValueError`."""


def require_positive(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number above zero."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above zero, got {value!r}")


def require_not_negative(name: str, value: float) -> None:
    """Raise `ValueError` unless `value` is a finite number of at least zero."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least zero, got {value!r}")
