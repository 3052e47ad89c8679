"""Which cores this process may use, and holding it to some of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

from pytest_costguard.host.proc import thread_ids


def available_cores() -> frozenset[int] | None:
    """Return the numbers of the cores that this thread may run on, or None if not known."""
    if sys.platform != "linux":
        return None
    try:
        return frozenset(os.sched_getaffinity(0))
    except OSError:
        return None


def pin(cores: Collection[int], *, root: Path = Path("/")) -> str:
    """Hold this process to some cores, and return "" or the reason why it is not held.

    All threads that exist are held, and those that they start inherit it. A runtime may still set
    the affinity of its own threads afterwards, as onnxruntime does for its pool: `ThreadUse`
    tells.
    """
    if not cores:
        return "no cores were named to pin to"
    if sys.platform != "linux":
        return f"{sys.platform} does not let a process be pinned to cores"
    for tid in thread_ids(root) or (0,):
        try:
            os.sched_setaffinity(tid, cores)
        except ProcessLookupError:
            continue  # the thread has ended since it was listed
        except (OSError, OverflowError, ValueError) as refusal:
            return f"the system refused to pin the process to a core: {refusal}"
    return ""
