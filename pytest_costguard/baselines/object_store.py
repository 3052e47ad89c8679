"""Baselines in an object store or a shared file system, by its address (fsspec)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytest_costguard.baselines.run_store import Edit, Key
from pytest_costguard.baselines.store import without_password
from pytest_costguard.errors import ConfigError, StoreError

_FOLDER = "baselines"


class ObjectFiles:
    """Files below an address such as `s3://bucket/prefix`; implements `RunFiles`.

    An object is written in one piece under a name of its own, so that writers never meet.

    Args:
        address: with its scheme.

    Raises:
        ConfigError: fsspec, or what it needs for the scheme, is not installed.
        StoreError: the place cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self.place = without_password(address.rstrip("/"))
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise _not_installed(address, error) from error
        with self._told("opened"):
            try:
                self._system, root = url_to_fs(address.rstrip("/"))
            except ImportError as error:
                raise _not_installed(address, error) from error
            except ValueError as error:
                raise ConfigError(
                    without_password(f"store {address!r}: {error}"),
                    remedy="write an address that fsspec knows",
                ) from error
        self._root = f"{str(root).rstrip('/')}/{_FOLDER}"

    def listed(self) -> Mapping[str, tuple[str, ...]]:
        """See `RunFiles.listed`."""
        with self._told("read"):
            # What an earlier listing remembered may be out of date.
            self._system.invalidate_cache()
            try:
                paths = self._system.find(self._root)
            except FileNotFoundError:
                return {}
        found: dict[str, list[str]] = {}
        for path in paths:
            inside = str(path).partition(f"{self._root.lstrip('/')}/")[2].split("/")
            if len(inside) == 2 and inside[1].endswith(".json"):
                found.setdefault(inside[0], []).append(inside[1])
        return {name: tuple(sorted(files)) for name, files in found.items()}

    def contents(self, keys: Iterable[Key]) -> list[bytes | None]:
        """See `RunFiles.contents`."""
        return [self._content(key) for key in keys]

    def change(self, edit: Callable[[], Edit], *, message: str) -> None:  # noqa: ARG002 - the port's
        """See `RunFiles.change`; what is written comes first, so that a kill leaves both."""
        wanted = edit()
        with self._told("written"):
            for key, data in wanted.written.items():
                self._system.makedirs(f"{self._root}/{key[0]}", exist_ok=True)
                self._system.pipe_file(self._path(key), data)
            for key in wanted.removed:
                if self._system.exists(self._path(key)):
                    self._system.rm_file(self._path(key))

    def _content(self, key: Key) -> bytes | None:
        with self._told("read"):
            try:
                data: Any = self._system.cat_file(self._path(key))
            except FileNotFoundError:
                return None
            return bytes(data)

    def _path(self, key: Key) -> str:
        return f"{self._root}/{key[0]}/{key[1]}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn whatever a client raises into an error that names the place."""
        try:
            yield
        except (ConfigError, StoreError):
            raise
        except Exception as error:
            raise StoreError(
                f"{self.place}: could not be {what}:"
                f" {without_password(f'{type(error).__name__}: {error}')}",
                remedy="check the address, the network and the credentials of its client",
            ) from error


def _not_installed(address: str, error: ImportError) -> ConfigError:
    return ConfigError(
        without_password(f"store {address!r} needs a package that is not installed: {error}"),
        remedy="pip install 'pytest-costguard[stores]', and the scheme's client, such as s3fs",
    )
