"""Processes that tests start and end, and what is left of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def heed_interrupts() -> None:
    """Before a process begins: a shell's background job ignores Ctrl-C, and so would its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in tasks.read_text().split()] if tasks.exists() else []


def alive(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True
