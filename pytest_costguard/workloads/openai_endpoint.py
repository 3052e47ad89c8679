"""An OpenAI-style endpoint as a workload: answers that stream, and when each token came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter_ns
from typing import Any

from pytest_costguard.errors import ConfigError
from pytest_costguard.measure.ports import Description
from pytest_costguard.measure.streamed import Streamed
from pytest_costguard.workloads import served_elsewhere
from pytest_costguard.workloads.addresses import shown_path
from pytest_costguard.workloads.endpoint_options import headers_of, seconds_of, verify_of
from pytest_costguard.workloads.http_exchange import (
    Exchange,
    NoAnswer,
    Reply,
    Request,
    require_success,
)
from pytest_costguard.workloads.openai_answers import AnswerReader
from pytest_costguard.workloads.openai_requests import Bodies, is_chat
from pytest_costguard.workloads.options import flag, require_known
from pytest_costguard.workloads.server_sent_events import EventStream
from pytest_costguard.workloads.written_requests import WrittenRequests

_OPTIONS = (
    "protocol",
    "model",
    "stream",
    "include_usage",
    "parameters",
    "headers",
    "verify",
    "timeout",
)
_ADAPTER = "openai endpoint"
_TIMEOUT_SECONDS = 120.0
"""For a whole answer: prompts are long, and so is what is written."""


class OpenAiEndpoint:
    """Sends each input to an address that completes chats or text, and follows the answer.

    Requests are made of the inputs once, beforehand.

    Args:
        url: one that ends in `/chat/completions` or `/completions`.
        threads: not used: the server's threads are its own.
        options: `model`; `stream` (True); `include_usage` (True: the server is asked to count
            tokens); `parameters` of every request; `headers`; `verify`; `timeout`, seconds for a
            whole answer.

    Raises:
        ConfigError: the address is none, or an option is unknown or does not fit.
        WorkloadError: urllib3 is not installed.
    """

    is_async = served_elsewhere.IS_ASYNC
    prepare = served_elsewhere.prepare
    synchronise = served_elsewhere.synchronise
    device_peak_bytes = served_elsewhere.device_peak_bytes
    reset_device_peak = served_elsewhere.reset_device_peak

    def __init__(
        self, url: str, *, threads: int = 1, options: Mapping[str, Any] | None = None
    ) -> None:
        del threads
        given = dict(options or {})
        require_known(given, known=_OPTIONS, adapter=_ADAPTER)
        self._bodies = Bodies(
            chat=is_chat(url),
            model=_model(given.get("model")),
            stream=flag(given, "stream", adapter=_ADAPTER, usual=True),
            include_usage=flag(given, "include_usage", adapter=_ADAPTER, usual=True),
            parameters=_parameters(given.get("parameters")),
        )
        accepted = "text/event-stream" if self._bodies.stream else "application/json"
        self._headers = {
            "Content-Type": "application/json",
            "Accept": accepted,
            **headers_of(given),
        }
        self._timeout_seconds = seconds_of({"timeout": _TIMEOUT_SECONDS, **given})
        self._exchange = Exchange(
            url, timeout_seconds=self._timeout_seconds, verify=verify_of(given)
        )
        self._path = shown_path(self._exchange.path)
        self._requests = WrittenRequests(self._request)

    @property
    def kind(self) -> str:
        """`openai`."""
        return "openai"

    @property
    def streams(self) -> bool:
        """Always: an answer tells its tokens even where it comes as a whole."""
        return True

    def load(self) -> None:
        """Do nothing: the server has loaded its model."""

    def function(self) -> Callable[[Any], Streamed]:
        """Return what sends one input and answers with a `Streamed` of a `Completion`."""
        return self._ask_streaming if self._bodies.stream else self._ask_whole

    def serving(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()

    def describe(self) -> Description:
        """Say the protocol, the path, the model and whether it streams; never host or port."""
        details = {
            "protocol": "openai",
            "path": self._path,
            "stream": "yes" if self._bodies.stream else "no",
        }
        if self._bodies.model is not None:
            details["model"] = self._bodies.model
        return Description(details=details)

    def _request(self, value: Any) -> Request:
        return Request(body=self._bodies.of(value), headers=self._headers)

    def _ask_streaming(self, value: Any) -> Streamed:
        request = self._requests.of(value)
        self._exchange.take_back()
        began = perf_counter_ns()
        with self._exchange.following(request) as response:
            require_event_stream(response, origin=self._exchange.origin + self._path)
            reader = AnswerReader(began_ns=began)
            limit_ns = began + round(self._timeout_seconds * 1e9)
            return _followed(response.read1, reader, limit_ns=limit_ns)

    def _ask_whole(self, value: Any) -> Streamed:
        request = self._requests.of(value)
        reader = AnswerReader(began_ns=perf_counter_ns())
        reply = self._exchange.send(request)
        require_success(reply, origin=self._exchange.origin + self._path)
        reader.take_whole(reply.body)
        return reader.answer()


def _followed(read: Callable[[], bytes], reader: AnswerReader, *, limit_ns: int) -> Streamed:
    """Read pieces of a body as they come, until the server says that there are no more."""
    events = EventStream()
    while not reader.done:
        piece = read()
        at = perf_counter_ns()
        if at > limit_ns:
            raise NoAnswer(
                "the answer was still coming when its time was up",
                remedy="give timeout= as long as one may take, or let fewer tokens be answered"
                " (max_tokens)",
            )
        if not piece:
            if (left := events.rest()) is not None:
                reader.take(left, at_ns=at)
            break
        for event in events.feed(piece):
            reader.take(event, at_ns=at)
    return reader.answer()


def require_event_stream(response: Any, *, origin: str) -> None:
    """Raise `NoAnswer` for a status that is no success, and for what is no stream of events."""
    kind = response.headers.get("content-type", "")
    successful = 200 <= response.status < 300
    if successful and kind.partition(";")[0].strip().lower() == "text/event-stream":
        return
    body = response.read()
    require_success(
        Reply(status=response.status, headers=response.headers, body=body), origin=origin
    )
    said = body[:200].decode("utf-8", errors="replace").strip()
    raise NoAnswer(
        f"{origin} answered with {kind or 'no content type'!r} instead of text/event-stream"
        + (f": {said}" if said else ""),
        remedy="give the address of a server that streams, or measure with stream=False",
    )


def _model(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise ConfigError(f"model={value!r} is no name", remedy='write model="my-model"')


def _parameters(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"parameters= is a {type(value).__qualname__}",
            remedy='write parameters={"max_tokens": 64, "temperature": 0}',
        )
    return {str(name): one for name, one in value.items()}
