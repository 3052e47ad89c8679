"""What people write that is no quantity: names, choices, switches, and the keys they misspell."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_costguard.errors import ConfigError

Parsed = TypeVar("Parsed")

_LONGEST = 80
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SWITCHES = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def shown(value: object) -> str:
    """Return a short, printable form of whatever was written, hostile objects included."""
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = shortener.maxlong = _LONGEST
    try:
        return shortener.repr(value)
    except ValueError:  # an integer of more digits than Python is willing to print
        return f"<{type(value).__name__}>"


def refusal(value: object, problem: str, *, origin: str, key: str, remedy: str) -> ConfigError:
    """Return the error for one value: where it stands, what it says, what is wrong with it."""
    return ConfigError(f"{origin}: {key} = {shown(value)} {problem}", remedy=remedy)


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that `word` was probably meant to be, or None.

    `cutoff` is the least likeness, from 0 to 1.
    """
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:_LONGEST].lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown word: the nearest known one, or all of them."""
    names = list(known)
    near = nearest(word, names)
    return f"did you mean {near!r}?" if near else f"write one of {', '.join(names)}"


def require_known(keys: Iterable[object], known: Iterable[str], *, origin: str, at: str) -> None:
    """Raise `ConfigError` for the first key that is not known; `at` is the path before it."""
    names = list(known)
    for key in keys:
        if key not in names:
            word = key if isinstance(key, str) else shown(key)
            path = f"{at}.{word[:_LONGEST]}" if at else word[:_LONGEST]
            raise ConfigError(f"{origin}: unknown key {path}", remedy=did_you_mean(word, names))


def require_table(value: object, *, origin: str, key: str) -> Mapping[object, object]:
    """Return `value` if it is a table (a mapping).

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise refusal(
            value,
            "is not a table",
            origin=origin,
            key=key,
            remedy='write names with their values, like {"p99": "50ms"}',
        )
    return value


def parse_text(value: object, *, origin: str, key: str) -> str:
    """Return a text that is not blank, without the space around it.

    Raises:
        ConfigError: it is not a text, or blank, or holds control characters.
    """
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise refusal(
            value, "is not a text", origin=origin, key=key, remedy="write one line of plain text"
        )
    return value.strip()


def parse_name(value: object, *, origin: str, key: str) -> str:
    """Return a name that is safe as a file name: letters, digits, `.`, `_` and `-`.

    Raises:
        ConfigError: it is anything else, a path for example.
    """
    text = parse_text(value, origin=origin, key=key)
    if not _NAME.fullmatch(text) or ".." in text:
        raise refusal(
            value,
            "is not a name",
            origin=origin,
            key=key,
            remedy=f"use letters, digits, '.', '_' and '-', and join it with '=': {key}=main",
        )
    return text


def parse_switch(value: object, *, origin: str, key: str) -> bool:
    """Return True or False for a boolean, or for 1/0, true/false, yes/no and on/off.

    Raises:
        ConfigError: it is anything else.
    """
    if isinstance(value, bool):
        return value
    found = _SWITCHES.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise refusal(
            value, "is neither yes nor no", origin=origin, key=key, remedy="write true or false"
        )
    return found


def parse_choice(value: object, choices: Iterable[str], *, origin: str, key: str) -> str:
    """Return the one of `choices` that was written.

    Raises:
        ConfigError: it is none of them; the remedy names the nearest.
    """
    known = list(choices)
    word = value.strip() if isinstance(value, str) else shown(value)
    if word in known:
        return word
    raise refusal(value, "is not known", origin=origin, key=key, remedy=did_you_mean(word, known))


def parse_words(value: object, *, origin: str, key: str) -> tuple[str, ...]:
    """Return the words of a comma-separated text or of a list of texts, blanks dropped.

    Raises:
        ConfigError: it is neither.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise refusal(
            value,
            "is not a list of words",
            origin=origin,
            key=key,
            remedy='write them with commas between, like "regression,budget"',
        )
    return tuple(part.strip() for part in parts if part.strip())


def parse_patterns(value: object, *, origin: str, key: str) -> tuple[str, ...]:
    """Return patterns of files below a folder, written as for `parse_words`.

    Raises:
        ConfigError: one leads out of the folder or means all of it; only blanks are written.
    """
    patterns = parse_words(value, origin=origin, key=key)
    problem = "" if patterns or value in ([], ()) else "names no file"
    for pattern in patterns:
        path = Path(pattern)
        if path.is_absolute() or ".." in path.parts:
            problem = "leaves the checkout"
        elif not path.parts:
            problem = "is the whole checkout"
        elif any("**" in part and part != "**" for part in path.parts):
            problem = "has ** beside other characters"
    if problem:
        raise refusal(
            value,
            problem,
            origin=origin,
            key=key,
            remedy="give patterns relative to the checkout's top folder, such as models/*.onnx or"
            " data/**/*.bin",
        )
    return patterns


def optional(
    value: object, parse: Callable[..., Parsed], *, origin: str, key: str
) -> Parsed | None:
    """Return `value` as `parse` reads it, None where nothing was written."""
    return None if value is None else parse(value, origin=origin, key=key)
