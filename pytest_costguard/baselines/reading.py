"""Records out of files: strict, versioned, and never anything but a record or a clear error."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from pytest_costguard.baselines.files import link_error
from pytest_costguard.errors import RecordError, StoreError
from pytest_costguard.records import SCHEMA_VERSION, AnyRecord, BaselineRun, Report, Run

T = TypeVar("T", Run, BaselineRun, Report)

SIZE_LIMIT_BYTES = 512 * 1024 * 1024
"""Larger files are refused unread: a run of 1,000 workloads is a tenth of this."""

Migration = Callable[[dict[str, object]], dict[str, object]]

MIGRATIONS: Mapping[int, Migration] = MappingProxyType({})
"""From a schema version to what turns a record of it into one of the next version."""

_KINDS: Mapping[str, type[Run] | type[BaselineRun] | type[Report]] = MappingProxyType(
    {"run": Run, "baseline": BaselineRun, "report": Report}
)
_NAMES: Mapping[type, str] = MappingProxyType(
    {Run: "a run", BaselineRun: "a baseline run", Report: "a report"}
)
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_OTHER_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_REWRITE = "restore the file from where it came from, or measure again and write a new one"


class NotARecord(RecordError):
    """The file is JSON, but nothing that pytest-costguard wrote."""


class NewerVersion(RecordError):
    """The record may be sound, but a newer pytest-costguard wrote it."""


class _Header(msgspec.Struct):
    """What says how the rest is to be read. Raw, so that any JSON at all can stand there."""

    kind: msgspec.Raw = msgspec.Raw()
    schema_version: msgspec.Raw = msgspec.Raw()


def read_record(path: Path, kind: type[T]) -> T:
    """Return the record in the file at `path`, which must be of the `kind` asked for.

    Raises:
        StoreError: The file is missing or cannot be read.
        RecordError: It is not a sound record of this kind and of a version known here; the message
            names the file and the place in it.
    """
    return decode_record(file_contents(path), kind, origin=str(path))


def read_any(path: Path) -> AnyRecord:
    """Return the record in the file at `path`, whichever kind it is; raises as `read_record`."""
    return decode_any(file_contents(path), origin=str(path))


def decode_record(data: bytes, kind: type[T], *, origin: str) -> T:
    """Return the record of the `kind` asked for in `data`; `origin` names it in errors.

    Raises:
        RecordError: As `read_record`.
    """
    record = decode_any(data, origin=origin)
    if not isinstance(record, kind):
        raise RecordError(
            f"{origin}: this is {_NAMES[type(record)]}, not {_NAMES[kind]}",
            remedy=f"give the file of {_NAMES[kind]}",
        )
    return record


def decode_any(data: bytes, *, origin: str) -> AnyRecord:
    """Return the record in `data`, whichever kind it is; `origin` names it in errors.

    Raises:
        RecordError: As `read_record`.
    """
    try:
        return _decode(data, origin=origin)
    except msgspec.ValidationError as error:
        raise RecordError(f"{origin}: {error}", remedy=_REWRITE) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{origin}: not sound JSON: {error}", remedy=_REWRITE) from error
    except ArithmeticError as error:
        raise RecordError(f"{origin}: a number out of range: {error}", remedy=_REWRITE) from error
    except (RecursionError, MemoryError):
        # Without its cause: that holds thousands of frames, or the memory that ran out.
        raise RecordError(
            f"{origin}: nested too deeply or too large to be a record", remedy=_REWRITE
        ) from None


def _decode(data: bytes, *, origin: str) -> AnyRecord:
    header = msgspec.json.decode(data, type=_Header)
    kind = _kind(header.kind, origin=origin)
    version = _version(header.schema_version, origin=origin)
    if version == SCHEMA_VERSION:
        return msgspec.json.decode(data, type=kind)
    fields = msgspec.json.decode(data, type=dict[str, object])
    for old in range(version, SCHEMA_VERSION):
        fields = MIGRATIONS[old](fields)
    return msgspec.convert(fields, type=kind)


def _kind(raw: msgspec.Raw, *, origin: str) -> type[Run] | type[BaselineRun] | type[Report]:
    found = msgspec.json.decode(raw) if raw else None
    if isinstance(found, str) and found in _KINDS:
        return _KINDS[found]
    said = f"its `kind` is {_shown(found)}" if raw else "there is no `kind`"
    raise NotARecord(
        f"{origin}: not a file of pytest-costguard: {said} at `$.kind`",
        remedy="give a file that pytest-costguard wrote; "
        "`costguard baseline import` reads those of pytest-benchmark",
    )


def _version(raw: msgspec.Raw, *, origin: str) -> int:
    if not raw:
        raise RecordError(
            f"{origin}: there is no schema version at `$.schema_version`", remedy=_REWRITE
        )
    version = msgspec.json.decode(raw)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RecordError(
            f"{origin}: {_shown(version)} is no schema version at `$.schema_version`",
            remedy=_REWRITE,
        )
    if version > SCHEMA_VERSION:
        raise NewerVersion(
            f"{origin}: written by a newer pytest-costguard: schema version {_shown(version)}, "
            f"this one reads up to {SCHEMA_VERSION}",
            remedy="upgrade: `pip install --upgrade pytest-costguard`",
        )
    return version


def _shown(value: object) -> str:
    """Return a foreign value short enough to stand in a message."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def file_contents(path: Path) -> bytes:
    """Return the bytes of a file, as far as a record can reach.

    Raises:
        StoreError: The file is missing, is no regular file, or cannot be read.
        RecordError: It is larger than `SIZE_LIMIT_BYTES`.
    """
    try:
        # A pipe without a writer would block the opening itself for ever.
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
        with os.fdopen(_regular(descriptor, path), "rb") as file:
            chunks, size = [], 0
            while chunk := file.read(1 << 20):
                size += len(chunk)
                if size > SIZE_LIMIT_BYTES:
                    break
                chunks.append(chunk)
    except OSError as error:
        if broken := link_error(path, error):
            raise broken from error
        if isinstance(error, FileNotFoundError):
            raise StoreError(f"{path}: there is no such file", remedy="check the path") from error
        raise StoreError(
            f"{path}: could not be read: {error.strerror or error}",
            remedy="check that it is a file and that you may read it",
        ) from error
    if size > SIZE_LIMIT_BYTES:
        raise RecordError(
            f"{path}: larger than {SIZE_LIMIT_BYTES // 2**20} MiB, which no record is",
            remedy=_REWRITE,
        )
    return b"".join(chunks)


def _regular(descriptor: int, path: Path) -> int:
    """Return the descriptor if it is that of a regular file; else close it and refuse.

    A device may never end, and a pipe may never begin.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    what = next((word for test, word in _OTHER_KINDS if test(mode)), "no regular file")
    raise StoreError(
        f"{path}: this is {what}, and a record is read from a regular file only",
        remedy="check the path; write what comes out of a command or a pipe to a file first",
    )
