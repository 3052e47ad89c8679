"""Model servers in environments of their own (`make servers`), as processes of the tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENTS = CHECKOUT / ".servers"
APPS = CHECKOUT / "tests" / "integration" / "servers" / "apps"
MODEL = CHECKOUT / "example_repo" / "models" / "digits.int8.onnx"
_READY_SECONDS = 120.0
"""A start takes some seconds; beside other tests on two cores, longer."""
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class RunningServer:
    """A server that serves the model `digits`."""

    http: str
    """`http://host:port`"""
    grpc: str
    """`grpc://host:port`"""
    log: Path

    @property
    def infer(self) -> str:
        return f"{self.http}/v2/models/digits/infer"

    @property
    def grpc_model(self) -> str:
        return f"{self.grpc}/digits"

    def status(self, path: str) -> int:
        """Return the status of a GET, with its error ones."""
        return _status(self.http + path)


@contextmanager
def mlserver(
    folder: Path, *, model: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[RunningServer]:
    """Run MLServer in a folder, with more settings of the model or of the server.

    `parallel_workers` is 0: with the newest uvloop its workers find no event loop.
    """
    http, grpc = free_ports(2)
    _write_json(
        folder / "settings.json",
        {
            "host": "127.0.0.1",
            "http_port": http,
            "grpc_port": grpc,
            "metrics_endpoint": None,
            "parallel_workers": 0,
            **settings,
        },
    )
    _write_json(
        folder / "model-settings.json",
        {
            "name": "digits",
            "implementation": "digits_mlserver.Digits",
            "parameters": {"uri": str(MODEL)},
            **(model or {}),
        },
    )
    command = [program("mlserver", "mlserver"), "start", str(folder)]
    loads = settings.get("load_models_at_startup", True)
    ready = "/v2/models/digits/ready" if loads else "/v2/health/ready"
    with running(
        command, http=http, grpc=grpc, ready=ready, folder=folder, PYTHONPATH=str(APPS)
    ) as server:
        yield server


@contextmanager
def kserve(folder: Path) -> Iterator[RunningServer]:
    """Run a KServe model server."""
    http, grpc = free_ports(2)
    command = [
        program("kserve", "python"),
        str(APPS / "digits_kserve.py"),
        str(MODEL),
        f"--http_port={http}",
        f"--grpc_port={grpc}",
    ]
    ready = "/v2/models/digits/ready"
    with running(command, http=http, grpc=grpc, ready=ready, folder=folder) as server:
        yield server


@contextmanager
def running(
    command: Sequence[str], *, http: int, grpc: int, ready: str, folder: Path, **environment: str
) -> Iterator[RunningServer]:
    """Start a server, wait until it is ready, and end it with the block."""
    server = RunningServer(
        http=f"http://127.0.0.1:{http}", grpc=f"grpc://127.0.0.1:{grpc}", log=folder / "server.log"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=kept | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(process, server, ready)
        yield server
    finally:
        _end(process)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody has at the moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def program(environment: str, name: str) -> str:
    """Return the path of a program in a server's environment, or fail the test."""
    path = ENVIRONMENTS / environment / "bin" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: run `make servers`", pytrace=False)
    return str(path)


def _await(process: subprocess.Popen[bytes], server: RunningServer, ready: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while server.status(ready) != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            said = server.log.read_text(errors="replace")[-4000:]
            pytest.fail(f"the server is not ready ({process.poll()}):\n{said}", pytrace=False)
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait(_STOP_SECONDS)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
