"""A termination signal while workers measure ends the process in order, as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")


@contextlib.contextmanager
def ended_in_order(leave: Callable[[int], object]) -> Iterator[None]:
    """Turn a signal that would end this process at once into an orderly end.

    Only the first signal counts: the rest takes seconds. Handlers of others, and signals that are
    ignored (nohup), stay as they are.

    Args:
        leave: is called with the signal's number, and raises what ends the work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    ours = [number for number in known if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: FrameType | None) -> None:
        for other in ours:
            signal.signal(other, signal.SIG_IGN)
        leave(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
