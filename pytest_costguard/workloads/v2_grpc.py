"""A server that speaks the Open Inference Protocol V2 over gRPC, as a workload."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads import served_elsewhere
from pytest_costguard.workloads.addresses import checked_address
from pytest_costguard.workloads.answers import Answer, UnreadAnswers
from pytest_costguard.workloads.endpoint_options import headers_of, seconds_of, verify_of
from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.options import require_known
from pytest_costguard.workloads.v2_grpc_messages import SERVICE, message
from pytest_costguard.workloads.v2_tensors import from_raw, from_values, malformed, tensors_of
from pytest_costguard.workloads.written_requests import WrittenRequests

SCHEMES = ("grpc", "grpcs")
_PATH = re.compile(r"/(?P<model>[^/]+)(?:/(?P<version>[^/]+))?/?")
_OPTIONS = ("headers", "verify", "timeout")
_SHOWN = 300
_CHANNEL = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)
"""Nothing is tried twice or goes another way, since that would be timed as one request."""


class GrpcEndpoint:
    """Sends each input to `grpc://host:port/model[/version]` and waits for the answer.

    Tensors go as raw data. Requests are made of the inputs once, beforehand; the first answer to
    each input is read and checked in full when a stretch of requests is over, later ones when
    somebody looks at them. All requests share one connection, as gRPC has it.

    Args:
        url: where to send; `grpcs://` with TLS.
        threads: not used: the server's threads are its own.
        options: `headers` (sent as metadata), `verify` (the path of who is trusted), `timeout`
            (seconds).

    Raises:
        ConfigError: the address is none, or an option is unknown or does not fit.
        WorkloadError: grpcio or protobuf is not installed.
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
        require_known(given, known=_OPTIONS, adapter="gRPC endpoint")
        self._address = checked_address(url, schemes=SCHEMES)
        self._model, self._version = _model(self._address.path, url=url, port=self._address.port)
        self._timeout = seconds_of(given)
        self._metadata = tuple((name.lower(), text) for name, text in headers_of(given).items())
        self._grpc = _grpc()
        self._channel = self._opened(verify_of(given))
        self._infer = self._channel.unary_unary(f"/{SERVICE}/ModelInfer")
        self._details: dict[str, str] = {}
        self._requests = WrittenRequests(partial(encoded, model=self._model, version=self._version))
        self._answers = UnreadAnswers(decoded)

    @property
    def kind(self) -> str:
        """`v2-grpc`."""
        return "v2-grpc"

    def load(self) -> None:
        """Ask the server for its model, so that one that does not serve it is told at once.

        Raises:
            NoAnswer: the server does not answer, or does not have the model.
        """
        if self._details:
            return
        ask = self._channel.unary_unary(f"/{SERVICE}/ModelMetadata")
        asked = message("ModelMetadataRequest")(name=self._model, version=self._version)
        said = message("ModelMetadataResponse").FromString(
            self._called(ask, asked.SerializeToString())
        )
        details = {"platform": said.platform, "versions": ", ".join(said.versions)}
        self._details = {
            "protocol": "v2 over gRPC",
            "model": "/".join(filter(None, (self._model, self._version))),
            **{key: text for key, text in details.items() if text},
        }

    def function(self) -> Callable[[Any], Any]:
        """Return what sends one input and answers with an `Answer`."""
        return self._ask

    def describe(self) -> Description:
        """Say the protocol, the model and what the server says of it; never host or port."""
        return Description(details=dict(self._details))

    def _ask(self, value: Any) -> Answer:
        return self._answers.of(value, self._called(self._infer, self._requests.of(value)))

    def _called(self, call: Callable[..., Any], request: bytes) -> bytes:
        try:
            reply: bytes = call(request, timeout=self._timeout, metadata=self._metadata)
        except self._grpc.RpcError as error:
            raise self._failure(error) from error
        return reply

    def _failure(self, error: Any) -> NoAnswer:
        code = error.code().name
        what, remedy = _FAILURES.get(code, _REFUSED)
        words = " ".join(str(error.details()).split())[:_SHOWN]
        where = f"{self._address.scheme}://{self._address.netloc}{self._address.path}"
        return NoAnswer(f"{where}: {what} ({code}): {words}", remedy=remedy)

    def _opened(self, verify: bool | str) -> Any:
        target = self._address.netloc
        if self._address.scheme == "grpc":
            return self._grpc.insecure_channel(target, options=_CHANNEL)
        credentials = self._grpc.ssl_channel_credentials(root_certificates=_roots(verify))
        return self._grpc.secure_channel(target, credentials, options=_CHANNEL)


_REFUSED = (
    "the request was refused",
    "give the names, shapes and datatypes that the model wants, and see the server's log",
)
_FAILURES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "UNAVAILABLE": (
            "no connection",
            "start the server first, wait until it is ready, and give the port of gRPC, not HTTP's",
        ),
        "DEADLINE_EXCEEDED": (
            "no answer in time",
            "give timeout= as long as a request may take",
        ),
        "NOT_FOUND": (
            "the server does not have the model",
            "check the name and the version in the address, and that the server has loaded it",
        ),
        "UNIMPLEMENTED": (
            "the server does not speak the V2 protocol over gRPC",
            "give the address of its HTTP port: http://host:port/v2/models/NAME/infer",
        ),
        "UNAUTHENTICATED": (
            "the server does not know who asks",
            'give headers={"authorization": …}, and a token that the server knows',
        ),
        "INVALID_ARGUMENT": _REFUSED,
    }
)
"""What status codes mean, and what to do about it; `_REFUSED` is all others."""


def encoded(value: object, *, model: str, version: str) -> bytes:
    """Return the request of one input, tensors by name, written down.

    Raises:
        WorkloadError: the input is no tensors by name, or V2 does not have their type.
    """
    tensors = tensors_of(value)
    request = message("ModelInferRequest")(model_name=model, model_version=version)
    for tensor in tensors:
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        request.raw_input_contents.append(tensor.raw())
    written: bytes = request.SerializeToString()
    return written


def decoded(reply: bytes) -> dict[str, Any]:
    """Return the tensors of an answer by name, as arrays; BYTES as arrays of `bytes`.

    Raises:
        NoAnswer: it is no answer, or its data does not fit the shapes that it declares.
    """
    from google.protobuf.message import DecodeError

    try:
        answer = message("ModelInferResponse").FromString(reply)
    except DecodeError as error:
        raise malformed(str(error)) from error
    raw: Sequence[bytes] = answer.raw_output_contents
    if raw and len(raw) != len(answer.outputs):
        raise malformed(f"it has {len(answer.outputs)} outputs and {len(raw)} raw contents")
    found = {}
    for number, output in enumerate(answer.outputs):
        said = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        found[output.name] = (
            from_raw(raw[number], **said) if raw else from_values(_values(output), **said)
        )
    return found


def _values(output: Any) -> list[Any]:
    for _, values in output.contents.ListFields():
        return list(values)
    return []


def _model(path: str, *, url: str, port: int | None) -> tuple[str, str]:
    found = _PATH.fullmatch(path)
    if found is None or port is None:
        raise ConfigError(
            f"{url[:_SHOWN]!r} does not name a port and a model",
            remedy="write grpc://host:port/model or grpc://host:port/model/version",
        )
    return found["model"], found["version"] or ""


def _grpc() -> Any:
    try:
        import google.protobuf
        import grpc
    except ImportError as error:
        raise WorkloadError(
            f"an address with grpc:// needs grpcio and protobuf: {error}",
            remedy="install the extra: pip install 'pytest-costguard[grpc]'",
        ) from error
    del google
    return grpc


def _roots(verify: bool | str) -> bytes | None:
    if verify is False:
        raise ConfigError(
            "gRPC always checks the server's certificate",
            remedy="give verify= the path of the certificate authority, or use grpc://",
        )
    if verify is True:
        return None
    try:
        return Path(verify).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"verify={verify!r} cannot be read: {error}",
            remedy="give the path of a PEM file with the certificate authority",
        ) from error
