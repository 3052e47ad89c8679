"""Starting the worker pytest sessions: their command line, environment and captured output."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from pytest_costguard.engine.channel import WORKER_VARIABLE, Channel, ChannelClosed, Rendezvous
from pytest_costguard.engine.last_words import telling_part
from pytest_costguard.engine.protocol import Command, Event, Task
from pytest_costguard.errors import WorkerError

_DISTURBING_PLUGINS = {
    "randomly": "pytest_randomly",
    "random_order": "random_order.plugin",
    "timeout": "pytest_timeout",
    "rerunfailures": "pytest_rerunfailures",
    "flaky": "flaky.flaky_pytest_plugin",
    "pytest-retry": "pytest_retry.retry_plugin",
}
"""Plugins that would reorder, cut short or repeat what a worker measures without being asked.

By entry point, with the module, since either name may load them, also from a conftest file or
PYTEST_PLUGINS. Others (xdist, coverage, stepwise, repeat) do nothing without their
options, and stay for their fixtures and parameters.
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
_LEAVE_SECONDS = 0.5
"""How long a worker may take to end by itself, once its channel is closed."""
_STOP_SECONDS = 5.0
"""How long it may take after SIGTERM."""
_OUTPUT_BYTES = 1 << 16
_LAUNCHER = "pytest_costguard.app.worker_process"
"""The module that is run; it becomes pytest once it has prepared the process."""


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
    arguments: tuple[str, ...] = ()
    """More of pytest's options, as a person has written them for this side."""
    environ: Mapping[str, str] = field(default_factory=dict)
    checkout: Path | None = None
    """The folder in whose place `tree` stands; None where the checkout itself is measured."""
    tree: Path | None = None

    def at_home(self, path: Path) -> Path:
        """Return where a file of the checkout is on this side."""
        if self.checkout is None or self.tree is None or not path.is_relative_to(self.checkout):
            return path
        return self.tree / path.relative_to(self.checkout)


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """A started worker: its process, its channel, and the file that holds what it printed."""

    process: subprocess.Popen[bytes]
    channel: Channel[Event, Command]
    output: IO[bytes]
    output_mark: int = 0

    def alive(self) -> bool:
        """Whether the process is still running."""
        return self.process.poll() is None

    def wait_briefly(self) -> int | None:
        """Return the exit status of a process that is about to end, or None if it does not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(2.0)
        return None

    def mark_output(self) -> None:
        """Take what was printed so far as said by pytest and its plugins, not by a test."""
        self.output_mark = os.fstat(self.output.fileno()).st_size

    def last_output(self) -> str:
        """Return what tells most of what the worker printed since the mark."""
        end = os.fstat(self.output.fileno()).st_size
        self.output.seek(max(self.output_mark, end - _OUTPUT_BYTES))
        return telling_part(self.output.read().decode(errors="replace"))

    def stop(self) -> None:
        """End the worker and everything that it started."""
        try:
            self.channel.close()
            if self.alive():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _wait(self.process, _LEAVE_SECONDS)
            _signal_group(self.process, "SIGTERM")
            with contextlib.suppress(subprocess.TimeoutExpired):
                _wait(self.process, _STOP_SECONDS)
        finally:  # also where an impatient person interrupts the waiting
            _kill(self.process)
            self.output.close()


def start(
    side: Side,
    *,
    files: tuple[Path | str, ...],
    nodeids: tuple[str, ...],
    threads: int,
    thread_variables: Mapping[str, str],
    settings: Mapping[str, Any],
    census: bool = False,
) -> WorkerProcess:
    """Start a worker pytest session that runs exactly `nodeids`, and connect to it.

    Raises:
        WorkerError: the process could not be started or never connected.
    """
    environ = {k: v for k, v in side.environ.items() if k not in _DROPPED_VARIABLES}
    environ |= {**thread_variables, "PWD": str(side.invocation_dir)}
    with contextlib.ExitStack() as undo:  # whatever interrupts the start, nothing of it is left
        try:
            rendezvous = undo.enter_context(contextlib.closing(Rendezvous()))
            environ[WORKER_VARIABLE] = msgspec.json.encode(rendezvous.address).decode()
            output = undo.enter_context(tempfile.TemporaryFile())
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
            undo.callback(_kill, process)
            rendezvous.started()
            channel: Channel[Event, Command] = Channel(rendezvous.connect(), receives=Event)
            # Not in the environment, where a variable holds 128 KiB at most.
            channel.send(
                Task(
                    nodeids=nodeids,
                    threads=threads,
                    options=dict(side.options),
                    settings=dict(settings),
                    census=census,
                )
            )
        except (OSError, ChannelClosed) as error:
            raise WorkerError(
                f"a worker could not be started with {side.python}: {error}",
                remedy="check that this interpreter runs, and that processes may be started here",
            ) from error
        undo.pop_all()
    return WorkerProcess(process=process, channel=channel, output=output)


def command_line(side: Side, *, files: tuple[Path | str, ...]) -> list[str]:
    """Return the worker's command: an allow-list of options, nothing of the user's `addopts`."""
    # Nothing is captured, so that a test's last words outlive the process that said them.
    command = [side.python, "-m", _LAUNCHER, "-q", "--capture=no"]
    if side.inifile is not None:
        command += ["-c", str(side.inifile)]
    command += ["--rootdir", str(side.rootdir), f"--import-mode={side.import_mode}"]
    for override in side.ini_overrides:
        command += ["--override-ini", override]
    command += _LENIENT
    blocked = [name for names in _DISTURBING_PLUGINS.items() for name in names]
    for plugin in blocked:
        command += ["-p", f"no:{plugin}"]
    for plugin in side.plugins:
        if plugin not in blocked:  # to name one is to unblock it
            command += ["-p", plugin]
    return [*command, *side.arguments, "--", *map(str, files)]


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end at the moment it comes, where `Popen.wait` looks every 50 ms.

    Raises:
        TimeoutExpired: it has not ended.
    """
    if sys.platform == "linux":
        # Refused in some containers, and of no use for a process that was waited for already.
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(process.pid)
            try:
                select.select([descriptor], [], [], seconds)
            finally:
                os.close(descriptor)
            seconds = 0.01
    process.wait(seconds)


def _kill(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, "SIGKILL")
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], name: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, getattr(signal, name))
        elif process.poll() is None:
            process.kill()
