"""How long this thread runs at a stretch before others on its core have their turn."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""The numbers of `sched_setattr` and `sched_getattr`, which no module of Python's calls."""
_SHARING = (0, 3)
"""`SCHED_OTHER` and `SCHED_BATCH`: the policies whose processes share a core in slices."""


class _Attributes(ctypes.Structure):
    """`struct sched_attr` of sched_setattr(2), as of Linux 5.3."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
        ("util_min", ctypes.c_uint32),
        ("util_max", ctypes.c_uint32),
    )


@contextmanager
def own_slices(seconds: float) -> Iterator[None]:
    """Ask for slices of this length for the calling thread, and give them back at the end.

    Linux heeds that from 6.12 on (`sched_runtime` of a process that shares its core, between 0.1
    and 100 ms). Where it is not heeded, or refused, the system's own slices stay.
    """
    attributes = _attributes()
    asked = attributes is not None and _set(attributes, runtime=round(seconds * 1e9))
    try:
        yield
    finally:
        if asked and attributes is not None:
            _set(attributes, runtime=0)


def slice_seconds() -> float | None:
    """Return how long the calling thread runs at a stretch; None where the system does not tell."""
    attributes = _attributes()
    return None if attributes is None or not attributes.runtime else attributes.runtime / 1e9


def _attributes() -> _Attributes | None:
    """What holds for the calling thread; None where it shares no core in slices."""
    calls = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
    if calls is None:
        return None
    found = _Attributes()
    size = ctypes.sizeof(found)
    if ctypes.CDLL(None).syscall(calls[1], 0, ctypes.byref(found), size, 0) != 0:
        return None
    return found if found.policy in _SHARING else None


def _set(attributes: _Attributes, *, runtime: int) -> bool:
    """Set the slice alone; policy and nice value stay what they are."""
    wanted = _Attributes.from_buffer_copy(attributes)
    wanted.runtime = runtime
    setting, _ = _CALLS[platform.machine()]
    return bool(ctypes.CDLL(None).syscall(setting, 0, ctypes.byref(wanted), 0) == 0)
