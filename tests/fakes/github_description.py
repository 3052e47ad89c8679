"""GitHub's own description of its API: what the fake is asked must be a request that it knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

_FILE = Path(__file__).parents[1] / "fixtures" / "github" / "openapi.json"
_ORIGIN = "https://api.github.com"


@dataclass
class _Request:
    """What openapi-core asks of a request."""

    path: str
    method: str
    body: bytes | None
    parameters: RequestParameters
    host_url: str = _ORIGIN
    content_type: str = field(default="application/json")


@cache
def _description() -> OpenAPI:
    return OpenAPI.from_dict(json.loads(_FILE.read_text(encoding="utf-8")))


def violation(
    method: str, path: str, *, query: Mapping[str, str], headers: Mapping[str, str], content: Any
) -> str:
    """Return why GitHub would not know a request; "" where it would."""
    known = {name: value for name, value in headers.items() if name != "authorization"}
    request = _Request(
        path=path,
        method=method.lower(),
        body=None if content is None else json.dumps(content).encode(),
        parameters=RequestParameters(query=ImmutableMultiDict(query), header=Headers(known)),
    )
    try:
        _description().validate_request(request)
    except OpenAPIError as error:
        return f"{method} {path}: {error} ({error.__cause__})"
    return ""
