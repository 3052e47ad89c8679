"""A channel of its own between coordinator and worker, apart from every printed word.

A socket carries length-prefixed msgpack. On POSIX it is one end of a socket pair that the worker
inherits; elsewhere the worker connects to a loopback port and shows a token.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import time
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

WORKER_VARIABLE = "COSTGUARD_WORKER"
"""Tells a worker the `Address` of its channel, as JSON."""
_HEADER = struct.Struct("!I")
_LARGEST_MESSAGE = 1 << 30
_CONNECT_SECONDS = 30.0
_SEND_SECONDS = 120.0
"""How long the other end may leave a message unread; long, since a person may suspend it."""

Received = TypeVar("Received")
Sent = TypeVar("Sent")


class ChannelClosed(Exception):
    """The other end is gone."""


class ChannelStuck(ChannelClosed):
    """The other end is there and does not read."""


class Channel(Generic[Received, Sent]):
    """Sends and receives whole messages; not shared between threads.

    Waiting is left to the socket's own time limit, which any descriptor may have; `select` takes
    none from 1024 on.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        receives: object,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        self._socket = connection
        self._send_seconds = send_seconds
        self._decoder: msgspec.msgpack.Decoder[Received] = msgspec.msgpack.Decoder(receives)
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray()

    def send(self, message: Sent) -> None:
        """Send one message.

        Raises:
            ChannelClosed: the other end is gone.
            ChannelStuck: it has not read for too long. Then nothing more can be sent, since half
                a message may be under way.
        """
        body = self._encoded(message)
        try:
            self._send_whole(memoryview(_HEADER.pack(len(body)) + body))
        except TimeoutError as error:
            self.close()
            raise ChannelStuck(f"nothing was read for {self._send_seconds:g} s") from error
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self, *, timeout_seconds: float | None = None) -> Received | None:
        """Return the next message, or None when none came in time.

        Raises:
            ChannelClosed: the other end is gone, or sent what is not a message.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (message := self._take()) is None:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                self._socket.settimeout(wait)
                chunk = self._socket.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if not chunk:
                raise ChannelClosed("end of stream")
            self._buffer += chunk
        return message

    def close(self) -> None:
        """Close this end; the other sees the end of the stream."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _encoded(self, message: Sent) -> bytes:
        try:
            return self._encoder.encode(message)
        except UnicodeEncodeError:  # somebody's exception, or a file name, holds a lone surrogate
            plain = msgspec.to_builtins(message, builtin_types=(bytes, Decimal))
            return self._encoder.encode(_printable(plain))

    def _send_whole(self, data: memoryview) -> None:
        """Send at once what fits, and the rest within the limit.

        A socket with a time limit waits until a good part of its buffer is free, though the
        message would fit.
        """
        self._socket.settimeout(0.0)
        with contextlib.suppress(BlockingIOError):
            data = data[self._socket.send(data) :]
        if data:
            self._socket.settimeout(self._send_seconds)
            self._socket.sendall(data)

    def _take(self) -> Received | None:
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        if length > _LARGEST_MESSAGE:
            raise ChannelClosed("not a message: its length is beyond reason")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise ChannelClosed(f"not a message: {error}") from error


def _printable(plain: object) -> object:
    """Write out with backslashes what no encoded text may hold, in all that a message holds."""
    if isinstance(plain, str):
        return plain.encode(errors="backslashreplace").decode()
    if isinstance(plain, dict):
        return {_printable(key): _printable(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_printable(one) for one in plain]
    return plain


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker reaches its coordinator: an inherited descriptor, or a port and a token."""

    descriptor: int | None = None
    port: int | None = None
    token: str = ""


class Rendezvous:
    """The coordinator's side of a channel that is not connected yet."""

    def __init__(self, *, inherit: bool = os.name == "posix") -> None:
        self._ours: socket.socket
        self._theirs: socket.socket | None = None
        if inherit:
            self._ours, self._theirs = socket.socketpair()
            self.address = Address(descriptor=self._theirs.fileno())
        else:
            self._ours = socket.create_server(("127.0.0.1", 0))
            self.address = Address(port=self._ours.getsockname()[1], token=secrets.token_hex(16))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """File descriptors that the worker's process must inherit."""
        return () if self._theirs is None else (self._theirs.fileno(),)

    def started(self) -> None:
        """Give up the worker's end, so that its death is seen here as the end of the stream."""
        if self._theirs is not None:
            self._theirs.close()

    def close(self) -> None:
        """Give up both ends, where no worker will connect."""
        self.started()
        self._ours.close()

    def connect(self) -> socket.socket:
        """Return the connected socket; waits for a worker that has to dial in."""
        if self._theirs is not None:
            return self._ours
        deadline = time.monotonic() + _CONNECT_SECONDS
        with self._ours as server:
            while (remaining := deadline - time.monotonic()) > 0:
                server.settimeout(remaining)
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    break
                connection.settimeout(1.0)
                with contextlib.suppress(OSError):
                    shown = connection.recv(len(self.address.token), socket.MSG_WAITALL)
                    if secrets.compare_digest(shown, self.address.token.encode()):
                        return connection
                connection.close()
        raise ChannelClosed("the worker did not connect")


def dial(address: Address) -> socket.socket:
    """Return the worker's end of the channel, closed in every process that the worker forks."""
    if address.descriptor is not None:
        connection = socket.socket(fileno=address.descriptor)
    else:
        connection = socket.create_connection(
            ("127.0.0.1", address.port or 0), timeout=_CONNECT_SECONDS
        )
        connection.sendall(address.token.encode())
    connection.set_inheritable(False)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=connection.close)
    return connection
