"""Pilots: what the recorded units cannot say, since it changes how a unit is measured.

Three questions, each with nothing changed, so that a unit should say 0: are blocks of other
lengths better; does a calibration kernel beside each block take noise away; and does forking from
a process that is loaded already do as well as a fresh one? All variants of a question are measured
in turn, unit by unit, so that the machine's mood is the same for all.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.workloads import ROOT, Workload, environ, setups, tests
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.side_by_side import Bounds, SideBySide, Standing
from pytest_costguard.host.affinity import available_cores
from pytest_costguard.measure.blocks import BLOCK_SECONDS, requests_per_block
from pytest_costguard.records import SIDES, SideName, first_side
from pytest_costguard.stats.paired import PairedUnit, fit
from pytest_costguard.stats.pairing import paired_units

BLOCK_LENGTHS = (0.0005, 0.001, BLOCK_SECONDS, 0.01, 0.03)
_PAIRS = 40
_WARM_UP = 60
_LONG_SECONDS = 1e6
_GENERATION = 8
"""How many units are forked from one pair of loaded processes."""

Values = NDArray[np.float64]
"""One value a unit or a pair: a logarithm, head over base."""


def block_lengths(
    folder: Path, workload: Workload, *, units: int, told: Callable[[str], None]
) -> None:
    """Measure units with blocks of several lengths; tell the spread of each.

    Args:
        folder: of the written project.
        workload: whose level 0 is measured.
        units: of each length; a multiple of four, so that order and core are balanced.
        told: is told one line a length.
    """
    found: dict[float, list[PairedUnit]] = {seconds: [] for seconds in BLOCK_LENGTHS}
    for _ in range(units // 4):
        for seconds, known in found.items():
            known.extend(_engine_units(folder, workload, block_seconds=seconds))
    for seconds, known in found.items():
        told(f"{workload.name}, blocks of {1e3 * seconds:g} ms: {_spread(known)}")


def _engine_units(
    folder: Path, workload: Workload, *, block_seconds: float
) -> tuple[PairedUnit, ...]:
    engine = SideBySide(
        setups=setups(folder, levels=(0,)),
        tests=tests(folder, workload, (0,)),
        whole=(),
        effort=PairEffort(block_seconds=block_seconds),
        bounds=Bounds(units=4, seconds=_LONG_SECONDS, suite_seconds=_LONG_SECONDS),
        isolation="suite",
        cores=tuple(sorted(available_cores() or ())),
        standing=lambda _workload: Standing(decided=False, next_look=4),
        progress=lambda _progress: None,
        pairing="alternating",
    )
    engine.run()
    (one,) = engine.collection.workloads(workload.nodeid(0))
    base, head = (engine.sides[side].measurement(one) for side in SIDES)
    assert base is not None, "both sides are the same code"
    assert head is not None, "both sides are the same code"
    return paired_units("mean", base=base, head=head, inputs_per_request=1)


def processes(name: str, *, units: int, told: Callable[[str], None]) -> None:
    """Measure units of fresh and of forked processes, a calibration kernel beside each block.

    Args:
        name: of a workload that needs no model file.
        units: of either kind.
        told: is told what each variant's units scatter by.
    """
    cores = sorted(available_cores() or (0,))
    fresh: list[_HandUnit] = []
    forked: list[list[_HandUnit]] = []
    for start in range(0, units, _GENERATION):
        indices = range(start, min(units, start + _GENERATION))
        for index in indices:
            with _servers(name, first_side(index)) as pair:
                fresh.append(_hand_unit(pair, index=index, core=cores[index // 2 % len(cores)]))
        with _servers(name, first_side(start // _GENERATION)) as pair:
            generation = []
            for index in indices:
                for side in SIDES:
                    pair[side].ask("fork")
                unit = _hand_unit(pair, index=index, core=cores[index // 2 % len(cores)])
                generation.append(unit)
                for side in SIDES:
                    pair[side].ask("end")
            forked.append(generation)
    told(f"{name}, fresh processes: {_spread([unit.paired() for unit in fresh])}")
    for weight in (0.5, 1.0):
        less = [unit.paired(kernel=weight) for unit in fresh]
        told(f"{name}, less {weight:g} of the kernel, pair by pair: {_spread(less)}")
    change = np.array([unit.change for unit in fresh])
    kernel = np.array([unit.kernel for unit in fresh])
    alike = np.corrcoef(change, kernel)[0, 1]
    told(f"{name}, correlation with the kernel's own change: {alike:+.2f}")
    within = [unit.paired() for generation in forked for unit in generation]
    told(f"{name}, forked processes, all: {_spread(within)}")
    means = [100 * fmean(unit.change for unit in generation) for generation in forked]
    inner = np.sqrt(fmean(np.var([u.change for u in g], ddof=1) for g in forked))
    told(
        f"{name}, forked: SD within a pair of loaded processes {100 * inner:.2f} %, the means of"
        f" {len(means)} of them {', '.join(f'{mean:+.2f}' for mean in means)} %"
    )


class _HandUnit:
    """One unit by hand: the logarithms of its pairs, of the workload and of the kernel."""

    def __init__(self, pairs: Values, kernels: Values, *, first: SideName) -> None:
        self._pairs, self._kernels, self._first = pairs, kernels, first

    @property
    def change(self) -> float:
        """The median over pairs."""
        return float(np.median(self._pairs))

    @property
    def kernel(self) -> float:
        """The same of the kernel."""
        return float(np.median(self._kernels))

    def paired(self, *, kernel: float = 0.0) -> PairedUnit:
        """The unit's value, less so much of the kernel's in each pair."""
        change = float(np.median(self._pairs - kernel * self._kernels))
        return PairedUnit(change=change, first=self._first)


class _Server:
    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.verdicts.lone_server", name],
            cwd=ROOT,
            env=environ(levels=(0,)) | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def heard(self) -> str:
        assert self._process.stdout is not None, "it was opened with a pipe"
        return self._process.stdout.readline().strip()

    def ask(self, word: str) -> str:
        assert self._process.stdin is not None, "it was opened with a pipe"
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self.heard()

    def close(self) -> None:
        self._process.communicate("end\n")


@contextlib.contextmanager
def _servers(name: str, first: SideName) -> Iterator[Mapping[SideName, _Server]]:
    order = SIDES if first == SIDES[0] else SIDES[::-1]
    with contextlib.ExitStack() as stack:
        pair = {}
        for side in order:
            pair[side] = _Server(name)
            stack.callback(pair[side].close)
        for side in order:
            pair[side].heard()
        yield pair


def _hand_unit(pair: Mapping[SideName, _Server], *, index: int, core: int) -> _HandUnit:
    first = first_side(index)
    order: Sequence[SideName] = SIDES if first == SIDES[0] else SIDES[::-1]
    seconds = []
    for side in order:
        pair[side].ask(f"pin {core}")
        pair[side].ask("kernel")
        wall, _ = pair[side].ask(f"serve {_WARM_UP}").split()
        seconds.append(float(wall) / _WARM_UP)
    requests = requests_per_block(max(seconds))
    times: dict[SideName, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for number in range(_PAIRS):
        for side in order if number % 2 == 0 else order[::-1]:
            _, cpu = pair[side].ask(f"serve {requests}").split()
            times[side].append((float(cpu), float(pair[side].ask("kernel"))))
    base, head = (np.array(times[side]) for side in SIDES)
    logs = np.log(head / base)
    return _HandUnit(logs[:, 0], logs[:, 1], first=first)


def _spread(units: Sequence[PairedUnit]) -> str:
    found = fit(units)
    said = f"{100 * found.change:+.2f} %, SD of a unit {100 * found.spread:.2f} %"
    return f"{said}, {len(units)} units"
