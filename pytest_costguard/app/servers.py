"""The server that a test starts: started, waited for, watched, and stopped whatever happens."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from pytest_costguard.app.declared_servers import DeclaredServer, local_place
from pytest_costguard.engine.last_words import ending, telling_part
from pytest_costguard.errors import ConfigError, CostguardError, PortInUse, ServerError
from pytest_costguard.host.ports import Claim, answers, free_port
from pytest_costguard.host.readiness import (
    Ended,
    NotReady,
    answers_200,
    says_so,
    wait_until_ready,
)
from pytest_costguard.host.server_log import last_output, quoted
from pytest_costguard.host.server_process import ServerProcess
from pytest_costguard.host.server_watch import ServerWatch, watch

SERVER_DETAIL = "server"
"""In a declaration's details: the program of the server that the test has started."""
LINGER_SECONDS = 2.0
"""How long a port may stay in use by a server that was told to end."""
_LOOK_SECONDS = 0.05
_CHOICES = 20
"""Ports that are chosen before it is given up: each is free at that moment, so one suffices."""
_DYING_SECONDS = 0.5
"""A connection breaks before its server's exit status is known."""
_TAKEN = (
    "address already in use",
    "address in use",
    "eaddrinuse",
    "only one usage of each socket address",
)
"""What servers write that cannot have a port of theirs, in small letters."""


class StartedServer:
    """A server that is ready, and the test's hold on it.

    Attributes:
        port: the one in the place of `{port}`, or the given one.
        url: `http://127.0.0.1:PORT`.
        log: the file that holds what it has printed.
        pid: of the process that was started.
        startup_seconds: from the start of its process until it was ready.
    """

    def __init__(
        self,
        declared: DeclaredServer,
        process: ServerProcess,
        *,
        log: Path,
        environ: dict[str, str],
    ) -> None:
        assert declared.port is not None, "started on a port that is known"
        self.port: int = declared.port
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.pid = process.process.pid
        self.startup_seconds = 0.0
        self.program = declared.program
        self._declared = declared
        self._process = process
        self._environ = environ
        self._doing = "while it was started"

    def __repr__(self) -> str:
        return f"<server {self._declared.program!r} at {self.url}>"

    @property
    def details(self) -> dict[str, str]:
        """What the declaration of a workload that it answers says of it."""
        return {SERVER_DETAIL: self.program}

    def serves(self, address: str) -> bool:
        """Whether an address is one of this server's."""
        place = local_place(address)
        return place is not None and place[1] in self._declared.places()

    def watch(self) -> ServerWatch:
        """Return what reads its memory and its CPU time."""
        return watch(self._process.tree, environ=self._environ)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Blame the server for what goes wrong meanwhile, where it has ended by itself.

        Where it has not, the error is the test's own, with the end of the server's log as a note.

        Raises:
            ServerError: it has ended; instead of the errors of connections that broke.
        """
        try:
            yield
        except Exception as error:
            status = self._process.ended_within(_DYING_SECONDS)
            if isinstance(error, ServerError):
                raise
            if status is None:
                self._quote_at(error)
                raise
            raise self._has_ended(status) from error
        self.require_alive()

    def require_alive(self) -> None:
        """Raise `ServerError` where the server has ended by itself."""
        if not self._process.alive():
            raise self._has_ended(self._process.ended_within(0.0))

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            ServerError: it has ended, or its time is up.
            PortInUse: it has ended since a port of its was in use.
        """
        looks = [
            answers_200(one) if isinstance(one, str) else says_so(one)
            for one in self._declared.ready
        ]
        try:
            ready = wait_until_ready(
                looks, seconds=self._declared.startup_seconds, runs=self._process.alive
            )
        except Ended:
            raise self._ended_too_soon() from None
        except NotReady as late:
            raise self._late(str(late)) from None
        self.startup_seconds = ready - self._process.started
        self._doing = "while it was in use"

    def explain(self, error: BaseException) -> None:
        """Note at an error of the test that the server had ended by itself before, if it had."""
        if not isinstance(error, ServerError) and not self._process.alive():
            error.add_note(str(self._has_ended(self._process.ended_within(0.0)).message))

    def _quote_at(self, error: Exception) -> None:
        """Note at an error what the server has printed last: often it says why."""
        with suppress(OSError):  # without its log the error stays what it is
            if not isinstance(error, ConfigError) and (said := quoted(last_output(self.log))):
                up = f"The server ({self._declared.words}) is still up; it said last:"
                error.add_note(f"{up}\n{said}")

    def last_output(self) -> str:
        """Return what tells most of what it has printed last."""
        return telling_part(last_output(self.log))

    def _said(self) -> str:
        """What it has printed last; the first line by itself, since a report shows no more."""
        output = self.last_output()
        if not output:
            return "; it has printed nothing"
        *before, last = output.splitlines()
        said = f"; it said last: {quoted(last).strip()}"
        return f"{said}\nIts last output:\n{output}" if before else said

    def _has_ended(self, status: int | None) -> ServerError:
        return ServerError(
            f"the server ({self._declared.words}) {ending(status)} {self._doing}{self._said()}",
            remedy="run the server by itself and send it the same requests, to see it end",
        )

    def _ended_too_soon(self) -> ServerError:
        status = self._process.ended_within(_DYING_SECONDS)
        began = f"the server ({self._declared.words}) {ending(status)} before it was ready"
        words = f"{began}{self._said()}"
        if any(sign in self.last_output().lower() for sign in _TAKEN):
            return PortInUse(words, remedy=_OTHER_PORT)
        if status == 0:
            return ServerError(
                words,
                remedy="see its output; and let it stay in the foreground: what a command leaves"
                " behind in the background is not watched",
            )
        return ServerError(words, remedy="run the command by itself, and mend what fails there")

    def _late(self, seen: str) -> ServerError:
        return ServerError(
            f"the server ({self._declared.words}) was not ready within"
            f" {self._declared.startup_seconds:g} s: {seen}{self._said()}",
            remedy="see its output, check ready=, or allow it more: server(…,"
            " startup_timeout='5min')",
        )


_OTHER_PORT = (
    "stop what runs there, which an earlier run may have left; or let a free port be chosen: write"
    " {port} in command= and ready="
)


class AtTheTestsLine:
    """The context of a server whose errors are shown at the test's own line, not at ours."""

    def __init__(self, context: AbstractContextManager[StartedServer]) -> None:
        self._context = context

    def __enter__(self) -> StartedServer:
        __tracebackhide__ = True
        try:
            return self._context.__enter__()
        except CostguardError as error:
            raise error.with_traceback(None)  # noqa: B904  # it is the same one

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._context.__exit__(kind, error, traceback)


@contextmanager
def running(declared: DeclaredServer, *, patience_seconds: float) -> Iterator[StartedServer]:
    """Start a server, wait until it is ready, and end it with all that it started.

    Args:
        declared: what the test says of it.
        patience_seconds: how long a port may stay with another server of a test.

    Raises:
        ServerError: it could not be started, has ended, or was not ready in time.
        PortInUse: something else has its port.
    """
    with ExitStack() as undo:
        chosen, keeps = _on_a_port(declared, undo, patience_seconds=patience_seconds)
        # Where it cannot be removed, it is on Windows, which keeps open files.
        folder = undo.enter_context(
            tempfile.TemporaryDirectory(prefix="costguard-server-", ignore_cleanup_errors=True)
        )
        server = _start(chosen, Path(folder), keeps=keeps, undo=undo)
        server.wait()
        try:
            yield server
        except BaseException as error:
            server.explain(error)
            raise


def _start(
    declared: DeclaredServer, folder: Path, *, keeps: list[int], undo: ExitStack
) -> StartedServer:
    log = folder / "server.log"
    environ = {**os.environ, **declared.environ}
    try:
        process = ServerProcess.start(
            declared.command,
            environ=environ,
            cwd=declared.cwd,
            output=log,
            stop_seconds=declared.stop_seconds,
            keeps=keeps,
        )
    except (OSError, ValueError) as error:  # a null byte, a variable with = in its name
        raise ServerError(
            f"the server ({declared.words}) could not be started: {error}",
            remedy="check the command, env=, cwd= and that the program is installed; for a Python"
            " program name the interpreter: [sys.executable, '-m', …]",
        ) from error
    undo.callback(process.stop, seconds=declared.stop_seconds)
    return StartedServer(declared, process, log=log, environ=environ)


def _on_a_port(
    declared: DeclaredServer, undo: ExitStack, *, patience_seconds: float
) -> tuple[DeclaredServer, list[int]]:
    """Keep the ports for this server; return it with its port, and what keeps them."""
    if declared.port is not None:
        chosen = declared.on(declared.port)
        return chosen, _kept(chosen, undo, patience_seconds=patience_seconds)
    for _ in range(_CHOICES - 1):
        chosen = declared.on(free_port())
        try:
            return chosen, _kept(chosen, undo, patience_seconds=0.0)
        except PortInUse:
            continue
    chosen = declared.on(free_port())
    return chosen, _kept(chosen, undo, patience_seconds=patience_seconds)


def _kept(declared: DeclaredServer, undo: ExitStack, *, patience_seconds: float) -> list[int]:
    """Keep all ports of a server.

    Raises:
        PortInUse: another server of a test has one of them, or something else answers there.
    """
    keeps = []
    for port, host in declared.places().items():
        claim = _claimed(port, patience_seconds=patience_seconds)
        undo.callback(claim.close)
        if claim.descriptor is not None:
            keeps.append(claim.descriptor)
        deadline = time.monotonic() + min(patience_seconds, LINGER_SECONDS)
        while answers(host, port):
            if time.monotonic() >= deadline:
                raise PortInUse(
                    f"port {port} is in use: something answers at {host}:{port} before the server"
                    f" ({declared.words}) was started",
                    remedy=_OTHER_PORT,
                )
            time.sleep(_LOOK_SECONDS)
    return keeps


def _claimed(port: int, *, patience_seconds: float) -> Claim:
    deadline = time.monotonic() + patience_seconds
    while (claim := Claim.on(port)) is None:
        if time.monotonic() >= deadline:
            raise PortInUse(
                f"port {port} is in use by the server of another test, or of the other side",
                remedy=_OTHER_PORT,
            )
        time.sleep(_LOOK_SECONDS)
    return claim
