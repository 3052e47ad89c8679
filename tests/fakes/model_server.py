"""A small model server on the loopback, made with the standard library: V2 over REST, and faults.

Its model `double` takes tensors of any name and answers with `y`, twice the first of them.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np

LONGEST_SECONDS = 10.0
"""No handler waits longer, whatever becomes of the test."""
HEADER_LENGTH = "Inference-Header-Content-Length"
INFER = "/v2/models/double/infer"


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class State:
    """What the server has seen, and what ends its waiting."""

    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    answer: Callable[[Seen], tuple[int, bytes, dict[str, str]]] | None = None
    """Answers instead of the server's own."""


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.state.connections += 1

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        seen = Seen(
            method=method,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length") or 0)),
        )
        state = self.server.state
        state.seen.append(seen)
        with suppress(OSError):  # who asked may have gone meanwhile
            if state.answer is not None:
                return self._send(*state.answer(seen))
            fault = _FAULTS.get(urlsplit(self.path).path)
            return fault(self) if fault is not None else self._send(*_answer(seen))
        return None

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def busy(self) -> None:
        self._send(503, b"no worker is free", {"Content-Type": "text/plain"})

    def redirected(self) -> None:
        self._send(302, b"", {"Location": "/elsewhere"})

    def dropped(self) -> None:
        self.close_connection = True

    def half(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b'{"outputs"')
        self.close_connection = True

    def slow(self) -> None:
        self.server.state.go_on.wait(LONGEST_SECONDS)
        self._send(200, b"{}", {"Content-Type": "application/json"})

    def closing(self) -> None:
        self._send(200, b"{}", {"Content-Type": "application/json", "Connection": "close"})
        self.close_connection = True


_FAULTS: dict[str, Callable[[_Handler], None]] = {
    "/busy": _Handler.busy,
    "/redirected": _Handler.redirected,
    "/dropped": _Handler.dropped,
    "/half": _Handler.half,
    "/slow": _Handler.slow,
    "/closing": _Handler.closing,
}


class ModelServer(ThreadingHTTPServer):
    """The server; `url` with a path is an address."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, state: State, *, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self._scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that were cut on purpose."""

    def url(self, path: str = INFER) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}{path}"


@contextmanager
def serving(*, context: ssl.SSLContext | None = None) -> Iterator[ModelServer]:
    """Serve until the end of the block."""
    state = State()
    server = ModelServer(state, context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        state.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(seen: Seen) -> tuple[int, bytes, dict[str, str]]:
    path = urlsplit(seen.path).path
    if path in ("/v2/models/double", "/v2/models/double/versions/2"):
        said = {"name": "double", "versions": ["1", "2"], "platform": "numpy", "inputs": []}
        return _json(said)
    if path == INFER or path == "/v2/models/double/versions/2/infer":
        return _doubled(seen)
    if path == "/echo":
        kind = seen.headers.get("content-type", "")
        return 200, seen.body, {"Content-Type": kind} if kind else {}
    return _json({"error": f"{path} is not here"}, status=404)


def _json(said: Any, *, status: int = 200) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(said).encode(), {"Content-Type": "application/json"}


def _doubled(seen: Seen) -> tuple[int, bytes, dict[str, str]]:
    """Twice the first input, of FP32, in the encoding in which it was asked."""
    length = seen.headers.get(HEADER_LENGTH.lower())
    document = json.loads(seen.body[: None if length is None else int(length)])
    tensor = document["inputs"][0]
    if tensor["datatype"] != "FP32":
        return _json({"error": f"no {tensor['datatype']} here"}, status=400)
    head = {"name": "y", "shape": tensor["shape"], "datatype": "FP32"}
    if length is None:
        data = [2 * value for value in tensor["data"]]
        return _json({"model_name": "double", "outputs": [{**head, "data": data}]})
    size = tensor["parameters"]["binary_data_size"]
    raw = (2 * np.frombuffer(seen.body[int(length) :][:size], "<f4")).astype("<f4").tobytes()
    outputs = [{**head, "parameters": {"binary_data_size": len(raw)}}]
    header = json.dumps({"model_name": "double", "outputs": outputs}).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
    return 200, header + raw, headers
