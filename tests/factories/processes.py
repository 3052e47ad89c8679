"""Processes that tests start and end, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

_STARTS = 20
"""So many times what it takes to import the plugin: a start and what is collected take a few."""


def heed_interrupts() -> None:
    """Before a process begins: a shell's background job ignores Ctrl-C, and so would its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@cache
def patience(*, at_least: int) -> int:
    """Return the seconds in which a worker surely answers that does not hang, on this machine now.

    For tests of what does hang: each of their runs waits as long.
    """
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import pytest_costguard.plugin, pytest"], check=True)
    return max(at_least, round(_STARTS * (time.perf_counter() - before)))


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
