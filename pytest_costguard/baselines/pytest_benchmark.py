"""Baseline runs out of the JSON files that pytest-benchmark writes."""

from __future__ import annotations

import datetime as dt
import hashlib
import statistics
from pathlib import Path

import msgspec

from pytest_costguard.baselines.reading import file_contents
from pytest_costguard.baselines.series import moment
from pytest_costguard.errors import RecordError
from pytest_costguard.records import (
    BaselineRun,
    BaselineWorkload,
    Commit,
    Declaration,
    Fingerprint,
    WorkloadId,
)

SOURCE = "pytest-benchmark"

_REMEDY = "give a file that `pytest --benchmark-json=FILE` or `--benchmark-save=NAME` wrote"


class _Cpu(msgspec.Struct):
    brand_raw: str = ""
    brand: str = ""
    """The name of `brand_raw` before py-cpuinfo 5."""
    count: int = 0


class _Machine(msgspec.Struct):
    cpu: _Cpu = msgspec.field(default_factory=_Cpu)
    system: str = ""
    release: str = ""
    python_version: str = ""


class _Commit(msgspec.Struct):
    id: str | None = None
    dirty: bool = False
    branch: str | None = None


class _Stats(msgspec.Struct):
    mean: float
    median: float
    rounds: int
    iterations: int = 1
    data: tuple[float, ...] = ()
    """Seconds of one call, averaged over the `iterations` of each round; where it was saved."""

    def __post_init__(self) -> None:
        if not (min(self.mean, self.median, *self.data) > 0):
            raise ValueError("times must be above zero")


class _Benchmark(msgspec.Struct):
    fullname: str
    stats: _Stats


class _File(msgspec.Struct):
    """The parts of the file that are used; the rest differs between versions and is left alone."""

    benchmarks: tuple[_Benchmark, ...]
    datetime: dt.datetime
    version: str = ""
    machine_info: _Machine = msgspec.field(default_factory=_Machine)
    commit_info: _Commit = msgspec.field(default_factory=_Commit)


def read_pytest_benchmark(path: Path) -> BaselineRun:
    """Return the run in a file of pytest-benchmark, as a run of one unit without calibration.

    A call of the benchmarked function counts as one request of one item. Memory and percentiles
    above the median are not in such a file. The same file always becomes the same run, so importing
    it twice adds nothing.

    Raises:
        StoreError: The file is missing or cannot be read.
        RecordError: It is not a file of pytest-benchmark, or it holds no benchmarks.
    """
    return decode_pytest_benchmark(file_contents(path), origin=str(path))


def decode_pytest_benchmark(data: bytes, *, origin: str) -> BaselineRun:
    """Return the run in `data`; `origin` names it in errors. As `read_pytest_benchmark`.

    Raises:
        RecordError: As `read_pytest_benchmark`.
    """
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{origin}: not a file of pytest-benchmark: {error}", remedy=_REMEDY
        ) from error
    except (RecursionError, MemoryError):
        raise RecordError(f"{origin}: nested too deeply or too large", remedy=_REMEDY) from None
    if not file.benchmarks:
        raise RecordError(f"{origin}: there are no benchmarks in it", remedy=_REMEDY)
    try:
        return _run(file, digest=hashlib.sha256(data).hexdigest())
    except ValueError as error:
        raise RecordError(f"{origin}: {error}", remedy=_REMEDY) from error


def _run(file: _File, *, digest: str) -> BaselineRun:
    return BaselineRun(
        run_id=f"pytest-benchmark-{digest[:16]}",
        created=moment(file.datetime),
        tool_version=f"pytest-benchmark {file.version}".strip(),
        fingerprint=_fingerprint(file.machine_info),
        commit=_commit(file.commit_info),
        workloads=tuple(_workload(benchmark) for benchmark in file.benchmarks),
        source=SOURCE,
    )


def _workload(benchmark: _Benchmark) -> BaselineWorkload:
    stats = benchmark.stats
    mean = statistics.fmean(stats.data) if stats.data else stats.mean
    median = statistics.median(stats.data) if stats.data else stats.median
    return BaselineWorkload(
        workload=WorkloadId(nodeid=benchmark.fullname),
        declaration=Declaration(
            adapter=SOURCE,
            input_count=1,
            # The file does not say what the inputs were.
            input_digest="",
            details={"rounds": str(stats.rounds), "iterations": str(stats.iterations)},
        ),
        metrics={"mean": (mean,), "p50": (median,), "throughput": (1.0 / mean,)},
    )


def _fingerprint(machine: _Machine) -> Fingerprint:
    return Fingerprint(
        cpu_model=machine.cpu.brand_raw or machine.cpu.brand,
        cores=machine.cpu.count,
        memory_bytes=0,
        os=f"{machine.system} {machine.release}".strip(),
        python=machine.python_version,
    )


def _commit(commit: _Commit) -> Commit | None:
    if not commit.id or commit.id == "unversioned":
        return None
    branch = commit.branch or ""
    return Commit(
        sha=commit.id, dirty=commit.dirty, branch="" if branch.startswith("(") else branch
    )
