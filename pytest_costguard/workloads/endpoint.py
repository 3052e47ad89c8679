"""An address as a workload: a server in a process of its own, asked over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any

from pytest_costguard.errors import ConfigError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads import request_template, v2_tensors
from pytest_costguard.workloads.http_exchange import (
    Exchange,
    Reply,
    Request,
    require_success,
)
from pytest_costguard.workloads.options import require_known

_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "v2": ("protocol", "binary", "headers", "verify", "request_timeout"),
        "template": (
            "protocol",
            "body",
            "answer",
            "method",
            "headers",
            "verify",
            "request_timeout",
        ),
    }
)
_V2_PATH = re.compile(r"(?P<model>.*/v2/models/[^/]+(?:/versions/[^/]+)?)/infer/?")
_TIMEOUT_SECONDS = 10.0


class Endpoint:
    """Sends each input to an address and waits for the whole answer.

    Requests are made of the inputs once, when each is first sent, so that their making is in no
    time but that of the first. The first answer to each input is read and checked in full; of
    later ones the status is, and they are read when somebody looks at them.

    Args:
        url: where to send.
        threads: not used: the server's threads are its own.
        options: `protocol` ("v2" or "template"; by the address if it is not given), `headers`,
            `verify`, `request_timeout` (seconds); of V2 `binary`; of a template `body`, `answer`
            and `method`.

    Raises:
        ConfigError: the address is none, or an option is unknown or does not fit.
        WorkloadError: urllib3 is not installed.
    """

    def __init__(
        self, url: str, *, threads: int = 1, options: Mapping[str, Any] | None = None
    ) -> None:
        del threads
        given = dict(options or {})
        self._protocol = _protocol(url, given)
        require_known(given, known=_OPTIONS[self._protocol], adapter=f"{self._protocol} endpoint")
        self._exchange = Exchange(
            url,
            timeout_seconds=_seconds(given.get("request_timeout", _TIMEOUT_SECONDS)),
            verify=given.get("verify", True),
        )
        self._encode, self._decode = _dialect(self._protocol, given)
        self._details: dict[str, str] = {}
        self._requests: dict[int, tuple[Any, Request]] = {}
        self._model_path = _model_path(self._exchange.path) if self._protocol == "v2" else None

    @property
    def kind(self) -> str:
        """`v2` or `http`."""
        return "v2" if self._protocol == "v2" else "http"

    @property
    def is_async(self) -> bool:
        """Never: a request is waited for in a thread."""
        return False

    def load(self) -> None:
        """Ask a V2 server for its model, so that one that does not serve it is told at once.

        Raises:
            NoAnswer: the server does not answer, or does not have the model.
        """
        if self._model_path is None or self._details:
            return
        reply = self._exchange.send(Request(body=b"", method="GET"), path=self._model_path)
        require_success(reply, origin=f"{self._exchange.origin}{self._model_path}")
        try:
            said = json.loads(reply.body)
        except ValueError:
            said = {}
        found = said if isinstance(said, dict) else {}
        self._details = {
            key: str(found[key]) for key in ("name", "platform", "versions") if found.get(key)
        }

    def function(self) -> Callable[[Any], Any]:
        """Return what sends one input and answers with an `Answer`."""
        return self._ask

    def synchronise(self) -> Callable[[], None] | None:
        """Return None: an answer is there when it is there."""
        return None

    def serving(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()

    def describe(self) -> Description:
        """Say the protocol, the path and what the server says of its model; never host or port."""
        details = {"protocol": self._protocol, "path": self._exchange.path, **self._details}
        return Description(details=details)

    def device_peak_bytes(self) -> int | None:
        """Return None: the server's device is not this process's."""
        return None

    def reset_device_peak(self) -> None:
        """Do nothing."""

    def _ask(self, value: Any) -> Any:
        known = self._requests.get(id(value))
        if known is None:
            return self._ask_first(value)
        reply = self._exchange.send(known[1])
        require_success(reply, origin=self._exchange.origin)
        return Answer(partial(self._decode, reply))

    def _ask_first(self, value: Any) -> Any:
        request = self._encode(value)
        reply = self._exchange.send(request)
        require_success(reply, origin=self._exchange.origin)
        answer = self._decode(reply)
        # The input is kept with it: an id is that of another object once this one is gone.
        self._requests[id(value)] = value, request
        return Answer(lambda: answer)


class Answer:
    """What a server answered, read when somebody looks: `value`, or an entry of it."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    @property
    def value(self) -> Any:
        """The answer: of V2, arrays by the names of the outputs."""
        return self._read()

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        del copy
        value = self.value
        if isinstance(value, Mapping) and len(value) == 1:
            (value,) = value.values()
        return np.asarray(value, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        theirs = other.value if isinstance(other, Answer) else other
        return bool(str(self.value) == str(theirs))

    def __hash__(self) -> int:
        return hash(str(self.value))

    def __repr__(self) -> str:
        return f"Answer({self.value!r})"


def _protocol(url: str, options: Mapping[str, Any]) -> str:
    asked = options.get("protocol")
    if asked is None:
        if "body" in options or "answer" in options:
            return "template"
        return "v2" if _V2_PATH.search(url) else "template"
    if asked not in _OPTIONS:
        raise ConfigError(
            f"protocol={asked!r} is not known", remedy=f"write one of {', '.join(_OPTIONS)}"
        )
    return str(asked)


def _dialect(
    protocol: str, options: Mapping[str, Any]
) -> tuple[Callable[[Any], Request], Callable[[Reply], Any]]:
    headers = _headers(options.get("headers"))
    if protocol == "v2":
        binary = options.get("binary", False)
        if not isinstance(binary, bool):
            raise ConfigError(
                f"binary={binary!r} is neither True nor False", remedy="write binary=True"
            )
        return partial(_v2_request, binary=binary, headers=headers), v2_tensors.decoded
    body, answer = options.get("body"), options.get("answer")
    request_template.check_template(body, answer=answer)
    encode = partial(
        request_template.encoded,
        body=body,
        headers=headers,
        method=str(options.get("method", "POST")).upper(),
    )
    return encode, partial(request_template.decoded, answer=answer)


def _v2_request(value: Any, *, binary: bool, headers: Mapping[str, str]) -> Request:
    made = v2_tensors.encoded(value, binary=binary)
    return Request(body=made.body, headers={**made.headers, **headers})


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ConfigError(
            f"headers= is a {type(value).__qualname__}, or holds what is no text",
            remedy='write headers={"Authorization": os.environ["TOKEN"]}',
        )
    return {str(name): text for name, text in value.items()}


def _seconds(value: object) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if not sound:
        raise ConfigError(
            f"request_timeout={value!r} is no number of seconds above zero",
            remedy="write request_timeout=10",
        )
    return float(value)  # type: ignore[arg-type]  # a number, as was just seen


def _model_path(path: str) -> str | None:
    found = _V2_PATH.fullmatch(path.partition("?")[0])
    return None if found is None else found["model"]
