"""A loopback HTTP server whose answers take what a known distribution says: for load generators.

`python -m benchmarks.load.known_server PORT MEAN_MS` answers any request over HTTP/1.1 on
connections that stay open, after an exponential delay of that mean (0: at once), however many are
under way. It speaks as little HTTP as load generators need, so that it takes tens of microseconds
a request. Where uvloop is installed it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from typing import cast

_BODY = b'{"outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[0.5]}]}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)


class Connection(asyncio.Protocol):
    """Takes one request after another and answers each when its delay is over."""

    def __init__(self, *, mean_seconds: float, chance: random.Random) -> None:
        self._mean = mean_seconds
        self._chance = chance
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _content_length(self._buffer[:end])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer()

    def _answer(self) -> None:
        if not self._mean:
            self._write()
            return
        delay = self._chance.expovariate(1 / self._mean)
        asyncio.get_running_loop().call_later(delay, self._write)

    def _write(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_ANSWER)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int, mean_seconds: float) -> None:
    chance = random.Random(20_261_127)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(mean_seconds=mean_seconds, chance=chance), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1e3))
