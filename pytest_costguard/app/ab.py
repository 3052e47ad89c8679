"""`pytest_costguard.ab`: is the second callable faster than the first, and by how much?"""

from __future__ import annotations

import datetime as dt
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_costguard.app.baselines import project_root
from pytest_costguard.app.carrying import Carried, refuse_in_worker
from pytest_costguard.app.declared_scenarios import parse_scenario
from pytest_costguard.app.experiment import Experimenting, Surroundings, Wish
from pytest_costguard.app.experiment_things import contrast_of
from pytest_costguard.app.targets import priced_setup
from pytest_costguard.config.cascade import resolve
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.records import Experiment, MetricChange, SideName, WorkloadChange
from pytest_costguard.reports.experiment import render, verdict
from pytest_costguard.workloads.inputs import InputSet


@dataclass(frozen=True, slots=True, kw_only=True)
class AbResult:
    """What `ab` found out; `str()` of it is a readable table.

    `ratio` is the second's mean latency (or whichever `metric` was asked for) divided by the
    first's: 0.8 takes 20 % less time. The true ratio is between `lower` and `upper` in at least
    `confidence` of experiments.
    """

    verdict: str
    """In words: "B is 12.4 % faster than A"."""
    ratio: float
    lower: float
    upper: float
    confidence: float
    precise: bool
    """Whether the interval is as narrow as was wished, before the time was up."""
    units: int
    """How many pairs of fresh processes it rests on."""
    seconds: float
    """Of wall time."""
    first: Mapping[str, float]
    """Figures by metric: seconds, items a second, bytes."""
    second: Mapping[str, float]
    notes: tuple[str, ...]
    record: Experiment
    """Everything, as `costguard ab --json` writes it."""

    def __str__(self) -> str:
        return render(self.record).rstrip("\n")


def ab(
    first: Any,
    second: Any,
    *,
    inputs: Any,
    precision: float = 0.01,
    batch_size: int | Callable[[Any], int] | None = None,
    threads: int = 1,
    scenario: str = "single_stream",
    metric: str = "mean",
    seconds: float = 120.0,
    progress: Callable[[Progress], None] | None = None,
) -> AbResult:
    """Measure two callables side by side until their ratio is known as precisely as is wished.

    Both run in fresh processes, so they are carried there: functions of a module or of a script by
    name, anything else that pickle can carry (an object with `__call__`, a torch module) by value;
    the path of an ONNX model is a workload too. In a script, call `ab` under
    `if __name__ == "__main__":`.

    Args:
        first: A, the reference: a callable of one input.
        second: B, the candidate.
        inputs: representative requests, as for `costguard.measure`.
        precision: half of the interval of the ratio; 0.01 is 1 %.
        batch_size: items that a request holds: a number, or a function of the input.
        threads: that serve either.
        scenario: `single_stream`, `multi_stream(n)`, `concurrent(k)` or `offline`.
        metric: whose ratio is asked for and must be precise.
        seconds: after which it ends, precise or not; at least 6 units are measured.
        progress: is told how far it is.

    Raises:
        ConfigError: an argument is not understood, or cannot be carried into a process.
        WorkloadError: one of them raised, or cannot be measured.
        KeyboardInterrupt: after Ctrl-C; what was known is in its notes.
    """
    refuse_in_worker()
    things: dict[SideName, Any] = {"base": first, "head": second}
    for thing in things.values():
        _refuse_coroutine(thing)
    parse_scenario(scenario, nodeid="ab()")
    given = InputSet.of(inputs)
    given.items(batch_size)
    wish = Wish(precision=precision, seconds=seconds, metric=metric)
    root = project_root(Path.cwd())
    settings = resolve(cli={"threads": str(threads)}, environ=os.environ, rootdir=root)
    around = Surroundings(
        pricing=priced_setup(settings, today=dt.datetime.now(tz=dt.UTC).date()),
        timeout_seconds=settings.timeout_seconds,
    )
    carried = {
        side: Carried(thing=thing, inputs=given.inputs, batch_size=batch_size, scenario=scenario)
        for side, thing in things.items()
    }
    labels = {side: label_of(thing) for side, thing in things.items()}
    with contrast_of(carried, labels=labels, threads=settings.threads) as contrast:
        experiment = Experimenting(
            contrast, wish, around=around, progress=progress or (lambda _: None)
        )
        try:
            experiment.run()
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(render(experiment.result()))
            raise
    return result_of(experiment.result())


def result_of(record: Experiment) -> AbResult:
    """Return what was found out about the one workload of an experiment.

    Raises:
        WorkloadError: it could not be measured.
    """
    for failure in record.failures:
        details = f"\n\nIn the worker:\n{failure.details}" if failure.details else ""
        raise WorkloadError(f"{failure.reason}{details}", remedy=failure.remedy)
    if not record.workloads:
        raise WorkloadError(
            "; ".join(record.notes) or "nothing was measured",
            remedy="let it run longer: seconds=…, or ask for another metric=",
        )
    (found,) = record.workloads
    row = _row(found)
    assert row.ratio is not None, "the deciding metric has a ratio"
    assert row.lower is not None, "the deciding metric has bounds"
    assert row.upper is not None, "the deciding metric has bounds"
    return AbResult(
        verdict=verdict(found),
        ratio=row.ratio,
        lower=row.lower,
        upper=row.upper,
        confidence=row.confidence or 0.0,
        precise=found.precise,
        units=found.units,
        seconds=record.seconds,
        first={one.metric: one.a for one in found.changes if one.a is not None},
        second={one.metric: one.b for one in found.changes if one.b is not None},
        notes=(*record.notes, *found.notes),
        record=record,
    )


def label_of(thing: object) -> str:
    """Return what a person calls a callable or a model; a lambda also by its line."""
    if isinstance(thing, str | os.PathLike):
        return str(thing)
    name = str(getattr(thing, "__qualname__", None) or type(thing).__qualname__)
    code = getattr(thing, "__code__", None)
    if name.endswith("<lambda>") and code is not None:
        return f"lambda of line {code.co_firstlineno}"
    return name


def _row(found: WorkloadChange) -> MetricChange:
    return next(row for row in found.changes if row.metric == found.metric)


def _refuse_coroutine(thing: object) -> None:
    if inspect.iscoroutinefunction(thing):
        raise ConfigError(
            f"{label_of(thing)} is a coroutine function, which ab() cannot serve",
            remedy="wrap it: def serve(request): return asyncio.run(handle(request))",
        )
