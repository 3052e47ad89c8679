"""Use case: measure two sides, A and B, until their change is known as precisely as was wished."""

from __future__ import annotations

import datetime as dt
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from pytest_costguard import __version__
from pytest_costguard.app.experiment_changes import Measured, workload_change
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.app.unit_changes import UnitChanges, on_both_sides
from pytest_costguard.app.variants import LETTERS
from pytest_costguard.app.worker import WorkerSettings
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.side_by_side import Bounds, SideBySide, Standing
from pytest_costguard.errors import ConfigError
from pytest_costguard.host.affinity import available_cores
from pytest_costguard.host.fingerprint import fingerprint
from pytest_costguard.host.threads import thread_environment
from pytest_costguard.records import (
    COSTS,
    MEANS,
    METRICS,
    QUANTILES,
    SIDES,
    Experiment,
    ExperimentSide,
    Failure,
    SideName,
    WorkloadId,
)
from pytest_costguard.reports.numbers import change
from pytest_costguard.stats.paired import FEWEST_UNITS
from pytest_costguard.stats.percentiles import unit_requests_needed
from pytest_costguard.stats.precision import LOOKS, precise_change

STOPPING_METRICS = tuple(
    dict.fromkeys(
        ("mean", *QUANTILES, *COSTS.values(), *MEANS.values(), "peak_memory", "cold_start")
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How precisely a person wishes to know, and how long that may take."""

    precision: float = 0.01
    """Half of the interval, as a ratio."""
    seconds: float = 120.0
    """Of one workload; at least 6 units are measured all the same."""
    metric: str = "mean"
    """Whose interval must be narrow enough."""

    def __post_init__(self) -> None:
        if not 0 < self.precision < math.inf or not 0 < self.seconds < math.inf:
            raise ConfigError(
                f"precision={self.precision!r} and seconds={self.seconds!r} must be above zero",
                remedy="for example precision=0.01 (1 %) and seconds=120",
            )
        if self.metric not in STOPPING_METRICS:
            raise ConfigError(
                f"{self.metric!r} is no metric whose precision can be wished for",
                remedy=f"name one of: {', '.join(STOPPING_METRICS)}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What is measured, and in what A (the engine's base) and B (its head) differ."""

    sides: Mapping[SideName, Side]
    labels: Mapping[SideName, str]
    tests: Sequence[CollectedTest]
    threads_asked: Mapping[SideName, int] = field(default_factory=dict)
    """Threads that a person has asked for by a variable of a side; 0 or absent: none."""
    thread_variables: Mapping[SideName, frozenset[str]] = field(default_factory=dict)
    """Variables that a person gives for a side: what the declared threads say gives way."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the configuration says of how workers run and what a machine costs."""

    pricing: PricedSetup
    timeout_seconds: float = 120.0


class Experimenting:
    """Runs one experiment. `result` is valid at any moment, also after Ctrl-C."""

    def __init__(
        self,
        contrast: Contrast,
        wish: Wish,
        *,
        around: Surroundings,
        progress: Callable[[Progress], None],
    ) -> None:
        self._contrast = contrast
        self._wish = wish
        self._around = around
        self._created = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
        self._began = time.monotonic()
        self._changes = UnitChanges()
        self._known: dict[WorkloadId, tuple[int, Standing]] = {}
        self.complete = False
        self._engine = SideBySide(
            setups={side: self._setup(side) for side in SIDES},
            tests=[self._needing(test) for test in contrast.tests],
            whole=(),
            effort=PairEffort(timeout_seconds=around.timeout_seconds),
            bounds=Bounds(units=LOOKS[-1], seconds=wish.seconds, suite_seconds=math.inf),
            isolation="test",  # so that memory is that of this workload alone, in every unit
            cores=tuple(sorted(available_cores() or ())),
            standing=self._standing,
            progress=progress,
        )

    def run(self) -> None:
        """Measure until everything is precise, or its time is up."""
        self._began = time.monotonic()
        self._engine.run()
        self.complete = True

    def result(self) -> Experiment:
        """Return what is known so far."""
        base, head = self._engine.sides["base"], self._engine.sides["head"]
        machine = self._engine.fingerprint or fingerprint(environ=os.environ)
        failures = tuple(map(_in_letters, head.failures))
        failed = {failure.workload for failure in failures}
        found, notes = [], [*self._contrast.notes]
        for measured in head.measurements():
            other = base.measurement(measured.workload)
            if measured.workload in failed:
                continue
            if other is None:
                notes.append(f"only B measures {measured.workload}")
                continue
            told = workload_change(
                Measured(
                    base=other,
                    head=measured,
                    seconds=self._engine.seconds.get(measured.workload, 0.0),
                    pairing=self._engine.pairings.get(measured.workload),
                ),
                metric=self._wish.metric,
                precision=self._wish.precision,
                pricing=self._around.pricing,
                machine=machine,
            )
            if told is None:
                notes.append(
                    f"{measured.workload}: fewer than {FEWEST_UNITS} units tell of its"
                    f" {self._wish.metric}, so nothing is known of its change"
                )
            else:
                found.append(told)
        notes += [f"only A measures {workload}" for workload in self._engine.only_base]
        return Experiment(
            created=self._created,
            tool_version=__version__,
            a=ExperimentSide(
                label=self._contrast.labels["base"], fingerprint=self._engine.base_fingerprint
            ),
            b=ExperimentSide(
                label=self._contrast.labels["head"], fingerprint=self._engine.fingerprint
            ),
            precision=self._wish.precision,
            complete=self.complete,
            seconds=time.monotonic() - self._began,
            workloads=tuple(found),
            failures=failures,
            notes=tuple(notes),
        )

    def _setup(self, side: SideName) -> WorkerSetup:
        asked = self._contrast.threads_asked
        given = self._contrast.thread_variables.get(side, frozenset())
        settings = WorkerSettings(
            target=self._around.pricing.target,
            target_problem=self._around.pricing.problem,
            threads_asked=asked.get(side, 0),
            threads_on_any_side=max(asked.values(), default=0),
        )
        plain: dict[str, Any] = msgspec.to_builtins(settings)

        def variables(threads: int) -> dict[str, str]:
            ours = thread_environment(threads)
            return {name: value for name, value in ours.items() if name not in given}

        return WorkerSetup(
            side=self._contrast.sides[side],
            thread_variables=variables,
            settings=lambda _: plain,
        )

    def _needing(self, test: CollectedTest) -> CollectedTest:
        """The test held to the metric, with as many requests a unit as that needs."""
        metric = self._wish.metric
        requests = unit_requests_needed(metric) if metric in QUANTILES else 0
        return replace(
            test,
            min_requests=max(test.min_requests, requests),
            metrics=frozenset({metric}),
        )

    def _standing(self, workload: WorkloadId) -> Standing:
        base = self._engine.sides["base"].measurement(workload)
        head = self._engine.sides["head"].measurement(workload)
        assert base is not None, "only what both sides have measured has a standing"
        assert head is not None, "only what both sides have measured has a standing"
        head = on_both_sides(head, base=base)
        units, known = len(head.units), self._known.get(workload)
        if known is not None and known[0] == units:
            return known[1]
        metric = self._wish.metric
        told = self._changes.of(metric, base=base, head=head)
        found = precise_change(told, precision=self._wish.precision)
        coming = next((look for look in LOOKS if look > units), units)
        decided = units >= LOOKS[-1] or (found is not None and found.precise and units in LOOKS)
        standing = Standing(
            decided=decided,
            next_look=units if decided else coming,
            words=""
            if found is None
            else f"{metric} {change(ratio(_sign(metric) * found.change))} %,"
            f" known to {100 * found.half_width:.2g} % after {units} units",
        )
        self._known[workload] = units, standing
        return standing


def _sign(metric: str) -> int:
    return -1 if METRICS[metric].better == "higher" else 1


def _in_letters(failure: Failure) -> Failure:
    """The failure with A and B for what the engine calls base and head."""
    reason = failure.reason
    for side, letter in LETTERS.items():
        reason = reason.replace(f"on {side}: ", f"on {letter}: ")
    reason = reason.replace("base and head", "A and B")
    details = failure.details.replace("on base:\n", "on A:\n", 1)
    remedy = failure.remedy.replace("on both revisions", "on both sides")
    return msgspec.structs.replace(failure, reason=reason, details=details, remedy=remedy)
