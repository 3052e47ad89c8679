"""An address as a workload: a server in a process of its own, asked over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from pytest_costguard.errors import ConfigError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads import request_template, served_elsewhere, v2_rest
from pytest_costguard.workloads.addresses import shown_path
from pytest_costguard.workloads.answers import Answer, UnreadAnswers
from pytest_costguard.workloads.endpoint_options import headers_of, method_of, seconds_of, verify_of
from pytest_costguard.workloads.http_exchange import (
    Exchange,
    NoAnswer,
    Reply,
    Request,
    require_success,
)
from pytest_costguard.workloads.options import flag, require_known
from pytest_costguard.workloads.written_requests import WrittenRequests

_OF_ALL = ("protocol", "headers", "verify", "timeout")
_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"v2": (*_OF_ALL, "binary"), "template": (*_OF_ALL, "body", "answer", "method")}
)
_MODEL = r".*/v2/models/[^/?]+(?:/versions/[^/?]+)?"
_INFER = re.compile(rf"({_MODEL})/infer/?(?:\?.*)?")
_EMPTY = "nothing"
_NO_INFER = re.compile(rf"{_MODEL}/?")


class Endpoint:
    """Sends each input to an address and waits for the whole answer.

    Requests are made of the inputs once, beforehand. Of each answer the status is checked, and
    that its media type is that of the first answer to the same input, and something where that was;
    the first one to each input is read and checked in full when a stretch of requests is over,
    later ones when somebody looks at them.

    Args:
        url: where to send.
        threads: not used: the server's threads are its own.
        options: `protocol` ("v2" or "template"; by the address if it is not given), `headers`,
            `verify`, `timeout` (seconds); of V2 `binary`; of a template `body`, `answer` and
            `method`.

    Raises:
        ConfigError: the address is none, or an option is unknown or does not fit.
        WorkloadError: urllib3 is not installed.
    """

    is_async = served_elsewhere.IS_ASYNC
    prepare = served_elsewhere.prepare
    serving = served_elsewhere.serving
    synchronise = served_elsewhere.synchronise
    device_peak_bytes = served_elsewhere.device_peak_bytes
    reset_device_peak = served_elsewhere.reset_device_peak

    def __init__(
        self, url: str, *, threads: int = 1, options: Mapping[str, Any] | None = None
    ) -> None:
        del threads
        given = dict(options or {})
        self._protocol = _protocol(url, given)
        require_known(given, known=_OPTIONS[self._protocol], adapter=f"{self._protocol} endpoint")
        self._exchange = Exchange(url, timeout_seconds=seconds_of(given), verify=verify_of(given))
        encode, decode = _dialect(self._protocol, given)
        self._requests = WrittenRequests(encode)
        self._answers = UnreadAnswers(decode)
        path = shown_path(self._exchange.path)
        self._where = self._exchange.origin + path
        self._details = {"protocol": self._protocol, "path": path}
        self._remedy = _remedy(self._protocol, given)
        self._details |= _choices(self._protocol, given)
        self._shapes: dict[int, str] = {}
        """Of the first answer to each input, by its id: the media type, or that it was empty."""
        self._is_loaded = False

    @property
    def kind(self) -> str:
        """`v2` or `http`."""
        return "v2" if self._protocol == "v2" else "http"

    def load(self) -> None:
        """Ask a V2 server for its model, so that one that does not serve it is told at once.

        Raises:
            NoAnswer: the server does not answer, or does not have the model.
        """
        infer = _INFER.fullmatch(self._exchange.path) if self._protocol == "v2" else None
        if infer is None or self._is_loaded:
            return
        reply = self._exchange.send(Request(body=b"", method="GET"), path=infer[1])
        require_success(reply, origin=f"{self._exchange.origin}{infer[1]}")
        self._details |= _said_of_itself(reply)
        self._is_loaded = True

    def function(self) -> Callable[[Any], Any]:
        """Return what sends one input and answers with an `Answer`."""
        return self._ask

    def describe(self) -> Description:
        """Say the protocol, the path and what the server says of its model; never host or port."""
        return Description(details=dict(self._details))

    def _ask(self, value: Any) -> Answer:
        reply = self._exchange.send(self._requests.of(value))
        remedy = "" if self._answers.knows(value) else self._remedy
        require_success(reply, origin=self._where, remedy=remedy)
        self._require_alike(value, reply)
        return self._answers.of(value, reply)

    def _require_alike(self, value: Any, reply: Reply) -> None:
        """Raise `NoAnswer` for one that is plainly another thing than the first to this input."""
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        shape = kind if reply.body else _EMPTY
        first = self._shapes.setdefault(id(value), shape)
        if shape != first:
            raise NoAnswer(
                f"{self._where} answered with {shape or 'bytes'} where it had answered with"
                f" {first or 'bytes'}",
                remedy="see what the server's log says of this request",
            )


def _protocol(url: str, options: Mapping[str, Any]) -> str:
    asked = options.get("protocol")
    if asked is not None:
        if asked not in _OPTIONS:
            raise ConfigError(
                f"protocol={asked!r} is not known",
                remedy=f"write one of {', '.join(_OPTIONS)}, openai",
            )
        return str(asked)
    if _NO_INFER.fullmatch(url):
        raise ConfigError(
            f"{url.rpartition('@')[2]} is a model of the V2 protocol, which is asked at …/infer",
            remedy="add /infer to the address",
        )
    templated = "body" in options or "answer" in options
    return "v2" if _INFER.fullmatch(url) and not templated else "template"


def _dialect(
    protocol: str, options: Mapping[str, Any]
) -> tuple[Callable[[Any], Request], Callable[[Reply], Any]]:
    headers = headers_of(options)
    if protocol == "v2":
        binary = flag(options, "binary", adapter="v2 endpoint")
        return partial(_v2_request, binary=binary, headers=headers), v2_rest.decoded
    encode = partial(
        request_template.encoded,
        body=request_template.checked_body(options.get("body")),
        headers=headers,
        method=method_of(options),
    )
    answer = request_template.checked_answer(options.get("answer"))
    return encode, partial(request_template.decoded, answer=answer)


def _v2_request(value: Any, *, binary: bool, headers: Mapping[str, str]) -> Request:
    made = v2_rest.encoded(value, binary=binary)
    return Request(body=made.body, headers={**made.headers, **headers})


def _choices(protocol: str, options: Mapping[str, Any]) -> dict[str, str]:
    """What of the options makes another workload of it; headers are nobody else's business."""
    if protocol == "v2":
        return {"data": "binary" if options.get("binary") else "JSON"}
    return {"method": method_of(options)}


def _remedy(protocol: str, options: Mapping[str, Any]) -> str:
    """What to do where an input was never answered, and the status does not say why."""
    if protocol == "v2" and options.get("binary"):
        return "leave binary=True out: the server may not know the binary tensor data extension"
    if protocol == "v2":
        return "give the names, shapes and datatypes that the model wants: GET …/v2/models/NAME"
    return "send one of the inputs by hand, and see what the server wants otherwise"


def _said_of_itself(reply: Reply) -> dict[str, str]:
    try:
        said = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    found = said if isinstance(said, dict) else {}
    details = {"model": found.get("name"), "platform": found.get("platform")}
    versions = found.get("versions")
    if isinstance(versions, list):
        details["versions"] = ", ".join(map(str, versions))
    return {key: str(value) for key, value in details.items() if value}
