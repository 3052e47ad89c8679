"""A termination signal while workers measure ends the session in order, as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

_ENDING = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Turn a signal that would end this process at once into the end of the session.

    The workers are stopped, what was measured is reported, and the exit code is the shell's for
    that signal, 143 for SIGTERM. Only the first signal counts: the rest takes seconds. Handlers
    of others, and signals that are ignored (nohup), stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    ours = [number for number in known if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: FrameType | None) -> None:
        for other in ours:
            signal.signal(other, signal.SIG_IGN)
        pytest.exit(f"{signal.Signals(number).name} while measuring", returncode=128 + number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
