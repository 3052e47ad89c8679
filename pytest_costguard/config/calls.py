"""A name with a number behind it, as `concurrent(8)`, `gamma(4)` and `zipf(1.1)` are written."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CALL = re.compile(r"\s*(?P<name>\w+)\s*(?:\(\s*(?P<number>[^()]*?)\s*\))?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A name, and what stands in brackets behind it."""

    name: str
    number: str | None
    """As it is written; None without brackets, "" where they are empty."""


def parse_call(value: object) -> Call | None:
    """Return the name and the number that a value holds; None where it is written otherwise."""
    found = _CALL.fullmatch(str(value))
    return Call(name=found["name"], number=found["number"]) if found else None
