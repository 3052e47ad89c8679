"""Use case: record what other jobs of this run have left, in a job that runs none of their code.

Whoever may write to the store of baselines decides what later changes are compared with. So the
job that has that right takes the measurements as data, and checks out, installs and runs nothing
of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.app.jobs import require_recordable
from pytest_costguard.app.left_reports import run_left
from pytest_costguard.baselines.store import Store, checked_name
from pytest_costguard.errors import StoreError
from pytest_costguard.forges.artifacts import artifacts_of
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
    runs = [
        run_left(
            one, connection=connection, repository=job.repository, commit=job.head_sha, name=name
        )
        for one in kept
    ]
    return tuple(RecordedRun(run=run, place=store.add(name, run)) for run in runs)
