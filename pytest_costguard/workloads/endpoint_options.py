"""Options that every endpoint takes, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from pytest_costguard.errors import ConfigError

_TIMEOUT_SECONDS = 10.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2: what names of headers and methods are made of."""


def seconds_of(options: Mapping[str, Any]) -> float:
    """Return `timeout`, in seconds; raises `ConfigError` where it is no number above zero."""
    value = options.get("timeout", _TIMEOUT_SECONDS)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(
            f"timeout={value!r} is no number of seconds above zero", remedy="write timeout='10s'"
        )
    return float(value)


def verify_of(options: Mapping[str, Any]) -> bool | str:
    """Return `verify`; raises `ConfigError` where it is neither yes nor no nor a path."""
    value = options.get("verify", True)
    if isinstance(value, os.PathLike):
        return str(value)
    if not isinstance(value, bool | str):
        raise ConfigError(
            f"verify={value!r} is neither True, False nor a path",
            remedy="give the path of the certificate authority, or verify=False",
        )
    return value


def headers_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return `headers`; raises `ConfigError`, without their values, where they cannot be sent."""
    value = options.get("headers")
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for entry in value.items() for part in entry
    ):
        raise ConfigError(
            f"headers= is a {type(value).__qualname__}, or holds what is no text",
            remedy='write headers={"Authorization": os.environ["TOKEN"]}',
        )
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise ConfigError(
                f"headers= has the name {name!r}, which cannot be sent",
                remedy="write a name of letters, digits and hyphens, such as X-Request-Id",
            )
        if not text.isascii() or not text.isprintable():
            raise ConfigError(
                f"headers= has a value of {name!r} that cannot be sent",
                remedy="give plain text of one line: a token read from a file ends in a line feed",
            )
    return dict(value)


def method_of(options: Mapping[str, Any]) -> str:
    """Return `method`; raises `ConfigError` where it is none that can be sent."""
    value = options.get("method", "POST")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ConfigError(
            f"method={value!r} is no method of HTTP", remedy='write method="POST" or "GET"'
        )
    return value.upper()
