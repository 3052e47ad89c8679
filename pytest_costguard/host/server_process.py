"""Starting a server in a process group of its own, and ending all of it whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host import server_guard
from pytest_costguard.host.process_tree import ProcessTree

_LOOK_SECONDS = 0.02
_KILLED_SECONDS = 5.0
"""How long a process may take to go after SIGKILL; one that hangs in the kernel is left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The process that leads the server's group and ends it where nobody else does.

    POSIX only: elsewhere a server whose parent is killed goes on.
    """

    process: subprocess.Popen[bytes]
    pipe: int
    """Closed with this process, however it ends; the guard waits for that."""

    @classmethod
    def start(cls, *, seconds: float, folder: Path, keeps: Sequence[int]) -> Guard:
        """Start it.

        Args:
            seconds: between SIGTERM and SIGKILL.
            folder: what it removes when it has ended the server.
            keeps: descriptors that stay open for as long as it is there.
        """
        theirs, ours = os.pipe()
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", server_guard.__file__),
                    *(str(os.getpid()), str(seconds), str(folder)),
                ],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=tuple(keeps),
                process_group=0,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process=process, pipe=ours)

    def end(self) -> None:
        """Send SIGKILL to the whole group, the guard included.

        It was not waited for before, so the group's number cannot have become another's.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.pipe)


@dataclass(slots=True, kw_only=True)
class ServerProcess:
    """A server that was started: its process, and the group of all that it starts."""

    process: subprocess.Popen[bytes]
    guard: Guard | None
    tree: ProcessTree
    started: float
    """When, on `time.perf_counter`."""

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path | None,
        output: Path,
        stop_seconds: float,
        keeps: Sequence[int] = (),
    ) -> ServerProcess:
        """Start it, its output going to a file in a folder of its own.

        Args:
            command: the program and its arguments.
            environ: all of its variables.
            cwd: where it runs; None: where this process does.
            output: the file, whose folder is removed where this process is killed.
            stop_seconds: between SIGTERM and SIGKILL where this process is killed.
            keeps: descriptors that stay open for as long as the server is there.

        Raises:
            OSError: the program cannot be started.
        """
        guard = None
        if os.name == "posix":
            guard = Guard.start(seconds=stop_seconds, folder=output.parent, keeps=keeps)
        try:
            with output.open("wb") as log:
                started = time.perf_counter()
                process = subprocess.Popen(
                    list(command),
                    env=dict(environ),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=None if guard is None else guard.process.pid,
                )
        except BaseException:
            if guard is not None:
                guard.end()
            raise
        own = None if guard is None else guard.process.pid
        return cls(
            process=process,
            guard=guard,
            tree=ProcessTree(process.pid, group=own or process.pid, without=own),
            started=started,
        )

    def alive(self) -> bool:
        """Whether the process that was started is still running."""
        return self.process.poll() is None

    def ended_within(self, seconds: float) -> int | None:
        """Return the exit status of a process that ends in that time; None: it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def stop(self, *, seconds: float) -> None:
        """End it and everything that it started: SIGTERM, and SIGKILL for what is left then."""
        outside = [one for one in self.tree.processes() if one.group != self.tree.group]
        try:
            self._ask_to_end()
            if self.guard is not None:
                self.tree.send(outside, signal.SIGTERM)
            deadline = time.monotonic() + seconds
            self.ended_within(seconds)
            while time.monotonic() < deadline and any(one.alive for one in self.tree.processes()):
                time.sleep(_LOOK_SECONDS)
        finally:  # also where an impatient person interrupts the waiting
            self._kill()
            if self.guard is not None:
                self.tree.send(outside, signal.SIGKILL)
            self.ended_within(_KILLED_SECONDS)

    def _ask_to_end(self) -> None:
        if self.guard is None:
            return  # Windows knows no way to ask all of them
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.guard.process.pid, signal.SIGTERM)

    def _kill(self) -> None:
        if self.guard is not None:
            self.guard.end()
        elif self.alive():
            # With all that it started, as its parents tell.
            tree = ["taskkill", "/T", "/F", "/PID", str(self.process.pid)]
            subprocess.run(tree, capture_output=True, check=False)
            self.process.kill()
