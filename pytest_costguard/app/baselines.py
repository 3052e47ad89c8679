"""Use cases of stored baselines: find the one to compare with, save a run, look after the store."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.baselines.folder import FOLDER_NAME, record_files
from pytest_costguard.baselines.pytest_benchmark import read_pytest_benchmark
from pytest_costguard.baselines.reading import NotARecord, read_any
from pytest_costguard.baselines.series import by_hardware, expired, ordered, select
from pytest_costguard.baselines.store import DEFAULT_NAME, Store, is_name
from pytest_costguard.errors import ConfigError, CostguardError, RecordError, StoreError
from pytest_costguard.records import (
    AnyRecord,
    Baseline,
    BaselineRun,
    Fingerprint,
    Report,
    Run,
)
from pytest_costguard.stats.summary import reduce

_ROOT_MARKERS = (
    # The folder alone may hold no more than the reports of a run that was started there.
    f"{FOLDER_NAME}/baselines",
    f"{FOLDER_NAME}/accepted.yaml",
    "pyproject.toml",
    "pytest.ini",
    "costguard.yaml",
    "tox.ini",
    "setup.cfg",
    ".git",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The runs of one name on one kind of hardware, oldest first; never empty."""

    name: str
    runs: tuple[BaselineRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All series of a store, and what kept others from being read."""

    location: str
    series: tuple[Series, ...]
    problems: tuple[CostguardError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed from a name: runs by their ids, and corrupt files."""

    run_ids: tuple[str, ...]
    files: tuple[str, ...]


def project_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that looks like a project's, else `start`."""
    folder = start.resolve()
    return next((one for one in (folder, *folder.parents) if root_marker(one)), folder)


def root_marker(folder: Path) -> str:
    """Return the name of what makes a folder look like a project's; "" where there is nothing."""
    return next((marker for marker in _ROOT_MARKERS if (folder / marker).exists()), "")


def locate(
    requested: str, *, store: Store, rootdir: Path, fingerprint: Fingerprint
) -> tuple[Baseline | None, str]:
    """Return the baseline that was asked for, and why there is none where there is none.

    Args:
        requested: `none`, `auto` (the one named `main`, if there is one), the name of a baseline in
            the store, or the path of a file (a baseline run, a run or a report) or of a folder of
            such files. A name that is in the store comes before a path of that name.
        store: where baselines are known by name.
        rootdir: the project; relative paths are looked for in the working folder, then here.
        fingerprint: this machine. Runs on other hardware are only described, in `other_series`.

    Returns:
        The baseline, which has no runs where none was made on this hardware, and "". Or None and
        the reason; it is "" where no baseline is no surprise: `none`, and `auto` before the first.

    Raises:
        StoreError: A name or a path was given, and is not there; or it cannot be read.
        RecordError: One of its runs is corrupt, or of a newer version.
    """
    if requested == "none":
        return None, ""
    asked = _asked(requested, store=store, rootdir=rootdir)
    if asked is None:
        return None, ""
    if not any(run.workloads for run in asked.runs):
        return None, f"{asked.location} holds no measured workload"
    return select(asked.runs, fingerprint, name=asked.name, location=asked.location), ""


def runs_elsewhere(
    requested: str, *, store: Store, rootdir: Path, fingerprint: Fingerprint
) -> tuple[BaselineRun, ...]:
    """Return the runs on other hardware of the baseline that was asked for, oldest first.

    Raises:
        StoreError: A name or a path was given, and is not there; or it cannot be read.
        RecordError: One of its runs is corrupt, or of a newer version.
    """
    asked = _asked(requested, store=store, rootdir=rootdir)
    here = fingerprint.identity()
    found = () if asked is None else ordered(asked.runs)
    return tuple(run for run in found if run.fingerprint.identity() != here)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """All runs of the baseline that was asked for, on whatever hardware."""

    name: str
    location: str
    runs: tuple[BaselineRun, ...]


def _asked(requested: str, *, store: Store, rootdir: Path) -> _Asked | None:
    """Return the runs of a name or a path; None where `auto` finds none."""
    name = DEFAULT_NAME if requested == "auto" else requested
    runs = store.series(name) if is_name(name) else ()
    if runs:
        return _Asked(name=name, location=store.place(name), runs=runs)
    if requested == "auto":
        return None
    path = _existing(requested, rootdir=rootdir, store=store)
    return _Asked(name=name, location=str(path), runs=_runs_at(path))


def save(run: Run, name: str, *, store: Store, partial: bool = False) -> str:
    """Store a run as one more of the baseline `name`, and return where it lies.

    Args:
        run: What was measured.
        name: The baseline's name; it is made where it is new.
        store: It goes there.
        partial: Whether a run may be stored that was interrupted or has workloads that failed.

    Raises:
        ConfigError: The name is not one.
        StoreError: The run is not fit to be a baseline, or cannot be written.
    """
    require_fit(run, name, partial=partial)
    return store.add(name, as_baseline(run))


def require_fit(run: Run, name: str, *, partial: bool = False) -> None:
    """Raise `StoreError` where a run cannot be one of a baseline; see `save`."""
    reason = _unfit(run, partial=partial)
    if reason:
        raise StoreError(
            f"this run was not saved as baseline {name!r}: {reason}",
            remedy="mend that and measure again; the baseline is as it was",
        )


def as_baseline(run: Run) -> BaselineRun:
    """Return what a baseline keeps of a run: a value a unit and metric, and where it was made."""
    return BaselineRun(
        run_id=run.run_id,
        created=run.created,
        tool_version=run.tool_version,
        fingerprint=run.fingerprint,
        commit=run.commit,
        lock_digest=run.lock_digest,
        config_digest=run.config_digest,
        workloads=tuple(reduce(measurement) for measurement in run.measurements),
        whole_suite=run.whole_suite and run.complete,
    )


def import_file(path: Path, name: str, *, store: Store) -> tuple[BaselineRun, str]:
    """Add a file of pytest-benchmark, or a run that pytest-costguard wrote, to a baseline.

    A run of ours is held to what `save` asks of one.

    Raises:
        StoreError: The file cannot be read, holds no workload, or the store cannot be written.
        RecordError: The file is neither.
    """
    try:
        record = read_any(path)
    except NotARecord:
        run = read_pytest_benchmark(path)
    else:
        run = _as_run(record, origin=path)
        if run.workloads and not isinstance(record, BaselineRun):
            require_fit(_run_of(record), name)
    if not run.workloads:
        raise StoreError(f"{path} holds no measured workload", remedy="give another file")
    return run, store.add(name, run)


def overview(store: Store) -> Overview:
    """Return every series in a store; a name that cannot be read is a problem."""
    series: list[Series] = []
    problems: list[CostguardError] = []
    for name in store.names():
        try:
            series += series_of(name, store=store)
        except (RecordError, StoreError) as error:
            problems.append(error)
    return Overview(location=store.location, series=tuple(series), problems=tuple(problems))


def series_of(name: str, *, store: Store) -> tuple[Series, ...]:
    """Return the series of one name, one for each kind of hardware.

    Raises:
        StoreError: There is no baseline of that name.
        RecordError: One of its runs is corrupt.
    """
    runs = store.series(name)
    if not runs:
        raise _no_such_name(name, store=store)
    return tuple(Series(name=name, runs=same) for same in by_hardware(runs))


def prune(
    name: str,
    *,
    store: Store,
    keep: int | None = None,
    older_than: dt.timedelta | None = None,
    corrupt: bool = False,
    now: dt.datetime,
) -> Pruned:
    """Remove old runs of a name: all but the last `keep` of each hardware, and those too old.

    Corrupt files are removed only on request, and before anything else.

    Raises:
        ConfigError: It was not said what to remove.
        StoreError: There is no baseline of that name, or it cannot be written.
        RecordError: A file is corrupt, and `corrupt` is False.
    """
    if keep is None and older_than is None and not corrupt:
        raise ConfigError(
            "it was not said what to remove", remedy="give --keep, --older-than or --corrupt"
        )
    if name not in store.names():
        raise _no_such_name(name, store=store)
    files = store.discard_corrupt(name) if corrupt else ()
    if keep is None and older_than is None:
        return Pruned(run_ids=(), files=files)
    surplus = expired(store.series(name), keep=keep, older_than=older_than, now=now)
    return Pruned(run_ids=store.remove(name, [run.run_id for run in surplus]), files=files)


def _unfit(run: Run, *, partial: bool) -> str:
    if not run.measurements:
        return "nothing was measured"
    if partial:
        return ""
    if not run.complete:
        return "it was interrupted, so workloads are missing"
    if run.failures:
        first = run.failures[0]
        more = f" (and {len(run.failures) - 1} more)" if len(run.failures) > 1 else ""
        return f"{first.workload} could not be measured: {first.reason}{more}"
    return ""


def _existing(requested: str, *, rootdir: Path, store: Store) -> Path:
    for path in (Path(requested), rootdir / requested):
        if path.exists():
            return path
    raise _no_such_name(requested, store=store)


def _no_such_name(name: str, *, store: Store) -> StoreError:
    if not is_name(name):
        return StoreError(f"{name}: there is no such file or folder", remedy="check the path")
    known = ", ".join(store.names())
    there = f"it has {known}" if known else "it is empty"
    return StoreError(
        f"there is no baseline {name!r} in {store.location}: {there}",
        remedy=f"name another, or measure it: `costguard baseline record --name {name} --runs 8`",
    )


def _runs_at(path: Path) -> tuple[BaselineRun, ...]:
    """Return the runs in a file or folder. Each run counts once, though its report lies by it."""
    if not path.is_dir():
        return (_as_run(read_any(path), origin=path),)
    files = record_files(path)
    if not files:
        raise StoreError(
            f"{path}: there is no .json file in this folder",
            remedy="give the folder that the runs themselves are in",
        )
    runs = [_as_run(read_any(file), origin=file) for file in files]
    return tuple({run.run_id: run for run in runs}.values())


def measured(record: Run | Report, *, origin: Path | str) -> Run:
    """Return what a record holds of plain measurements, for a comparison by the stored rule.

    Raises:
        RecordError: its processes were those of a comparison side by side, whose memory and
            latency are not a plain run's.
    """
    if isinstance(record, Run):
        return record
    if record.against is not None:
        raise RecordError(
            f"{origin} was measured side by side with {record.against.requested!r}: its processes"
            " are others than a plain run's, so more would be called changed than the code",
            remedy="its own verdicts stand (costguard report); for stored comparisons, measure"
            " without --costguard-against",
        )
    return record.run


def _run_of(record: Run | Report) -> Run:
    return record if isinstance(record, Run) else record.run


def _as_run(record: AnyRecord, *, origin: Path) -> BaselineRun:
    if isinstance(record, BaselineRun):
        return record
    return as_baseline(measured(record, origin=origin))
