"""Requests to an OpenAI-style endpoint: how an input becomes the body of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pytest_costguard.errors import ConfigError, WorkloadError

_CHAT = "/chat/completions"
_COMPLETIONS = "/completions"


def speaks_openai(url: str, options: Mapping[str, Any]) -> bool:
    """Whether an address is to be measured as an OpenAI-style endpoint: it says so, or its path."""
    if options.get("protocol") is not None:
        return bool(options["protocol"] == "openai")
    if "body" in options or "answer" in options:
        return False
    return _path(url).endswith((_CHAT, f"/v1{_COMPLETIONS}"))


def is_chat(url: str) -> bool:
    """Whether an address takes messages, rather than a prompt.

    Raises:
        ConfigError: it takes neither.
    """
    path = _path(url)
    if path.endswith(_CHAT):
        return True
    if path.endswith(_COMPLETIONS):
        return False
    raise ConfigError(
        f"protocol='openai' does not know the path {path or '/'!r}",
        remedy="give the whole address: http://host:port/v1/chat/completions, or …/v1/completions",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """What is the same in the bodies of all requests."""

    chat: bool
    model: str | None = None
    stream: bool = True
    include_usage: bool = True
    """Whether the server is asked to count tokens at the end of a stream."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of every request, unless it has its own: `max_tokens`, `temperature`."""

    def of(self, value: Any) -> bytes:
        """Return the body of the request for one input.

        Args:
            value: a whole body; or messages; or a prompt: text, which a chat takes as one message
                of the user, or, where no messages are taken, a list of token ids.

        Raises:
            WorkloadError: it is none of these, or asks for what cannot be measured.
        """
        body = {**self.parameters, **self._asked(value)}
        if self.model is not None:
            body["model"] = self.model
        self._check(body)
        body["stream"] = self.stream
        if self.stream and self.include_usage:
            body["stream_options"] = {"include_usage": True, **(body.get("stream_options") or {})}
        try:
            return json.dumps(body).encode()
        except (TypeError, ValueError) as error:
            raise WorkloadError(
                f"an input cannot be written as JSON: {error}",
                remedy="give plain text, numbers, lists and dictionaries",
            ) from error

    def _asked(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        if self.chat:
            if isinstance(value, str):
                return {"messages": [{"role": "user", "content": value}]}
            if _is_list_of(value, Mapping):
                return {"messages": list(value)}
        elif isinstance(value, str) or _is_list_of(value, int):
            return {"prompt": value if isinstance(value, str) else list(value)}
        wanted = "a list of messages" if self.chat else "a list of token ids"
        raise WorkloadError(
            f"an input is a {type(value).__qualname__}, and no request of this endpoint",
            remedy=f"give the body of a request, {wanted}, or a prompt as text",
        )

    def _check(self, body: Mapping[str, Any]) -> None:
        needed = "messages" if self.chat else "prompt"
        if needed not in body:
            raise WorkloadError(
                f"the body of a request has no {needed!r}",
                remedy=f"an address that ends in {_CHAT if self.chat else _COMPLETIONS} needs it",
            )
        if body.get("stream", self.stream) != self.stream:
            raise WorkloadError(
                f"the body of a request says stream={body['stream']!r}",
                remedy=f"say it once for all: measure(…, stream={bool(body['stream'])})",
            )
        if body.get("n", 1) != 1 or body.get("best_of", 1) != 1:
            raise WorkloadError(
                "the body of a request asks for several answers at once",
                remedy="ask for one (n=1): between tokens of two answers no gap means a thing",
            )


def _is_list_of(value: Any, kind: type) -> bool:
    listed = isinstance(value, list | tuple) and bool(value)
    return listed and all(isinstance(entry, kind) for entry in value)


def _path(url: str) -> str:
    """Return the path of an address; "" of what is none, which whoever sends to it will say."""
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""
