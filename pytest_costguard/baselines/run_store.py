"""A store of runs over whatever can list, read and change small files: one file a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from pytest_costguard.baselines.reading import NewerVersion, decode_record
from pytest_costguard.baselines.series import ordered, replacement
from pytest_costguard.baselines.store import (
    checked_name,
    file_name,
    is_name,
    require_own_name,
    require_promotable,
    run_id_of,
)
from pytest_costguard.errors import RecordError
from pytest_costguard.records import BaselineRun

Key = tuple[str, str]
"""The name of a baseline, and that of a file in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be written and removed, all of it or nothing where the place can do that."""

    written: Mapping[Key, bytes] = field(default_factory=dict)
    removed: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


class RunFiles(Protocol):
    """Where the files of runs are. Every method raises `StoreError` where it cannot be done."""

    @property
    def place(self) -> str:
        """Where this is, for a person to read."""
        ...

    def listed(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the `.json` files by the name of their baseline, sorted."""
        ...

    def contents(self, keys: Iterable[Key]) -> list[bytes | None]:
        """Return files in the order asked for; None for one that is gone meanwhile."""
        ...

    def change(self, edit: Callable[[], Edit], *, message: str) -> None:
        """Do what `edit` returns; it is asked again where others were quicker.

        Args:
            edit: looks at the files as they are now.
            message: what is done, for a log.
        """
        ...


class RunStore:
    """Baselines as one file a run; implements `Store` over `RunFiles`."""

    def __init__(self, files: RunFiles) -> None:
        self._files = files

    @property
    def location(self) -> str:
        """See `Store.location`."""
        return self._files.place

    def place(self, name: str) -> str:
        """See `Store.place`."""
        return f"{self._files.place}: {checked_name(name)}"

    def names(self) -> tuple[str, ...]:
        """See `Store.names`."""
        return tuple(sorted(filter(is_name, self._files.listed())))

    def run_ids(self, name: str) -> frozenset[str]:
        """See `Store.run_ids`."""
        return frozenset(run_id_of(file) for file in self._listed(name))

    def series(self, name: str) -> tuple[BaselineRun, ...]:
        """See `Store.series`."""
        found = self._found(name)
        return ordered(
            self._read(file, data, name=name) for file, data in found.items() if data is not None
        )

    def add(self, name: str, run: BaselineRun) -> str:
        """See `Store.add`."""
        key = (checked_name(name), file_name(run))
        data = msgspec.json.encode(run) + b"\n"
        self._files.change(lambda: Edit(written={key: data}), message=f"Add a run to {name}")
        return f"{self._files.place}: {name}/{key[1]}"

    def promote(self, source: str, target: str) -> tuple[str, ...]:
        """See `Store.promote`."""
        promoted: tuple[BaselineRun, ...] = ()

        def edit() -> Edit:
            nonlocal promoted
            promoted = self.series(source) if source != target else ()
            require_promotable(source, target, promoted, place=self.place)
            change = replacement(self.series(target), promoted)
            return Edit(
                written={
                    (target, file_name(run)): msgspec.json.encode(run) + b"\n"
                    for run in (*promoted, *change.trimmed)
                },
                removed=tuple((target, file_name(run)) for run in change.dropped),
            )

        self._files.change(edit, message=f"Promote {source} to {target}")
        return tuple(run.run_id for run in promoted)

    def remove(self, name: str, run_ids: Iterable[str]) -> tuple[str, ...]:
        """See `Store.remove`."""
        wanted = frozenset(run_ids)
        return tuple(map(run_id_of, self._remove(name, lambda file: run_id_of(file) in wanted)))

    def discard_corrupt(self, name: str) -> tuple[str, ...]:
        """See `Store.discard_corrupt`."""
        broken = set()
        for file, data in self._found(name).items():
            try:
                if data is not None:
                    self._read(file, data, name=name)
            except NewerVersion:
                continue
            except RecordError:
                broken.add(file)
        return self._remove(name, lambda file: file in broken)

    def _remove(self, name: str, wanted: Callable[[str], bool]) -> tuple[str, ...]:
        gone: tuple[str, ...] = ()

        def edit() -> Edit:
            nonlocal gone
            gone = tuple(filter(wanted, self._listed(name)))
            return Edit(removed=tuple((name, file) for file in gone))

        if any(map(wanted, self._listed(name))):
            self._files.change(edit, message=f"Remove runs from {name}")
        return gone

    def _listed(self, name: str) -> tuple[str, ...]:
        return self._files.listed().get(checked_name(name), ())

    def _found(self, name: str) -> dict[str, bytes | None]:
        files = self._listed(name)
        contents = self._files.contents((name, file) for file in files)
        return dict(zip(files, contents, strict=True))

    def _read(self, file: str, data: bytes, *, name: str) -> BaselineRun:
        origin = f"{self._files.place}: {name}/{file}"
        remedy = f"remove it with `costguard baseline prune {name} --corrupt`"
        try:
            run = decode_record(data, BaselineRun, origin=origin)
        except NewerVersion:
            raise
        except RecordError as error:
            raise RecordError(error.message, remedy=remedy) from error
        require_own_name(run, file, origin=origin, remedy=remedy)
        return run
