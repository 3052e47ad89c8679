"""How a worker process ended, and what of its output tells most about it."""

from __future__ import annotations

import signal

_CRASH = "Fatal Python error"
"""How faulthandler begins, which pytest switches on; what follows names the line of the test."""
_CALLERS = ("/_pytest/", "/pluggy/", "/pytest/__main__.py", "<frozen runpy>")
"""Where every stack ends that a test is in."""
_MARK = "E   "
_CHARACTERS = 4000
_HINTS = {
    "SIGKILL": "; the system does that where memory runs out",
    "SIGSEGV": ": a crash in native code",
    "SIGABRT": ": native code gave up",
    "SIGILL": ": native code was built for another processor",
}


def ending(status: int | None) -> str:
    """Say how a process ended, by its exit status; None means that it still runs."""
    if status is None:
        return (
            "closed its channel, though it still runs: something in the test may close every file"
            " descriptor"
        )
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was ended by {name}{_HINTS.get(name, '')}"


def told_error(output: str) -> str:
    """Return the error that pytest shows last, in a line: what follows its mark; "" if none.

    Further lines of an error are indented deeper.
    """
    marked = [line for line in output.splitlines() if line.startswith(_MARK)]
    told = [line.removeprefix(_MARK) for line in marked]
    return next((line for line in reversed(told) if line and not line[0].isspace()), "")


def telling_part(output: str) -> str:
    """Return the part of a worker's output that tells most: a crash from its head, else the end."""
    crash = output.rfind(_CRASH)
    if crash >= 0:
        lines = output[crash:].replace("\\", "/").splitlines()
        told = [line for line in lines if not any(caller in line for caller in _CALLERS)]
        return "\n".join(told)[:_CHARACTERS].strip()
    return output[-_CHARACTERS:].strip()
