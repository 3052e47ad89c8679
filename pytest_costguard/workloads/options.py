"""Options that a test passes on to an adapter: known by name, or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pytest_costguard.errors import ConfigError


def require_known(options: Mapping[str, Any], *, known: Collection[str], adapter: str) -> None:
    """Refuse options that the adapter does not have, rather than ignore a misspelt one.

    Raises:
        ConfigError: an option is unknown; the remedy names the nearest one that is known.
    """
    for name in options:
        if name in known:
            continue
        nearest = get_close_matches(name, known, n=1)
        if nearest:
            remedy = f"did you mean {nearest[0]!r}?"
        elif known:
            remedy = f"leave it out; there are: {', '.join(sorted(known))}"
        else:
            remedy = "leave it out: this kind of workload has no options"
        raise ConfigError(f"{adapter}: unknown option {name!r}", remedy=remedy)


def flag(options: Mapping[str, Any], name: str, *, adapter: str, usual: bool = False) -> bool:
    """Return the yes-or-no option `name`, `usual` where it is not given.

    Raises:
        ConfigError: the value is neither True nor False.
    """
    value = options.get(name, usual)
    if not isinstance(value, bool):
        raise ConfigError(
            f"{adapter}: {name}={value!r} is neither True nor False",
            remedy=f"write {name}={not usual} or leave it out",
        )
    return value
