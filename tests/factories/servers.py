"""Commands of the small real server, and what talks to it."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / "fakes" / "server.py"
READY = "http://127.0.0.1:{port}/ready"


def command(*options: str, port: str | int = "{port}") -> list[str]:
    return [sys.executable, str(PROGRAM), str(port), *options]


def asked(port: int, path: str, body: bytes | None = None) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()


def pids_of(port: int) -> list[int]:
    return json.loads(asked(port, "/pids"))
