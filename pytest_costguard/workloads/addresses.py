"""Addresses that requests are sent to: what they must be, and what of them no report may show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from pytest_costguard.errors import ConfigError

_SHOWN = 300
_END_OF_HOST = re.compile(r"[/?#]")


def checked_address(url: str, *, schemes: Sequence[str]) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ConfigError: it is none, has another scheme, or holds a name or password.
    """
    if not url.isascii():
        raise ConfigError(
            f"{url[:_SHOWN]!r} holds characters that addresses do not have",
            remedy="write other characters percent-encoded (%C3%BC), and hosts in Punycode",
        )
    if "@" in _END_OF_HOST.split(url.partition("://")[2])[0]:
        raise ConfigError(
            "the address holds a name or a password, which would stand in every report",
            remedy='give headers={"Authorization": os.environ["…"]} instead',
        )
    try:
        address = urlsplit(url)
        sound = address.scheme in schemes and bool(address.hostname) and address.port != 0
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        raise ConfigError(
            # A name and a password may stand anywhere in what cannot be taken apart.
            f"{url[:_SHOWN]!r} is not an address" if "@" not in url else "that is not an address",
            remedy="write http://host:port/path, for example"
            " http://127.0.0.1:8080/v2/models/reranker/infer",
        )
    return address


def shown_path(path: str) -> str:
    """Return a path as reports may show it: of its query the names, since values may be keys."""
    place, _, query = path.partition("?")
    names = [entry.partition("=")[0] for entry in query.split("&") if entry]
    return place + (f"?{'&'.join(names)}" if names else "")
