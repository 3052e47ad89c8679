"""Reports that a run has left on GitHub, read in memory: whoever made them may be hostile.

An artifact is a zip that the job of a fork can fill as it likes. So its size is capped before and
after unpacking, nothing of it is written to a disk, one name is read and no other is allowed
beside what our own action puts there.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_costguard.errors import ForgeError, RecordError
from pytest_costguard.forges.transport import Transport

REPORT = "report.json"
MOST_REPORTS = 16
"""Targets of one comment."""
MOST_BYTES = 16 << 20
"""Of an artifact as it is downloaded."""
MOST_UNPACKED_BYTES = 64 << 20
_MOST_LISTED = 2_000
"""Artifacts of a run that are looked at: a stranger's job can leave as many as it likes."""
_MOST_RATIO = 200
"""Unpacked to packed; a zip bomb reaches 1,000, reports a tenth of this limit."""
_BESIDE = frozenset({REPORT, "report.md"})
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_REMEDY = "let the first workflow upload what our action writes, and nothing else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What GitHub says of one artifact; the name is its maker's."""

    id: int
    name: str
    size_bytes: int


def artifacts_of(
    connection: Transport, *, repository: str, run: int, name: str
) -> tuple[Artifact, ...]:
    """Return the artifacts of a run that are called `name` or `name-…`, by their names.

    Where a run was repeated, the newest of each name counts. Expired ones are gone.

    Raises:
        ForgeError: there are more of them than one comment can show.
    """
    path = f"/repos/{quote(repository)}/actions/runs/{run}/artifacts"
    newest: dict[str, Artifact] = {}
    for number, entry in enumerate(connection.pages(path, under="artifacts")):
        if number == _MOST_LISTED:
            raise ForgeError(
                f"run {run} has more than {_MOST_LISTED} artifacts: none of them was read",
                remedy="let the jobs of that run keep fewer artifacts",
            )
        found = _artifact(entry)
        wanted = found is not None and (found.name == name or found.name.startswith(f"{name}-"))
        if found is None or not wanted:
            continue
        if found.name not in newest or newest[found.name].id < found.id:
            newest[found.name] = found
    if len(newest) > MOST_REPORTS:
        raise ForgeError(
            f"run {run} has {len(newest)} artifacts called {name}…: more than {MOST_REPORTS}",
            remedy="give the comment's own artifacts a name that no others begin with",
        )
    return tuple(newest[one] for one in sorted(newest))


def downloaded(connection: Transport, *, repository: str, artifact: Artifact) -> bytes:
    """Return the report in an artifact; what it says is still to be validated.

    Raises:
        ForgeError: it cannot be had, or is too large.
        RecordError: it is not what our action uploads.
    """
    if artifact.size_bytes > MOST_BYTES:
        raise RecordError(
            f"artifact {artifact.id}: {artifact.size_bytes} bytes, and a report has at most"
            f" {MOST_BYTES}",
            remedy=_REMEDY,
        )
    path = f"/repos/{quote(repository)}/actions/artifacts/{artifact.id}/zip"
    data = connection.download(path, most_bytes=MOST_BYTES)
    return unpacked(data, origin=f"artifact {artifact.id}")


def unpacked(data: bytes, *, origin: str) -> bytes:
    """Return report.json out of a zip file in memory.

    Args:
        data: of the zip file.
        origin: what it is called in errors.

    Raises:
        RecordError: it is no zip file, holds anything that our action does not put there, or
            more than a report can be.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check(entries, origin=origin)
            report = next(entry for entry in entries if entry.filename == REPORT)
            with archive.open(report) as file:
                content = file.read(MOST_UNPACKED_BYTES + 1)
    except _UNSOUND as error:
        raise RecordError(
            f"{origin}: no sound zip file ({type(error).__name__})", remedy=_REMEDY
        ) from None
    if len(content) > MOST_UNPACKED_BYTES:
        raise _refused(origin, "its report is larger than it says")
    return content


_UNSOUND = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What reading a zip file raises whose bytes were made to."""


def _check(entries: list[zipfile.ZipInfo], *, origin: str) -> None:
    names = [entry.filename for entry in entries]
    if len(names) != len(set(names)) or not {REPORT} <= set(names) <= _BESIDE:
        raise _refused(origin, f"it does not hold {REPORT} alone")
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _refused(origin, "it holds a link or another special file")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            raise _refused(origin, "it is encrypted, or packed in another way")
        if entry.file_size > MOST_UNPACKED_BYTES:
            raise _refused(origin, "its report is larger than one can be")
        if entry.file_size > _MOST_RATIO * max(entry.compress_size, 1):
            raise _refused(origin, "it unpacks to far more than it is")


def _refused(origin: str, problem: str) -> RecordError:
    return RecordError(f"{origin}: {problem}", remedy=_REMEDY)


def _artifact(entry: Any) -> Artifact | None:
    """Read one entry of the list; None where it has expired."""
    told = entry if isinstance(entry, dict) else {}
    number, name, size = told.get("id"), told.get("name"), told.get("size_in_bytes")
    if type(number) is not int or not isinstance(name, str) or type(size) is not int:
        raise ForgeError(
            "an answer of the API describes no artifact",
            remedy="check the address of the API (GITHUB_API_URL)",
        )
    return None if told.get("expired") else Artifact(id=number, name=name, size_bytes=size)
