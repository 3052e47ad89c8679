"""Ends a server when the process that started it is gone, however that ended.

Run as a script, `python -I -S server_guard.py PARENT SECONDS FOLDER`, with one end of a pipe as
its standard input: it imports nothing but the standard library, so that it starts in milliseconds
and holds little memory. It leads the process group that the server is started in, so the group's
number stays theirs for as long as it waits. The other end of the pipe is its parent's; when that
has gone, it sends SIGTERM to the group and, after so many seconds, SIGKILL, to itself as well.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

_LOOK_SECONDS = 1.0
"""A child that the parent forks keeps the pipe open, so the parent itself is looked at too."""


def main() -> None:
    """Wait for the parent's end, and end the group."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    while os.getppid() == parent:
        if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
            break
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and _has_company():
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _has_company() -> bool:
    """Whether another process of this group has not ended; yes where the system does not tell."""
    own_group, own_pid = str(os.getpgrp()), str(os.getpid())
    looked = False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        looked = True
        if stat.parent.name != own_pid and fields[2] == own_group and fields[0] not in "ZX":
            return True
    return not looked


if __name__ == "__main__":
    main()
