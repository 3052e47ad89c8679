"""The store in a folder: one file a run, never edited, so that nobody has to wait for a lock."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pytest_costguard.baselines.files import (
    TEMPORARY_SUFFIX,
    link_error,
    write_atomically,
    write_error,
)
from pytest_costguard.baselines.reading import NewerVersion, read_record
from pytest_costguard.baselines.series import ordered, replacement
from pytest_costguard.baselines.store import (
    checked_name,
    file_name,
    is_name,
    require_own_name,
    require_promotable,
    run_id_of,
)
from pytest_costguard.errors import RecordError, StoreError
from pytest_costguard.records import BaselineRun

FOLDER_NAME = ".costguard"

_GITIGNORE = b"# Written by pytest-costguard. Baselines may be committed, these need not be.\n"
_GITIGNORE += b"cache/\nreports/\n*.tmp\n"
_ABANDONED_SECONDS = 3600.0
"""A temporary file that is this much older than a new one belongs to a writer that was killed."""


class FolderStore:
    """Baselines as `<root>/baselines/<name>/<created>-<run id>.json`; implements `Store`.

    `root` is usually a project's `.costguard` folder; it is made when the first run is added.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return str(self.root / "baselines")

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        folders = [path for path in _entries(self.root / "baselines") if path.is_dir()]
        return tuple(
            sorted(path.name for path in folders if is_name(path.name) and record_files(path))
        )

    def series(self, name: str) -> tuple[BaselineRun, ...]:
        """See `Store.series`."""
        with _collector_paused():
            runs = [
                self._read_if_there(path, name=name) for path in record_files(self.folder(name))
            ]
        return ordered(run for run in runs if run is not None)

    def add(self, name: str, run: BaselineRun) -> str:
        """See `Store.add`; returns the path of the file."""
        folder = self.folder(name)
        path = folder / file_name(run)
        self._write_gitignore()
        write_atomically(path, msgspec.json.encode(run) + b"\n")
        _sweep(folder, newest=path)
        return str(path)

    def promote(self, source: str, target: str) -> tuple[str, ...]:
        """See `Store.promote`."""
        new = self.series(source) if source != target else ()
        require_promotable(source, target, new, place=self.place)
        change = replacement(self.series(target), new)
        # The new runs first: a kill in between must not leave the target with less than it had.
        for run in (*new, *change.trimmed):
            self.add(target, run)
        self.remove(target, [run.run_id for run in change.dropped])
        return tuple(run.run_id for run in new)

    def remove(self, name: str, run_ids: Iterable[str]) -> tuple[str, ...]:
        """See `Store.remove`. Other runs in the series are not read, so they may be corrupt."""
        wanted = frozenset(run_ids)
        found = []
        for path in record_files(self.folder(name)):
            run_id = run_id_of(path.name)
            if run_id in wanted:
                _unlink(path)
                found.append(run_id)
        return tuple(found)

    def place(self, name: str) -> str:
        """See `Store.place`."""
        return str(self.folder(name))

    def run_ids(self, name: str) -> frozenset[str]:
        """See `Store.run_ids`."""
        return frozenset(run_id_of(path.name) for path in record_files(self.folder(name)))

    def folder(self, name: str) -> Path:
        """Return the folder of a name, whether it is there or not."""
        return self.root / "baselines" / checked_name(name)

    def corrupt(self, name: str) -> tuple[Path, ...]:
        """Return the files of a name that are not sound runs; those of newer versions may be."""
        found = []
        for path in record_files(self.folder(name)):
            try:
                self._read(path, name=name)
            except NewerVersion:
                continue
            except RecordError:
                found.append(path)
        return tuple(found)

    def discard_corrupt(self, name: str) -> tuple[str, ...]:
        """See `Store.discard_corrupt`; returns the paths."""
        found = self.corrupt(name)
        for path in found:
            _unlink(path)
        return tuple(map(str, found))

    def _read_if_there(self, path: Path, *, name: str) -> BaselineRun | None:
        try:
            return self._read(path, name=name)
        except StoreError:
            if path.exists() or path.is_symlink():
                raise
            # Gone since the folder was listed: another process has just removed the run.
            return None

    def _read(self, path: Path, *, name: str) -> BaselineRun:
        remedy = f"restore it, or remove it with `costguard baseline prune {name} --corrupt`"
        try:
            run = read_record(path, BaselineRun)
        except NewerVersion:
            raise
        except RecordError as error:
            raise RecordError(error.message, remedy=remedy) from error
        require_own_name(run, path.name, origin=str(path), remedy=remedy)
        return run

    def _write_gitignore(self) -> None:
        path = self.root / ".gitignore"
        if not path.exists():
            write_atomically(path, _GITIGNORE)


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from going through a growing series again and again.

    Records hold no cycles, so there is nothing to find; it was a fifth of the time of loading.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def record_files(folder: Path) -> list[Path]:
    """Return the `.json` files in a folder by name; none where there is no such folder.

    Raises:
        StoreError: The folder cannot be read.
    """
    return sorted(path for path in _entries(folder) if path.suffix == ".json")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        if broken := link_error(folder, error):
            raise broken from error
        if isinstance(error, FileNotFoundError):
            return []
        raise StoreError(
            f"{folder}: could not be read: {error.strerror or error}",
            remedy="check that it is a folder and that you may read it",
        ) from error


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _sweep(folder: Path, *, newest: Path) -> None:
    """Remove what killed writers left; times come from the file system, so no clock is needed."""
    # Others sweep too, and a leftover does no harm: whatever goes wrong here can wait.
    with contextlib.suppress(OSError):
        limit = newest.stat().st_mtime - _ABANDONED_SECONDS
        for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
