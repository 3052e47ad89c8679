"""A digest of values that is the same in every process, for inputs and for weights.

Every value is fed to SHA-256 behind a tag and a length, so that no two different structures
give the same bytes. What has no order (sets, mappings) is fed in the order of its parts' own
digests. Objects are taken apart the way pickle does it (`__reduce_ex__`), but their parts are fed
here: pickle's own bytes depend on which equal parts happen to be the same object, and on the
order of sets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

_UNTAKEABLE = (TypeError, ValueError, AttributeError, LookupError, RuntimeError, OSError)
"""What taking a foreign object apart has been seen to raise; it is then known by its type."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """SHA-256 in hexadecimal; partial where some part was known by its type only."""

    hexadecimal: str
    is_partial: bool


def digest_of(value: object) -> Digest:
    """Return the digest of a value: equal for equal values, in this and any other process.

    Arrays count by type, shape and content, tensors by their content wherever they live, paths
    of existing files by name and content. Functions count by their qualified name; a lambda, or
    an object that cannot be taken apart, by its type only, which makes the digest partial.
    """
    feeder = _Feeder()
    feeder.feed(value)
    return Digest(hexadecimal=feeder.sink.hexdigest(), is_partial=feeder.is_partial)


class _Feeder:
    """Feeds one value, recursively, to a SHA-256."""

    def __init__(self, *, above: tuple[int, ...] = ()) -> None:
        self.sink = hashlib.sha256()
        self.is_partial = False
        self._open = list(above)
        """Identities of the containers that are being fed, outermost first, to end cycles."""

    def feed(self, value: Any) -> None:
        """Feed any value."""
        feed_simple = _SIMPLE.get(type(value))
        if feed_simple is not None:
            self._piece(*feed_simple(value))
        elif id(value) in self._open:
            self._piece("cycle", str(len(self._open) - self._open.index(id(value))).encode())
        else:
            self._open.append(id(value))
            self._feed_compound(value)
            self._open.pop()

    def _piece(self, tag: str, content: bytes) -> None:
        self.sink.update(f"{tag}:{len(content)}:".encode())
        self.sink.update(content)

    def _feed_compound(self, value: Any) -> None:
        for matches, feed_kind in _KINDS:
            if matches(value):
                feed_kind(self, value)
                return
        self._feed_object(value)

    def sequence(self, value: Iterable[Any]) -> None:
        """Feed a list or a tuple, in order."""
        entries = list(value)
        self._piece(type(value).__name__, str(len(entries)).encode())
        for entry in entries:
            self.feed(entry)

    def unordered(self, value: Mapping[Any, Any] | AbstractSet[Any]) -> None:
        """Feed a mapping's pairs or a set's members, in the order of their digests."""
        members = value.items() if isinstance(value, Mapping) else value
        self._piece(_type_name(value), str(len(members)).encode())
        for digest in sorted(self._digest_apart(member) for member in members):
            self._piece("member", digest)

    def _digest_apart(self, value: Any) -> bytes:
        apart = _Feeder(above=tuple(self._open))
        apart.feed(value)
        self.is_partial |= apart.is_partial
        return apart.sink.digest()

    def array(self, value: Any) -> None:
        """Feed a numpy array or scalar (so it is loaded): type, shape, content in C order."""
        numpy: Any = sys.modules["numpy"]
        array = numpy.asanyarray(value)
        kind = "array" if isinstance(value, numpy.ndarray) else "scalar"
        self._piece(kind, f"{array.dtype.str} {array.dtype.name} {array.shape}".encode())
        if isinstance(value, numpy.ma.MaskedArray):
            self.feed(numpy.ma.getmaskarray(value))
            array = value.filled()
        if array.dtype.names is not None:  # field by field: padding holds anything
            for name in array.dtype.names:
                self._piece("field", name.encode())
                self.array(numpy.asarray(array[name]))
        elif array.dtype.hasobject or array.dtype.kind == "T":  # its bytes are addresses
            self.feed(array.tolist())
        else:
            self.sink.update(_content(array))

    def tensor(self, value: Any) -> None:
        """Feed a torch tensor by content; torch is loaded already, or there were no tensor."""
        torch: Any = sys.modules["torch"]
        plain = value.detach()
        self._piece("tensor", f"{value.dtype} {tuple(value.shape)} {value.layout}".encode())
        if plain.is_quantized:  # seen as bytes, a quantised tensor ends the process
            plain = plain.dequantize()
        if plain.layout is not torch.strided:
            plain = plain.to_dense()
        # To the host first: a copy made to be contiguous must not raise the device's peak.
        plain = plain.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        self.sink.update(plain.view(torch.uint8).numpy().data)

    def path(self, value: PurePath) -> None:
        """Feed a file's name and content, else the path: a file is no other for being moved."""
        if not (isinstance(value, Path) and value.is_file()):
            self._piece("path", value.as_posix().encode(errors="surrogatepass"))
            return
        self._piece("file", value.name.encode(errors="surrogatepass"))
        self._piece("content", bytes.fromhex(file_digest(value)))

    def dataclass(self, value: Any) -> None:
        """Feed a dataclass field by field."""
        self._piece("dataclass", _type_name(value).encode())
        for field in dataclasses.fields(value):
            self._piece("field", field.name.encode())
            self.feed(getattr(value, field.name, None))

    def named(self, value: Any) -> None:
        """Feed a class, a function or a module by its name, which tells all but for lambdas."""
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value)}"
        if isinstance(value, types.ModuleType):
            name = value.__name__
        self._piece("name", name.encode())
        self.is_partial |= not isinstance(value, type) and "<l" in name

    def _feed_object(self, value: Any) -> None:
        try:
            parts = _taken_apart(value)
            digest = self._digest_apart(parts)
        except _UNTAKEABLE:
            self._piece("type", _type_name(value).encode())
            self.is_partial = True
        else:
            self._piece("object", _type_name(value).encode())
            self._piece("parts", digest)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _taken_apart(value: Any) -> Any:
    """Return what pickle would store: a global's name, or how to make the object, and its state."""
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    parts: tuple[Any, ...] = (*reduced, None, None, None)
    made_by, arguments, state, entries, pairs = parts[:5]
    return [
        made_by,
        list(arguments),
        state,
        None if entries is None else list(entries),
        None if pairs is None else [list(pair) for pair in pairs],
    ]


def _content(array: numpy.ndarray[Any, Any]) -> Any:
    import numpy

    flat = numpy.ascontiguousarray(array).reshape(-1)
    if flat.size == 0 or flat.dtype.itemsize == 0:
        return b""
    return numpy.asarray(flat).view(numpy.uint8).data


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _is_array(value: object) -> bool:
    """Whether this is a numpy array or scalar: there is none before somebody has imported numpy."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray | numpy.generic)


def _is_tensor(value: object) -> bool:
    """Whether this is a torch tensor, told without importing torch."""
    return any(
        base.__name__ == "Tensor" and base.__module__ == "torch" for base in type(value).__mro__
    )


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


_SIMPLE: dict[type, Callable[[Any], tuple[str, bytes]]] = {
    type(None): lambda _: ("none", b""),
    bool: lambda value: ("bool", b"1" if value else b"0"),
    int: lambda value: ("int", f"{value:x}".encode()),
    float: lambda value: ("float", struct.pack(">d", value)),
    complex: lambda value: ("complex", struct.pack(">dd", value.real, value.imag)),
    str: lambda value: ("str", value.encode(errors="surrogatepass")),
    bytes: lambda value: ("bytes", value),
    bytearray: lambda value: ("bytearray", bytes(value)),
}
_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[_Feeder, Any], None]], ...] = (
    (lambda value: type(value) in (list, tuple), _Feeder.sequence),
    (_is(Mapping, AbstractSet), _Feeder.unordered),
    (_is_array, _Feeder.array),
    (_is_tensor, _Feeder.tensor),
    (_is(PurePath), _Feeder.path),
    (
        _is(type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType),
        _Feeder.named,
    ),
    (dataclasses.is_dataclass, _Feeder.dataclass),
)
