"""One digest of all settings that measuring and deciding depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pytest_costguard.config.model import Settings

_LEFT_OUT = frozenset(
    {
        # What this run writes and whom it is compared with changes no figure of it.
        *("measure", "save", "report_dir", "baseline", "store", "against", "escalate"),
        *("base_python", "base_environment"),
        # Places: a checkout elsewhere is the same configuration. Prices have a digest of their own.
        *("origins", "rootdir", "config_file", "prices_csv", "digest"),
    }
)


def digest_of(settings: Settings) -> str:
    """Return the SHA-256 of what measuring and deciding depend on, wherever it was said."""
    content = {
        name: _plain(getattr(settings, name))
        for name in Settings.__dataclass_fields__
        if name not in _LEFT_OUT
    }
    return hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()


def _plain(value: Any) -> object:
    """Return nested settings as sorted plain values, without the fields that name a place."""
    fields = getattr(value, "__dataclass_fields__", None) or getattr(
        value, "__struct_fields__", None
    )
    if fields:
        names = [name for name in fields if name not in ("origin", "text")]
        return [(name, _plain(getattr(value, name))) for name in names]
    if isinstance(value, Mapping):
        return sorted((str(key), _plain(item)) for key, item in value.items())
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value)
