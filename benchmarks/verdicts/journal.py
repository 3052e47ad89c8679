"""A file that grows by one compressed record at a time, and outlives being killed at any moment.

Each record is a gzip member of its own, so the file is a valid `.gz` of JSON lines; what a kill
leaves half-written at its end is cut off by the next writer.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from pytest_costguard.errors import RecordError

Entry = TypeVar("Entry")
_CHUNK = 1 << 14
_GZIP = 16 + zlib.MAX_WBITS


class Journal(Generic[Entry]):
    """Records of one kind in one file."""

    def __init__(self, path: Path, kind: type[Entry]) -> None:
        self.path = path
        self._kind = kind

    def append(self, entry: Entry) -> None:
        """Add a record; it is on the disk when this returns."""
        self._mend()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(gzip.compress(msgspec.json.encode(entry) + b"\n", 9, mtime=0))
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[Entry]:
        """Return every whole record, in the order in which they were added.

        Raises:
            RecordError: the file is damaged before its end, or holds something else.
        """
        decoder = msgspec.json.Decoder(self._kind)
        found = []
        for number, (text, _) in enumerate(self._members(), start=1):
            try:
                found.append(decoder.decode(text))
            except msgspec.DecodeError as error:
                raise RecordError(
                    f"{self.path}, record {number}: {error}",
                    remedy="it was written by another version: move the file away and record anew",
                ) from error
        return found

    def _mend(self) -> None:
        if not self.path.exists():
            return
        whole = max((end for _, end in self._members()), default=0)
        if whole < self.path.stat().st_size:
            os.truncate(self.path, whole)

    def _members(self) -> Iterator[tuple[bytes, int]]:
        """Yield each whole member's text and where it ends."""
        data = memoryview(self.path.read_bytes() if self.path.exists() else b"")
        start = 0
        while start < len(data):
            member, parts, position = zlib.decompressobj(_GZIP), [], start
            try:
                while not member.eof and position < len(data):
                    parts.append(member.decompress(data[position : position + _CHUNK]))
                    position += _CHUNK
            except zlib.error as error:
                raise RecordError(
                    f"{self.path}: damaged at byte {start}: {error}",
                    remedy="take the file from the repository again, or record anew",
                ) from error
            if not member.eof:
                return
            start = min(position, len(data)) - len(member.unused_data)
            yield b"".join(parts), start
