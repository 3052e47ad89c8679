"""Any HTTP endpoint by a template: how an input becomes a request, and an answer a result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer, Reply, Request

_WHOLE = re.compile(r"\{input(?:\[(?P<key>[^\]{}]+)\])?\}")
_SHOWN = 100
Body = Callable[[Any], Any] | Mapping[str, Any] | list[Any] | str | None
Place = Callable[[Any], Any] | str | None


def encoded(value: Any, *, body: Body, headers: Mapping[str, str], method: str) -> Request:
    """Return the request of one input.

    Args:
        value: the input.
        body: a function of the input that returns bytes, text or what is written as JSON; or a
            structure, or a text, in which `{input}` stands for the input and `{input[name]}` for
            an entry of it; None: the input itself.
        headers: sent with every request; `Content-Type` is that of the body unless it is given.
        method: `POST`, `GET` and so on.

    Raises:
        WorkloadError: the body cannot be written as JSON, or an input lacks an entry.
    """
    made = value if body is None else body(value) if callable(body) else _filled(body, value)
    content, kind = _written(made, method=method)
    typed = {} if any(name.lower() == "content-type" for name in headers) else kind
    return Request(body=content, headers={**typed, **headers}, method=method)


def decoded(reply: Reply, *, answer: Place) -> Any:
    """Return what an answer holds: JSON as its values, text as text, else the bytes.

    Args:
        reply: a successful one.
        answer: the place of the result in JSON, `predictions[0].score`, or a function of what was
            read; None: all of it.

    Raises:
        NoAnswer: it is not what its `Content-Type` says, or holds nothing at that place.
    """
    kind = reply.headers.get("content-type", "").lower()
    found: Any = reply.body
    if kind.partition(";")[0].strip().endswith(("/json", "+json")):
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise NoAnswer(
                f"the answer says that it is JSON, and is not: {error}: {reply.body[:_SHOWN]!r}",
                remedy="see what the server answers to one of the inputs",
            ) from error
    elif kind.startswith("text/"):
        found = reply.body.decode("utf-8", errors="replace")
    if callable(answer):
        return answer(found)
    return found if answer is None else _at(found, answer)


def checked_body(body: object) -> Body:
    """Return a template that `encoded` takes.

    Text that is JSON becomes the structure that it stands for, so that what is put in is escaped.

    Raises:
        ConfigError: it is of no use.
    """
    if not (body is None or callable(body) or isinstance(body, Mapping | list | str)):
        raise ConfigError(
            f"body={body!r} is no template",
            remedy='write body={"text": "{input}"}, or a function of the input',
        )
    if isinstance(body, str):
        with suppress(ValueError):
            parsed = json.loads(body)
            return parsed if isinstance(parsed, dict | list) else body
    return body


def checked_answer(answer: object) -> Place:
    """Return the place of a result; raises `ConfigError` where it is none."""
    if not (answer is None or callable(answer) or isinstance(answer, str)):
        raise ConfigError(
            f"answer={answer!r} is no place in an answer",
            remedy='write answer="predictions[0].score", or a function of the answer',
        )
    return answer


def _filled(template: Any, value: Any) -> Any:
    if isinstance(template, Mapping):
        return {name: _filled(part, value) for name, part in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(part, value) for part in template]
    if not isinstance(template, str):
        return template
    whole = _WHOLE.fullmatch(template)
    if whole is not None:
        return _entry(value, whole["key"])
    return _WHOLE.sub(lambda found: str(_entry(value, found["key"])), template)


def _entry(value: Any, key: str | None) -> Any:
    if key is None:
        return value
    try:
        return value[key] if isinstance(value, Mapping) else value[int(key)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise WorkloadError(
            f"body= asks for {{input[{key}]}}, and an input has none",
            remedy="give every input this entry, or let body= be a function",
        ) from error


def _written(made: Any, *, method: str) -> tuple[bytes, dict[str, str]]:
    if isinstance(made, bytes | bytearray):
        return bytes(made), {"Content-Type": "application/octet-stream"}
    if made is None or (method == "GET" and made == ""):
        return b"", {}
    try:
        if isinstance(made, str):
            return made.encode(), {"Content-Type": "text/plain; charset=utf-8"}
        return _as_json(made), {"Content-Type": "application/json"}
    except (TypeError, ValueError) as error:
        kind = "text" if isinstance(made, str) else "JSON"
        raise WorkloadError(
            f"the body of a request cannot be written as {kind}: {error}",
            remedy="let body= be a function of the input that returns bytes, text or plain values",
        ) from error


def _as_json(made: Any) -> bytes:
    return json.dumps(made, default=_plain, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.numpy(force=True)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a {type(value).__qualname__} is no plain value")


def _at(found: Any, place: str) -> Any:
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        try:
            found = found[int(number)] if number else found[name]
        except (KeyError, IndexError, TypeError) as error:
            raise NoAnswer(
                f"the answer has nothing at {place!r}: {str(found)[:_SHOWN]}",
                remedy="give answer= the place of the result in what the server answers",
            ) from error
    return found
