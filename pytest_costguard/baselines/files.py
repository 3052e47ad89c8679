"""Files that are either the old ones or the new ones, never half of each."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_costguard.errors import StoreError

TEMPORARY_SUFFIX = ".tmp"

_WRITABLE = "make the folder writable, or name another place"
_SPACE = "free some space there, or name another place"
_FOLDER = "a file stands where a folder should be, or the reverse: move it, or name another place"
_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: _SPACE,
        errno.EDQUOT: _SPACE,
        errno.EFBIG: _SPACE,
        errno.EROFS: _WRITABLE,
        errno.EACCES: _WRITABLE,
        errno.EPERM: _WRITABLE,
        errno.ENOTDIR: _FOLDER,
        errno.EISDIR: _FOLDER,
        errno.EEXIST: _FOLDER,
        errno.ENAMETOOLONG: "choose a shorter name",
    }
)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, nothing between.

    The bytes go to a temporary name in the same folder, reach the disk, and are renamed; a kill at
    any moment leaves at worst a `.….tmp` file. Missing folders are made. A link is followed, and
    what is not a regular file (a pipe, `/dev/stdout`) is written to as it is: renaming over it
    would destroy it.

    Raises:
        StoreError: The folder is read-only, the disk is full and the like. The old file is
            untouched and the temporary one removed.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> StoreError:
    """Return what to tell the user about an `OSError` met while writing to `path`."""
    return StoreError(
        f"{path}: could not be written: {error.strerror or error}",
        remedy=_REMEDIES.get(error.errno or 0, "check the disk and the folder, then try again"),
    )


def link_error(path: Path, error: OSError) -> StoreError | None:
    """Return what to tell about a link to nothing, or to itself, on the way to `path`, if any."""
    if error.errno not in (errno.ENOENT, errno.ELOOP):
        return None
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            return StoreError(
                f"{place}: this is a link that leads nowhere",
                remedy="restore what it names, or remove the link",
            )
    return None


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name does not contain the real one, which may already be as long as is allowed.
    temporary = path.parent / f".{os.getpid()}-{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"
    try:
        _write_through(temporary, data)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_through(path: Path, data: bytes) -> None:
    # 0o666 leaves the permissions to the umask; tempfile would make a file only its owner can read.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
