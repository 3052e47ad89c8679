"""An ONNX model on disk: is it there, is it the model itself, and what is its digest."""

from __future__ import annotations

import hashlib
import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.digests import file_digest

SUFFIXES = (".onnx", ".ort")
"""What a model path ends with, in lower case."""
_POINTER_START = b"version https://git-lfs.github.com/spec/"
# The entry of TensorProto.external_data whose key is "location": field 1, 8 bytes, the key;
# field 2, the value's length as a varint, the value. (onnx.proto, StringStringEntryProto.)
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])")
_LONGEST_LOCATION = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """The file of a model, and the files beside it that hold its weights."""

    path: Path

    def check(self) -> None:
        """Raise where the file is missing, is no file, is empty or is a Git LFS pointer.

        Raises:
            WorkloadError: with the remedy for each of these.
        """
        if not self.path.exists():
            raise WorkloadError(
                f"there is no model file at {self.path}",
                remedy=f"check the path; a relative one starts from {Path.cwd()}",
            )
        if not self.path.is_file():
            raise WorkloadError(
                f"{self.path} is not a file", remedy="give the path of the .onnx file itself"
            )
        _require_content(self.path)

    def check_external_data(self) -> None:
        """Raise where a file that the model names for its weights is missing or a pointer.

        Raises:
            WorkloadError: with the remedy for each of these.
        """
        for name in self.external_data():
            beside = self.path.parent / name
            if not beside.is_file():
                raise WorkloadError(
                    f"{self.path.name} keeps weights in {name}, which is not beside it",
                    remedy=f"put {name} into {self.path.parent}, or save the model in one file",
                )
            _require_content(beside)

    def external_data(self) -> tuple[str, ...]:
        """Return the names of the files that hold weights of an `.onnx` model, sorted.

        The names are found in the model's bytes by the pattern that protobuf writes for them, so
        that no ONNX package is needed. An `.ort` model's are not found.
        """
        if self.path.suffix.lower() != ".onnx" or self.path.stat().st_size == 0:
            return ()
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            found = {
                _text(content, start=match.end(), length=_varint(match[1]))
                for match in _LOCATION.finditer(content)
            }
        return tuple(sorted(name for name in found if name))

    def digest(self) -> str:
        """Return the file's SHA-256; with weights beside it, that of all their SHA-256s.

        The latter is the digest of the lines that `sha256sum` would print, the model first.
        """
        own = file_digest(self.path)
        beside = [name for name in self.external_data() if (self.path.parent / name).is_file()]
        if not beside:
            return own
        lines = [f"{own}  {self.path.name}"]
        lines += [f"{file_digest(self.path.parent / name)}  {name}" for name in beside]
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _require_content(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(_POINTER_START))
    if start == _POINTER_START:
        raise WorkloadError(
            f"{path} is a Git LFS pointer: the file itself was not fetched",
            remedy="run `git lfs pull`; in GitHub Actions give actions/checkout `lfs: true`",
        )
    if not start:
        raise WorkloadError(f"{path} is empty", remedy="write the model again, or fetch it again")


def _varint(encoded: bytes) -> int:
    return sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(encoded))


def _text(content: mmap.mmap, *, start: int, length: int) -> str:
    """Return the text there, empty where weights only happened to look like a location."""
    if not 0 < length <= _LONGEST_LOCATION or start + length > len(content):
        return ""
    try:
        return content[start : start + length].decode()
    except UnicodeDecodeError:
        return ""
