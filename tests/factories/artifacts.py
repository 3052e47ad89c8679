"""Artifacts as GitHub keeps them: zip files, honest and hostile."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping


def packed(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_a_link(target: str = "/etc/passwd") -> bytes:
    """Return a zip file whose report is a symbolic link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("report.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, target)
    return buffer.getvalue()


def twice() -> bytes:
    """Return a zip file with two reports: readers may differ in which they take."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("report.json", b"{}")
        second = zipfile.ZipInfo("report.jsoX")
        archive.writestr(second, b"[]")
    return buffer.getvalue().replace(b"report.jsoX", b"report.json")


def listed(number: int, name: str, data: bytes, **more: object) -> dict[str, object]:
    """Return what GitHub says of an artifact."""
    return {"id": number, "name": name, "size_in_bytes": len(data), "expired": False, **more}
