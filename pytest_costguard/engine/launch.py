"""Starting the worker pytest sessions: their command line, environment and captured output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from pytest_costguard.engine.channel import Address, Channel, ChannelClosed, Rendezvous
from pytest_costguard.engine.protocol import Command, Event
from pytest_costguard.errors import WorkerError

WORKER_VARIABLE = "COSTGUARD_WORKER"
_BLOCKED_PLUGINS = ("randomly", "random_order", "timeout", "rerunfailures")
"""Plugins that would reorder, cut short or repeat what a worker measures without being asked.

Others (xdist, coverage, stepwise) do nothing without their options, and stay for their fixtures.
"""
_LENIENT = (
    *("--override-ini=addopts=", "--override-ini=strict=false"),
    *("--override-ini=strict_markers=false", "--override-ini=strict_config=false"),
    *("-W", "ignore::pytest.PytestUnknownMarkWarning"),
    *("-W", "ignore::pytest.PytestConfigWarning"),
)
"""A blocked plugin's markers and settings must not become errors in the worker."""
_DROPPED_VARIABLES = (
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "COV_CORE_SOURCE",
    "COV_CORE_CONFIG",
    "COV_CORE_DATAFILE",
)
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One revision to measure: its interpreter, its tree, and how its pytest is configured."""

    name: str
    python: str = sys.executable
    rootdir: Path
    invocation_dir: Path
    inifile: Path | None = None
    plugins: tuple[str, ...] = ()
    """Modules that the user loads with `-p`; ours is added where entry points are off."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the options that the project's own conftest files define."""
    ini_overrides: tuple[str, ...] = ()
    """The user's `-o name=value` pairs, less `addopts`."""
    import_mode: str = "prepend"
    environ: Mapping[str, str] = field(default_factory=dict)


class WorkerTask(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker session is told when it starts."""

    address: Address
    nodeids: tuple[str, ...]
    threads: int
    options: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    """What the worker's measuring needs of the configuration."""


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """A started worker: its process, its channel, and the file that holds what it printed."""

    process: subprocess.Popen[bytes]
    channel: Channel[Event, Command]
    output: IO[bytes]

    def alive(self) -> bool:
        """Whether the process is still running."""
        return self.process.poll() is None

    def wait_briefly(self) -> int | None:
        """Return the exit status of a process that is about to end, or None if it does not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(2.0)
        return None

    def last_output(self, *, characters: int = 4000) -> str:
        """Return the end of what the worker printed on its standard streams."""
        self.output.seek(0, os.SEEK_END)
        self.output.seek(max(0, self.output.tell() - characters))
        return self.output.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """End the worker and everything that it started."""
        self.channel.close()
        if self.alive():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
        _signal_group(self.process, "SIGTERM")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_SECONDS)
        _signal_group(self.process, "SIGKILL")
        self.process.wait()
        self.output.close()


def start(
    side: Side,
    *,
    files: tuple[Path, ...],
    nodeids: tuple[str, ...],
    threads: int,
    thread_variables: Mapping[str, str],
    settings: Mapping[str, Any],
) -> WorkerProcess:
    """Start a worker pytest session that runs exactly `nodeids`, and connect to it.

    Raises:
        WorkerError: the process could not be started or never connected.
    """
    rendezvous = Rendezvous()
    task = WorkerTask(
        address=rendezvous.address,
        nodeids=nodeids,
        threads=threads,
        options=dict(side.options),
        settings=dict(settings),
    )
    environ = {k: v for k, v in side.environ.items() if k not in _DROPPED_VARIABLES}
    environ |= thread_variables
    environ[WORKER_VARIABLE] = msgspec.json.encode(task).decode()
    output = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the worker
    try:
        process = subprocess.Popen(
            command_line(side, files=files),
            cwd=side.invocation_dir,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
            pass_fds=rendezvous.descriptors,
        )
        rendezvous.started()
        connection = rendezvous.connect()
    except (OSError, ChannelClosed) as error:
        raise WorkerError(
            f"a worker could not be started with {side.python}: {error}",
            remedy="check that this interpreter runs, and that processes may be started here",
        ) from error
    return WorkerProcess(
        process=process, channel=Channel(connection, receives=Event), output=output
    )


def command_line(side: Side, *, files: tuple[Path, ...]) -> list[str]:
    """Return the worker's command: an allow-list of options, nothing of the user's `addopts`."""
    command = [side.python, "-m", "pytest", "-q"]
    if side.inifile is not None:
        command += ["-c", str(side.inifile)]
    command += ["--rootdir", str(side.rootdir), f"--import-mode={side.import_mode}"]
    for override in side.ini_overrides:
        command += ["--override-ini", override]
    command += _LENIENT
    for plugin in _BLOCKED_PLUGINS:
        command += ["-p", f"no:{plugin}"]
    for plugin in side.plugins:
        command += ["-p", plugin]
    return [*command, "--", *map(str, files)]


def _signal_group(process: subprocess.Popen[bytes], name: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, getattr(signal, name))
        elif process.poll() is None:
            process.kill()
