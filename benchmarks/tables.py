"""Tables of the pages that benchmarks write."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, align: str) -> str:
    """Return a Markdown table; `align` has an `l` or an `r` for each column."""
    marks = {"l": ":--", "r": "--:"}
    ruler = "|" + "|".join(marks[one] for one in align.split()) + "|"
    lines = ["| " + " | ".join(line) + " |" for line in (head, *rows)]
    return "\n".join((lines[0], ruler, *lines[1:]))
