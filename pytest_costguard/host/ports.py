"""Ports of this machine: one that is free, keeping one for a server, and whether one answers."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOOPBACK = "127.0.0.1"
_CONNECT_SECONDS = 1.0


def free_port() -> int:
    """Return a port that nobody listens to now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((LOOPBACK, 0))
        number: int = listener.getsockname()[1]
        return number


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A port that is kept for one server, by a lock on a file that goes with the processes.

    It is there for servers of tests, so that two of them which start at the same moment do not
    both find the port free, and one is measured in the other's place.
    """

    port: int
    descriptor: int | None = None
    """Open for as long as the port is kept, here or in a process that has inherited it."""
    file: Path | None = None

    @classmethod
    def on(cls, port: int, *, folder: Path | None = None) -> Claim | None:
        """Claim a port; None where another server has it.

        Where the system has no such locks (Windows), or the folder is not ours, nothing is kept.

        Args:
            port: its number.
            folder: where the files are; None: one of this user's in the temporary folder.
        """
        if sys.platform == "win32":
            return cls(port=port)
        folder = folder or Path(tempfile.gettempdir(), f"costguard-ports-{os.getuid()}")
        try:
            return cls._locked(port, folder)
        except BlockingIOError:
            return None
        except OSError:  # no room, or a file system without locks
            return cls(port=port)

    @classmethod
    def _locked(cls, port: int, folder: Path) -> Claim:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.getuid():
            return cls(port=port)
        file = folder / str(port)
        while True:
            opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_open(file, opened):
                    return cls(port=port, descriptor=opened, file=file)
            except BaseException:
                os.close(opened)
                raise
            os.close(opened)  # who had it has removed it meanwhile

    def close(self) -> None:
        """Give it up; call it when no process has inherited it any more."""
        if self.descriptor is None or self.file is None:
            return
        with contextlib.suppress(OSError):
            self.file.unlink()
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _is_open(file: Path, descriptor: int) -> bool:
    """Whether a name still stands for the file that is open."""
    try:
        return file.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
