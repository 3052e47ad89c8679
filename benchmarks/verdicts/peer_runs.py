"""Running pytest-benchmark as itself: two separate runs, base's and then head's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.verdicts.entries import Condition, PeerCase, PeerRun, Samples, circumstances
from benchmarks.verdicts.journal import Journal
from benchmarks.verdicts.workloads import ROOT, Workload, environ
from pytest_costguard.errors import WorkerError
from pytest_costguard.host.threads import thread_environment
from pytest_costguard.records import SideName

LEVELS = (0, 5)
_KEPT = 1000
"""Timings of each side that are kept, as consecutive as they came."""
_REGRESSED = re.compile(r"test_peer\[(\w+)-(\d+)\] \(.*\) - Field 'mean' has failed")


def journal(data: Path, condition: Condition) -> Journal[PeerRun]:
    """The file of a condition."""
    return Journal(data / f"peers-{condition}.jsonl.gz", PeerRun)


def peer_run(
    *,
    folder: Path,
    condition: Condition,
    workloads: Sequence[Workload],
    options: Sequence[str] = (),
) -> PeerRun:
    """Run pytest-benchmark on base, and on head against it.

    Args:
        folder: of the written project.
        condition: what runs beside it; the caller sees to that.
        workloads: to run.
        options: beyond those that are its defaults; for tests.

    Raises:
        WorkerError: it did not come to its end.
    """
    about = circumstances(condition, root=ROOT)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        storage = Path(place)
        saved = storage / "base.json"
        _pytest(
            "base",
            [f"--benchmark-json={saved}", "--benchmark-save-data", *options],
            folder=folder,
            workloads=workloads,
        )
        found = storage / "head.json"
        done = _pytest(
            "head",
            [
                f"--benchmark-compare={saved}",
                "--benchmark-compare-fail=mean:5%",
                f"--benchmark-json={found}",
                "--benchmark-save-data",
                *options,
            ],
            folder=folder,
            workloads=workloads,
        )
        base, head = _by_case(saved), _by_case(found)
    failed = {(name, int(level)) for name, level in _REGRESSED.findall(done.stdout + done.stderr)}
    return PeerRun(
        about=about,
        seconds=round(time.monotonic() - began, 3),
        exit_status=done.returncode,
        cases=tuple(_case(key, base[key], head[key], failed=key in failed) for key in sorted(base)),
    )


def _pytest(
    side: SideName, options: Sequence[str], *, folder: Path, workloads: Sequence[Workload]
) -> subprocess.CompletedProcess[str]:
    """Run the project's `peers.py`; a regression is no error of the run."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_benchmark.plugin"),
            *("-p", "no:cacheprovider", "peers.py", *options),
        ],
        cwd=folder,
        env={
            **environ(levels=LEVELS, side=side),
            **thread_environment(1),
            "EVIDENCE_WORKLOADS": ",".join(workload.name for workload in workloads),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "Performance has regressed" not in done.stdout + done.stderr:
        raise WorkerError(
            f"pytest-benchmark ended with {done.returncode}:\n{done.stdout}{done.stderr}",
            remedy="install what requirements-dev.txt names, and run peers.py by hand",
        )
    return done


def _by_case(path: Path) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return {(one["params"]["name"], one["params"]["level"]): one["stats"] for one in found}


def _case(
    key: tuple[str, int], base: Mapping[str, Any], head: Mapping[str, Any], *, failed: bool
) -> PeerCase:
    return PeerCase(
        workload=key[0],
        level=key[1],
        means=(base["mean"], head["mean"]),
        failed=failed,
        samples=(_kept(base["data"]), _kept(head["data"])),
        rounds=(base["rounds"], head["rounds"]),
    )


def _kept(timings: Sequence[float]) -> Samples:
    """Keep stretches from all over the run, so that what follows each other still does."""
    parts = np.array_split(np.array(timings), 4)
    return Samples.of(np.concatenate([part[: _KEPT // 4] for part in parts]))
