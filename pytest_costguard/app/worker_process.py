"""`python -m pytest_costguard.app.worker_process …`: pytest, in a process that leaves quickly.

Where there are two sides, the import guard comes first: it must be there before pytest is, since
plugins and conftest files are the project's own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import sys
import threading

from pytest_costguard.revisions.guard import GUARD_VARIABLE, Policy, install


def main() -> None:
    """Install the guard that the environment describes, if any, and become `python -m pytest`."""
    if (encoded := os.environ.pop(GUARD_VARIABLE, None)) is not None:
        install(Policy.decoded(encoded))
    moved = _moved_memory()
    sys.argv[0] = "pytest"
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int):
            _leave(end.code)
        raise
    finally:
        del moved


def _moved_memory() -> bytearray:
    """Return what keeps all later memory at another place in each process.

    Where arrays lie to each other, within a page, can be worth 10 % of a request, and a comment
    more in a module decides it: the same in every process of one side, so that no number of
    restarts averages it out. A piece of random size that goes before everything else makes the
    place chance on both sides alike. At most 65 KiB.
    """
    steps = int.from_bytes(os.urandom(2), "little") % 4096
    return bytearray(1024 + 16 * steps)


def _leave(status: int) -> None:
    """End as the interpreter does, except that modules and what they hold are not taken apart.

    A process is started and ended a side and unit, and that takes a quarter of a second for numpy,
    a whole one for torch. Threads are waited for and exit functions run as always.
    """
    wait_for_threads = getattr(threading, "_shutdown", None)
    if wait_for_threads is None:
        return
    wait_for_threads()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
