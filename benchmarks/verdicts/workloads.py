"""The workloads, their project in a folder, and both sides that measure it.

The work that a level adds is real and of the same kind: base runs 100 equal layers, head 100 and
`level` more, so a level is a share in percent (`project/depth.py`, `project/stacks.py`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup
from pytest_costguard.host.threads import thread_environment
from pytest_costguard.records import SIDES, SideName

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).parent / "project"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One workload: what bounds it, and the levels at which it is measured."""

    name: str
    about: str
    levels: tuple[int, ...]

    @property
    def file(self) -> str:
        """Of its test, in the project's folder."""
        return f"test_{self.name}.py"

    def nodeid(self, level: int) -> str:
        """The test that measures it at a level."""
        return f"{self.file}::test_{self.name}[{level}]"


LEVELS = (0, 2, 3, 5, 10)
SELDOM_LEVELS = (0, 10, 20)
WORKLOADS: tuple[Workload, ...] = (
    Workload(name="numpy_cache", about="numpy, cache-resident", levels=LEVELS),
    Workload(name="numpy_memory", about="numpy, memory-bound", levels=LEVELS),
    Workload(name="torch_mlp", about="torch, 100 narrow layers", levels=LEVELS),
    Workload(name="onnx_mlp", about="onnxruntime, 100 narrow layers", levels=LEVELS),
    Workload(name="torch_slow", about="torch, 100 wide layers", levels=LEVELS),
)
LONG: tuple[Workload, ...] = (
    Workload(name="torch_1s", about="torch, 100 wide layers 5 times", levels=(0, 5)),
    Workload(name="torch_2s", about="torch, 100 wide layers 10 times", levels=(0, 5)),
)
"""Requests of 1 and of 2 s, in live runs of their own: how long a user waits for their verdict."""
SELDOM: tuple[Workload, ...] = (
    Workload(
        name="seldom_cache",
        about="numpy, cache-resident, one request in 200",
        levels=SELDOM_LEVELS,
    ),
    Workload(
        name="seldom_memory", about="numpy, memory-bound, one request in 10", levels=SELDOM_LEVELS
    ),
    Workload(
        name="seldom_slow", about="torch, 100 wide layers, one request in 10", levels=SELDOM_LEVELS
    ),
    Workload(
        name="alike_cache",
        about="numpy, cache-resident, 20 % in one request in 200 of both sides",
        levels=(0,),
    ),
    Workload(
        name="alike_slow",
        about="torch, 100 wide layers, 20 % in one request in 10 of both sides",
        levels=(0,),
    ),
)
"""All that head does more is in few of its requests, drawn by chance: a level is a share of all.

Of the last ones both sides have as many slow requests, so that nothing differs but chance.
"""
BY_NAME: Mapping[str, Workload] = {
    workload.name: workload for workload in (*WORKLOADS, *LONG, *SELDOM)
}


def write_project(folder: Path, *, added: int = 0, onnx_layers: Sequence[int] = ()) -> None:
    """Write the project, with `added` layers on whichever side runs it.

    Args:
        folder: to write into; made where it is not there.
        added: for the commits of the live runs.
        onnx_layers: the depths of which an ONNX model is needed; made where they are not there.
    """
    shutil.copytree(
        PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "models")
    )
    depth = folder / "depth.py"
    text = depth.read_text(encoding="utf-8")
    depth.write_text(text.replace("\nADDED = 0\n", f"\nADDED = {added}\n"), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    missing = [n for n in onnx_layers if not (folder / "models" / f"mlp-{n}.onnx").exists()]
    if missing:
        stacks = _module(folder, "stacks")
        for layers in missing:
            stacks.write_onnx(layers)


def _module(folder: Path, name: str):  # type: ignore[no-untyped-def]  # a module's names are its own
    """Import a module of a written project, without leaving it among the loaded ones."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None, "a path always has a spec"
    assert spec.loader is not None, "a path always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    before = sys.modules.get("depth")
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
        if before is None:
            sys.modules.pop("depth", None)
    return module


def environ(*, levels: Sequence[int], side: SideName | None = None) -> dict[str, str]:
    """Return the environment in which the project is measured, by this checkout's plugin."""
    ours = ("EVIDENCE_", "PYTEST_")  # what a pytest round us has set is not for the measured one
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "EVIDENCE_LEVELS": ",".join(map(str, levels)),
        **({"EVIDENCE_SIDE": side} if side else {}),
    }


def setups(folder: Path, *, levels: Sequence[int]) -> dict[SideName, WorkerSetup]:
    """Return both sides of the project in a folder; nothing but their variable differs."""
    return {
        name: WorkerSetup(
            side=Side(
                name=name,
                rootdir=folder,
                invocation_dir=folder,
                inifile=folder / "pytest.ini",
                plugins=("pytest_costguard.plugin",),
                environ=environ(levels=levels, side=name),
            ),
            thread_variables=thread_environment,
            settings=lambda _nodeids: {},
        )
        for name in SIDES
    }


def tests(folder: Path, workload: Workload, levels: Sequence[int]) -> tuple[CollectedTest, ...]:
    """Return a workload's tests as a pytest session would have collected them."""
    return tuple(
        CollectedTest(
            nodeid=workload.nodeid(level), path=folder / workload.file, needs_own_process=False
        )
        for level in levels
    )
