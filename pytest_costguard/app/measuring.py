"""How a check is measured: this checkout alone, or side by side with another revision."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pytest_costguard import __version__
from pytest_costguard.app.against import TwoSides, two_sides
from pytest_costguard.app.environments import DeclaredEnvironment
from pytest_costguard.app.servers import SERVER_DETAIL
from pytest_costguard.app.standings import Standings, gates_by_workload
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.app.worker import WorkerSettings
from pytest_costguard.baselines.folder import FOLDER_NAME
from pytest_costguard.config.model import Settings
from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.coordinator import Coordinator, Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.plain import Effort
from pytest_costguard.engine.side_by_side import Bounds, SideBySide
from pytest_costguard.engine.standing import SLOW_TIMES
from pytest_costguard.host.affinity import available_cores
from pytest_costguard.host.threads import thread_environment
from pytest_costguard.records import Against, Commit, Fingerprint, Gates, Run
from pytest_costguard.stats.paired import DEEP_LOOKS, USUAL_LOOKS

_DEEP = 2
"""How many times longer the deep mode may take."""


class Measuring(Protocol):
    """What measures; its collection is valid at any moment."""

    @property
    def collection(self) -> Collection:
        """Head's measurements and every failure."""

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the first worker; None until one was up."""

    @property
    def pairs_of_processes(self) -> bool:
        """Whether two sides are measured."""

    def estimated_seconds(self) -> float:
        """About how long it will take, as far as the tests tell before anything is measured."""

    def run(self) -> None:
        """Measure everything, and close."""

    def close(self) -> None:
        """Remove what was made for it, where it did not come to be run."""

    def against(self, run: Run) -> Against | None:
        """Return base as it was measured beside `run`; None where head was measured alone."""


def one_side(
    *,
    settings: Settings,
    side: Side,
    pricing: PricedSetup,
    tests: Sequence[CollectedTest],
    labels: Mapping[str, dict[str, str]],
    progress: Callable[[Progress], None],
) -> Measuring:
    """Return what measures the checkout alone."""
    return _OneSide(
        Coordinator(
            setup=_setup(side, pricing=pricing, labels=labels),
            tests=tests,
            effort=Effort(
                units=settings.units,
                unit_seconds=settings.unit_seconds,
                timeout_seconds=settings.timeout_seconds,
            ),
            isolation=settings.isolate,
            progress=progress,
        )
    )


def side_by_side(
    *,
    settings: Settings,
    side: Side,
    pricing: PricedSetup,
    tests: Sequence[CollectedTest],
    labels: Mapping[str, dict[str, str]],
    gates: Mapping[str, Gates],
    pythonpath: Sequence[str],
    whole: Sequence[Path],
    progress: Callable[[Progress], None],
    tell: Callable[[str], None],
    hypotheses: int = 1,
) -> Measuring:
    """Return what measures the checkout and the revision that the settings name.

    Both work trees are made now, and removed when it has run.

    Args:
        settings: of the run.
        side: the checkout.
        pricing: what the workers price with.
        tests: what was collected.
        labels: by node id.
        gates: by node id.
        pythonpath: pytest's setting, relative to the root directory.
        whole: where the whole suite was collected; empty where only a part of it is measured.
        progress: is told how far the measuring is.
        hypotheses: among how many gates the error is shared at least.
        tell: is told what a person waits for before that.

    Raises:
        RevisionError: there is no such commit, or no checkout; base's environment is not to be
            had, or a tree cannot be built.
        StoreError: there is no room for the trees or the environment.
    """
    assert settings.against is not None, "asked only where a revision is named"
    with ExitStack() as undo:
        taken = undo.enter_context(
            two_sides(
                side,
                against=settings.against,
                share=settings.share,
                pythonpath=pythonpath,
                declared=DeclaredEnvironment(
                    base_python=settings.base_python,
                    base_environment=settings.base_environment,
                    build=settings.build,
                    cache=side.rootdir / FOLDER_NAME / "cache" / "environments",
                ),
                tell=tell,
            )
        )
        looks = DEEP_LOOKS if settings.deep else USUAL_LOOKS
        longer = _DEEP if settings.deep else 1
        standings = Standings(gates=gates_by_workload(gates), looks=looks, hypotheses=hypotheses)
        cores = tuple(sorted(available_cores() or ()))
        engine = SideBySide(
            setups={
                name: _setup(one, pricing=pricing, labels=labels)
                for name, one in taken.sides.items()
            },
            tests=tests,
            whole=whole,
            effort=PairEffort(
                unit_seconds=settings.unit_seconds / len(taken.sides),
                timeout_seconds=settings.timeout_seconds,
            ),
            bounds=Bounds(
                units=looks.most,
                seconds=settings.workload_seconds * longer,
                slow_seconds=_slow_seconds(settings) * longer,
                suite_seconds=settings.suite_seconds * longer,
            ),
            isolation=settings.isolate,
            cores=cores,
            standing=lambda workload: standings.of(workload, engine),
            progress=progress,
            pairing=settings.pairing,
            clock=settings.clock,
        )
        return _TwoSides(engine, taken, looks=looks.units, cores=cores, undo=undo.pop_all())


def _slow_seconds(settings: Settings) -> float:
    """What a workload of slow requests may take; no more than somebody has said, where they did."""
    usual = settings.origins["time"].is_default
    return SLOW_TIMES * settings.workload_seconds if usual else 0.0


def _setup(
    side: Side, *, pricing: PricedSetup, labels: Mapping[str, dict[str, str]]
) -> WorkerSetup:
    def told(nodeids: Sequence[str]) -> Mapping[str, Any]:
        settings = WorkerSettings(
            labels={nodeid: labels[nodeid] for nodeid in nodeids},
            target=pricing.target,
            target_problem=pricing.problem,
        )
        plain: dict[str, Any] = msgspec.to_builtins(settings)
        return plain

    return WorkerSetup(side=side, thread_variables=thread_environment, settings=told)


class _OneSide:
    def __init__(self, engine: Coordinator) -> None:
        self._engine = engine
        self.pairs_of_processes = False

    @property
    def collection(self) -> Collection:
        return self._engine.collection

    @property
    def fingerprint(self) -> Fingerprint | None:
        return self._engine.fingerprint

    def estimated_seconds(self) -> float:
        return self._engine.estimated_seconds()

    def run(self) -> None:
        self._engine.run()

    def close(self) -> None:
        """Nothing was made for it."""

    def against(self, run: Run) -> None:
        """Nothing was measured beside it."""


class _TwoSides:
    def __init__(
        self,
        engine: SideBySide,
        taken: TwoSides,
        *,
        looks: tuple[int, ...],
        cores: tuple[int, ...],
        undo: ExitStack,
    ) -> None:
        self._engine = engine
        self._taken = taken
        self._looks = looks
        self._cores = cores
        self._undo = undo
        self.pairs_of_processes = True

    @property
    def collection(self) -> Collection:
        return self._engine.collection

    @property
    def fingerprint(self) -> Fingerprint | None:
        return self._engine.fingerprint

    def estimated_seconds(self) -> float:
        return self._engine.estimated_seconds()

    def run(self) -> None:
        with self._undo:
            self._engine.run()

    def close(self) -> None:
        self._undo.close()

    def against(self, run: Run) -> Against:
        base = self._engine.sides["base"].measurements()
        own_files = frozenset(self._engine.own_files)
        same_models = self._same_models(run)
        revision = self._taken.revision
        return Against(
            requested=revision.asked,
            found_as=revision.found_as,
            run=Run(
                run_id=uuid.uuid4().hex[:12],
                created=run.created,
                tool_version=__version__,
                fingerprint=self._engine.base_fingerprint or run.fingerprint,
                commit=Commit(sha=revision.sha),
                config_digest=run.config_digest,
                complete=run.complete,
                whole_suite=False,
                measurements=base,
            ),
            looks=self._looks,
            cores=self._cores,
            seconds={str(one): spent for one, spent in self._engine.seconds.items()},
            pairings={str(one): how for one, how in self._engine.pairings.items()},
            only_base=tuple(self._engine.only_base),
            changed_files=self._taken.changed_files,
            unloaded=self._taken.unloaded(own_files, same_models=same_models),
            notes=(
                *self._engine.notes,
                *self._taken.notes(own_files, same_models=same_models),
            ),
        )

    def _same_models(self, run: Run) -> bool:
        """Whether no workload's model or inputs differ, so that only code could.

        Nobody knows what a server has loaded.
        """
        for head in run.measurements:
            if SERVER_DETAIL in head.declaration.details:
                return False
            base = self._engine.sides["base"].measurement(head.workload)
            ours, theirs = head.declaration, base.declaration if base else head.declaration
            if (ours.model_digest, ours.input_digest) != (theirs.model_digest, theirs.input_digest):
                return False
        return True
