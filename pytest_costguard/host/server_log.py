"""What a server has written last, as text that is safe to show."""

from __future__ import annotations

import os
import re
from pathlib import Path

_READ_BYTES = 1 << 16
_QUOTED_LINES = 20
_LINE_CHARACTERS = 200
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def last_output(log: Path) -> str:
    """Return the end of a log: lines of visible characters, colours left out.

    A character that would command a terminal becomes U+FFFD, a tab four spaces.
    """
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _READ_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(map(_visible, text.splitlines()))


def quoted(output: str) -> str:
    """Return the last 20 lines of an output that hold something, each cut to 200 characters."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    return "\n".join(line[:_LINE_CHARACTERS] for line in lines[-_QUOTED_LINES:])


def _visible(line: str) -> str:
    plain = _COLOURS.sub("", line).replace("\t", "    ")
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in plain)
