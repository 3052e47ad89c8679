"""Running a command as a part of this process: its output ours, and ended by what ends us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")
_LATE_SECONDS = 2.0
"""How long output is waited for that a process has left to others."""


def with_our_streams(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command with our own standard streams; return its exit code."""
    process = subprocess.Popen(command, env=dict(environ))
    return _ended(process)


def relayed(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command, print what it writes to either stream in its order, and return its exit code.

    What processes print that it leaves behind is not printed: it would come after we have gone on.
    """
    process = subprocess.Popen(
        command, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None, "it is a pipe"
    printer = _Printer(process.stdout.fileno())
    printer.start()
    try:
        return _ended(process)
    finally:
        printer.stop()
        process.stdout.close()


class _Printer(threading.Thread):
    """Prints what comes out of a pipe until it ends, or until it is told to stop."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self._printing = threading.Lock()
        self._stopped = False

    def run(self) -> None:
        """Print; nothing once it is stopped, even if it was read before."""
        with contextlib.suppress(OSError):
            while data := os.read(self._descriptor, 1 << 16):
                with self._printing:
                    if self._stopped:
                        return
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()

    def stop(self) -> None:
        """Wait a little for the end, and print nothing after it."""
        self.join(_LATE_SECONDS)
        with self._printing:
            self._stopped = True


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end; hand signals on, so that a partial report is left."""
    with _handed_on(process):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # At a terminal the process has had the same Ctrl-C, and a second would cut it off.
                if not sys.stdin.isatty():
                    process.send_signal(signal.SIGINT)


@contextlib.contextmanager
def _handed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hand_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before = {number: signal.signal(number, hand_on) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
