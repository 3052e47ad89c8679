"""Use case: apply the stored rule to two records, without measuring anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from pytest_costguard.app.baselines import locate, measured
from pytest_costguard.app.judging import judge
from pytest_costguard.baselines.reading import read_any
from pytest_costguard.baselines.store import Store
from pytest_costguard.config.gates import DEFAULT_GATES, adjusted
from pytest_costguard.errors import RecordError
from pytest_costguard.records import (
    AnyRecord,
    BaselineRun,
    FailOn,
    Gates,
    Report,
    Run,
)

_OPTIONS = {"allow": "--allow", "catch": "--catch"}


def compare(
    base: str,
    head: Path,
    *,
    rootdir: Path,
    store: Store,
    fail_on: Collection[FailOn],
    allow: float | None = None,
    catch: float | None = None,
) -> Report:
    """Compare one record with another by the rule for stored baselines.

    Args:
        base: A file (run, report or baseline run), a folder of them, or the name of a baseline.
        head: A run or a report; a report brings its gates, target and declared spread along.
        rootdir: The project.
        store: Where its baselines are known by name.
        fail_on: What makes the outcome fail.
        allow: How much mean latency and peak memory may get worse, a fraction; None: as stored.
        catch: What must not be missed, a fraction; None: as stored, or 2.5 times `allow`.

    Raises:
        StoreError: There is no such base.
        RecordError: A file is damaged or was measured side by side, or `head` holds no
            measurements.
        ConfigError: `catch` is not above `allow`.
    """
    record = read_any(head)
    run = _measured(record, origin=head)
    baseline, problem = locate(base, store=store, rootdir=rootdir, fingerprint=run.fingerprint)
    report = record if isinstance(record, Report) else None
    return judge(
        run=run,
        baseline=baseline,
        gates=_gates(run, report.gates if report else {}, allow=allow, catch=catch),
        target=report.target if report else None,
        target_problem=report.target_problem if report else "a run holds no price; a report does",
        fail_on=fail_on,
        runner_spread=report.runner_spread if report else None,
        baseline_requested=base,
        baseline_problem=problem,
        whole_suite=False,
        now=run.created.date(),
    )


def _measured(record: AnyRecord, *, origin: Path) -> Run:
    if isinstance(record, BaselineRun):
        raise RecordError(
            f"{origin} is a baseline run, which keeps summaries and not measurements",
            remedy="give it as BASE, and a run or a report (report.json) as HEAD",
        )
    return measured(record, origin=origin)


def _gates(
    run: Run, stored: Mapping[str, Gates], *, allow: float | None, catch: float | None
) -> dict[str, Gates]:
    """The gates of each workload; a run without any is held to the default rules."""
    rules = DEFAULT_GATES.regressions.values()
    default = Gates(regressions=tuple(rule for rule in rules if rule is not None))
    found = {}
    for measurement in run.measurements:
        gates = stored.get(str(measurement.workload), default)
        found[str(measurement.workload)] = msgspec.structs.replace(
            gates,
            regressions=tuple(
                adjusted(rule, allow=allow, catch=catch, said_by=_OPTIONS, allow_option="--allow")
                for rule in gates.regressions
            ),
        )
    return found
