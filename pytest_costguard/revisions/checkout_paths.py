"""Paths into the checkout, which a side must find in its own tree."""

from __future__ import annotations

import os
from pathlib import Path


def below(path: Path, folder: Path) -> Path | None:
    """Return an absolute path relative to a folder that it is in, by whatever links it is named.

    Args:
        path: its own last part may be a link; it is not followed.
        folder: with its links resolved.

    Returns:
        The relative path; None where it is elsewhere.
    """
    for parent in (path, *path.parents):
        if os.path.realpath(parent) == str(folder):
            return path.relative_to(parent)
    return None
