"""Reports for streams that know fewer characters: other marks where these cannot be written."""

from __future__ import annotations

import codecs

_INSTEAD = {
    # With the space beside it where that keeps a table's columns in line.
    " ± ": " +-",
    "≤ ": "<=",
    "≥ ": ">=",
    "… ": "... ",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
    "…": "~",
    "✗": "x",
    "✓": "v",
    "★": "*",
    "○": "o",
    "≠": "#",
    "·": ".",
    "→": "->",
    "÷": "/",
    "µ": "u",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
}


def encodable(text: str, encoding: str | None) -> str:
    """Return `text` as a stream of `encoding` can write it: marks in ASCII, the rest as `?`.

    Args:
        text: of any length, with its line ends.
        encoding: of the stream; one that is None or not known leaves the text as it is.
    """
    try:
        codec = codecs.lookup(encoding or "utf-8")
    except LookupError:
        return text
    for mark, instead in _INSTEAD.items():
        try:
            mark.encode(codec.name)
        except UnicodeEncodeError:
            text = text.replace(mark, instead)
    return text.encode(codec.name, errors="replace").decode(codec.name)
