"""A server as a test declares it: its command, when it is ready, and on which port it answers."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pytest_costguard.app.adapters import is_address
from pytest_costguard.config.quantities import parse_duration
from pytest_costguard.errors import ConfigError
from pytest_costguard.host.ports import LOOPBACK

PORT = "{port}"
"""Stands for the port that is chosen."""
Ready = str | Callable[[], object]
_LOCAL = frozenset({LOOPBACK, "localhost", "::1", "0.0.0.0", "::"})  # noqa: S104 - nothing is bound
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredServer:
    """What a test says of a server that it starts; nothing is started yet."""

    nodeid: str
    command: tuple[str, ...]
    ready: tuple[Ready, ...]
    port: int | None
    """None: a free one is chosen."""
    environ: Mapping[str, str]
    """In addition to this process's own."""
    cwd: Path | None
    startup_seconds: float
    stop_seconds: float

    @property
    def words(self) -> str:
        """The command as a shell would take it, for messages."""
        return shlex.join(self.command)

    @property
    def program(self) -> str:
        """The name of the program, without its arguments: they may hold what is secret."""
        return Path(self.command[0]).name

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it must answer to be ready."""
        return tuple(one for one in self.ready if isinstance(one, str))

    def on(self, port: int) -> DeclaredServer:
        """Return the server with this port in the place of `{port}`."""

        def told(text: str) -> str:
            return text.replace(PORT, str(port))

        return replace(
            self,
            port=port,
            command=tuple(map(told, self.command)),
            ready=tuple(told(one) if isinstance(one, str) else one for one in self.ready),
            environ={name: told(value) for name, value in self.environ.items()},
        )

    def places(self) -> dict[int, str]:
        """Return the ports of this machine on which it answers, with the host that is asked."""
        assert self.port is not None, "asked once the port is known"
        known = [place for one in self.addresses if (place := local_place(one)) is not None]
        return {port: host for host, port in reversed([(LOOPBACK, self.port), *known])}


def local_place(address: str) -> tuple[str, int] | None:
    """Return host and port of an address of this machine; None for any other."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        return None
    host = parts.hostname or ""
    return (host, port) if host in _LOCAL and port else None


def declared_server(
    *,
    nodeid: str,
    command: Sequence[str | os.PathLike[str]] | str,
    ready: Ready | Sequence[Ready],
    port: int | None,
    env: Mapping[str, object] | None,
    cwd: str | os.PathLike[str] | None,
    startup_timeout: str,
    stop_timeout: str,
) -> DeclaredServer:
    """Read what a test says of a server.

    Raises:
        ConfigError: something is not understood, or the port cannot be known.
    """
    words = _command(command, nodeid=nodeid)
    environ = _environ(env, nodeid=nodeid)
    looks = _ready(ready, nodeid=nodeid)
    return DeclaredServer(
        nodeid=nodeid,
        command=words,
        ready=looks,
        port=_port(port, told=(*words, *environ.values()), ready=looks, nodeid=nodeid),
        environ=environ,
        cwd=None if cwd is None else Path(cwd),
        startup_seconds=parse_duration(startup_timeout, origin=nodeid, key="startup_timeout"),
        stop_seconds=parse_duration(stop_timeout, origin=nodeid, key="stop_timeout"),
    )


def _environ(env: object, *, nodeid: str) -> dict[str, str]:
    if not (env is None or isinstance(env, Mapping)):
        raise ConfigError(
            f"{nodeid}: server(env={env!r}) is not understood",
            remedy='give variables and their values: {"OMP_NUM_THREADS": "1"}',
        )
    return {str(name): str(value) for name, value in (env or {}).items()}


def _command(command: Sequence[str | os.PathLike[str]] | str, *, nodeid: str) -> tuple[str, ...]:
    try:
        if isinstance(command, str):
            words = tuple(shlex.split(command, posix=os.name == "posix"))
        else:
            words = tuple(os.fspath(word) for word in command)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{nodeid}: server(command={command!r}) is not understood: {error}",
            remedy='give the program and its arguments as text: ["mlserver", "start", "models/"]',
        ) from error
    if not words or not words[0] or not all(isinstance(word, str) for word in words):
        raise ConfigError(
            f"{nodeid}: server(command={command!r}) names no program",
            remedy='give the program and its arguments: ["mlserver", "start", "models/"]',
        )
    return words


def _ready(ready: Ready | Sequence[Ready], *, nodeid: str) -> tuple[Ready, ...]:
    several = isinstance(ready, Sequence) and not isinstance(ready, str)
    looks: tuple[Ready, ...] = tuple(ready) if several else (ready,)  # type: ignore[arg-type, assignment]  # of the author's, checked next
    for one in looks:
        if not callable(one) and not (is_address(one) and urlsplit(one).hostname):
            raise ConfigError(
                f"{nodeid}: server(ready={one!r}) is no address",
                remedy='give what answers 200 once the model is loaded: "http://127.0.0.1:{port}'
                '/v2/models/NAME/ready", a function that returns whether it is, or a list of them',
            )
    if not looks:
        raise ConfigError(
            f"{nodeid}: server(ready=[]) says nothing",
            remedy="give an address that answers 200 once the model is loaded, or a function",
        )
    return looks


def _port(
    port: int | None, *, told: Sequence[str], ready: Sequence[Ready], nodeid: str
) -> int | None:
    """The port that is given, or known from an address; None where a free one is to be chosen."""
    if port is not None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
            raise ConfigError(
                f"{nodeid}: server(port={port!r}) is no port",
                remedy="give a number from 1 to 65535, or leave it out and write {port}",
            )
        return port
    if any(PORT in text for text in told):
        return None
    addresses = [one for one in ready if isinstance(one, str)]
    known = [place for one in addresses if PORT not in one and (place := local_place(one))]
    if not known or any(PORT in one for one in addresses):
        raise ConfigError(
            f"{nodeid}: it is not known on which port the server answers",
            remedy="write {port} in its command or env, where a free port is put in its place;"
            " or give port=",
        )
    return known[0][1]
