"""Files that a living process holds locked, so that its death gives back what it claimed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


def lock(file: IO[str]) -> bool:
    """Lock an open file if nobody else has; closing it, or dying, gives it back."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows only
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def in_use(claim: Path) -> bool:
    """Whether a living process has locked the file; where it is not there, none has."""
    try:
        with claim.open("r+") as file:
            return not lock(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
