"""Use case: record what other jobs of this run have left, in a job that runs none of their code.

Whoever may write to the store of baselines decides what later changes are compared with. So the
job that has that right takes the measurements as data, and checks out, installs and runs nothing
of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.app.baselines import as_baseline, measured, require_fit
from pytest_costguard.app.jobs import require_recordable
from pytest_costguard.app.left_reports import decoded
from pytest_costguard.baselines.store import Store, checked_name
from pytest_costguard.errors import RecordError, StoreError
from pytest_costguard.forges.artifacts import Artifact, artifacts_of, downloaded
from pytest_costguard.forges.events import Job
from pytest_costguard.forges.transport import Transport
from pytest_costguard.records import BaselineRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run that was recorded, and where."""

    run: BaselineRun
    place: str


def record_left(
    job: Job,
    *,
    connection: Transport,
    artifact: str,
    name: str,
    record_on: Sequence[str],
    store: Store,
) -> tuple[RecordedRun, ...]:
    """Add the runs that other jobs of this very run have left as reports to a baseline.

    All of them are read before one is recorded.

    Args:
        job: this one.
        connection: to GitHub.
        artifact: under which name the reports were kept: this one, and all that begin with it and
            a dash.
        name: of the baseline.
        record_on: branches whose runs are recorded; none: the repository's default branch.
        store: they go there.

    Raises:
        ConfigError: runs of this job's branch are not recorded.
        ForgeError: the reports cannot be had.
        RecordError: one of them is not sound, or of another commit.
        StoreError: there is none, one is not fit to be a baseline, or it cannot be written.
    """
    require_recordable(job, record_on)
    checked_name(name)
    kept = artifacts_of(connection, repository=job.repository, run=job.run, name=artifact)
    if not kept:
        raise StoreError(
            f"run {job.run} has left no artifact {artifact}: nothing was recorded",
            remedy="look at the log of the job that measures, and at its artifact-name",
        )
    runs = [_baseline_run(job, one, connection=connection, name=name) for one in kept]
    return tuple(RecordedRun(run=run, place=store.add(name, run)) for run in runs)


def _baseline_run(job: Job, artifact: Artifact, *, connection: Transport, name: str) -> BaselineRun:
    origin = f"artifact {artifact.id}"
    data = downloaded(connection, repository=job.repository, artifact=artifact)
    run = measured(decoded(data, origin=origin), origin=Path(origin))
    if run.commit is None or run.commit.sha != job.head_sha:
        what = "no commit" if run.commit is None else f"commit {run.commit.sha[:12]}"
        raise RecordError(
            f"{origin}: it measured {what}, and this run is about {job.head_sha[:12]}",
            remedy="let the job that measures check out the commit that it runs for, by git",
        )
    require_fit(run, name)
    try:
        return as_baseline(run)
    except (ArithmeticError, LookupError, ValueError) as error:
        raise RecordError(
            f"{origin}: its figures contradict each other ({type(error).__name__})",
            remedy="measure again; a report that was edited is not one",
        ) from error
