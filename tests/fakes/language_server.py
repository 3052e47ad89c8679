"""A server of a tiny language model that speaks as vLLM and llama.cpp do, and misbehaves on demand.

Run as a file it serves until its standard input ends, and says its port first. What a request's
`model` is called says how it is answered: `tiny` well, the others as `_MANNERS` say.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from fakes.language_model import TinyModel

MODEL = TinyModel()
SLOW_SECONDS = 0.05
OPEN_SECONDS = 1.0
BREAKS_AFTER = 3


@contextmanager
def language_server() -> Iterator[str]:
    """Serve in a process of its own; gives scheme, host and port."""
    fakes = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(fakes.parent),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    numbers = count()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        manner = body.get("model", "tiny")
        if manner == "busy" or (manner == "flaky" and next(self.numbers) % 4 == 3):
            self._whole(503, "application/json", b'{"error": {"message": "no room"}}')
        elif manner == "html":
            self._whole(200, "text/html", b"<h1>Welcome</h1>")
        elif not body.get("stream") or manner == "never-streams":
            self._complete(body)
        else:
            self._stream(body, manner)

    def _complete(self, body: dict[str, Any]) -> None:
        prompt, pieces = self._written(body)
        text = "".join(pieces)
        said = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        answer = {
            "choices": [{"index": 0, **said, "finish_reason": "length"}],
            "usage": _usage(prompt, len(text)),
        }
        self._whole(200, "application/json", json.dumps(answer).encode())

    def _stream(self, body: dict[str, Any], manner: str) -> None:
        prompt, pieces = self._written(body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if manner == "slow":
            time.sleep(SLOW_SECONDS)
        if self._chat:
            self._event(_chunk({"delta": {"role": "assistant", "content": ""}}))
        sent = 0
        for piece in _grouped(pieces, 2 if manner == "pairs" else 1):
            if sent == BREAKS_AFTER and manner in _BREAKING:
                _BREAKING[manner](self)
                return
            self._event(_chunk(self._said(piece, manner)))
            sent += 1
        last = {"delta": {}} if self._chat else {"text": ""}
        self._event(_chunk({**last, "finish_reason": "length"}))
        asked = (body.get("stream_options") or {}).get("include_usage")
        if asked and manner != "no-usage":
            written = sent * (2 if manner == "pairs" else 1)
            self._event({"choices": [], "usage": _usage(prompt, written)})
        self._chunk(b"data: [DONE]\n\n")
        if manner == "leaves-open":
            time.sleep(OPEN_SECONDS)
        self._chunk(b"")

    def break_off(self) -> None:
        """End well what is only half an answer."""
        self._chunk(b"")

    def close_the_connection(self) -> None:
        """Go away in the middle of a chunk."""
        self.wfile.write(b"40\r\ndata: {")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def tell_an_error(self) -> None:
        """Say in a stream that began well that it has failed."""
        self._event({"error": {"message": "out of memory", "code": 500}})
        self._chunk(b"")

    @property
    def _chat(self) -> bool:
        return self.path.endswith("/chat/completions")

    def _written(self, body: dict[str, Any]) -> tuple[list[int], Iterator[str]]:
        if self._chat:
            text = "\n".join(str(message["content"]) for message in body["messages"])
        else:
            text = body["prompt"]
        prompt = MODEL.tokens_of(text) if isinstance(text, str) else text
        return prompt, MODEL.write(prompt, most=body.get("max_tokens", 8))

    def _said(self, piece: str, manner: str) -> dict[str, Any]:
        if not self._chat:
            return {"text": piece}
        if manner == "reasons":
            return {"delta": {"reasoning_content": piece}}
        if manner == "calls":
            return {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}
        return {"delta": {"content": piece}}

    def _event(self, said: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(said).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _whole(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


_BREAKING = {
    "half": _Handler.break_off,
    "closes": _Handler.close_the_connection,
    "fails": _Handler.tell_an_error,
}


def _chunk(choice: dict[str, Any]) -> dict[str, Any]:
    return {"object": "chunk", "choices": [{"index": 0, "finish_reason": None, **choice}]}


def _usage(prompt: list[int], written: int) -> dict[str, int]:
    read = len(prompt)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _grouped(pieces: Iterator[str], size: int) -> Iterator[str]:
    while together := "".join(piece for _, piece in zip(range(size), pieces, strict=False)):
        yield together


if __name__ == "__main__":
    sys.setswitchinterval(1e-4)  # answers take turns a token at a time, as in a batch
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
