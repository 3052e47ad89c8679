"""Use case: the reports that the jobs of a run have left as artifacts, for a comment.

The legs of a matrix leave them for the job that comes after all of them, and the job of a fork,
which may not comment, for a workflow that may (`on: workflow_run`). What a fork has left is data
from a stranger: it is validated, decided again and rendered here, and which pull request it is
about comes from GitHub alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pytest_costguard.app.baselines import as_baseline, measured, require_fit
from pytest_costguard.app.commenting import CommentSource, missing_reports, text_of
from pytest_costguard.app.reporting import consistent, remake
from pytest_costguard.baselines.reading import decode_record
from pytest_costguard.errors import CostguardError, RecordError
from pytest_costguard.forges.artifacts import Artifact, artifacts_of, downloaded
from pytest_costguard.forges.events import Job
from pytest_costguard.forges.github import pull_requests_of
from pytest_costguard.forges.transport import Transport
from pytest_costguard.records import BaselineRun, Report
from pytest_costguard.reports.escaping import COMMENT_LIMIT

_FROM_FORK = (
    "Measured by a job of the fork, on this repository's runner: the figures are as that job left"
    " them."
)
_MOST_WORKLOADS = 2_000
_MOST_VALUES = 1_000_000
"""Times of all units in a report."""
_MOST_RULES = 64
"""Budgets and limits of one workload."""
_MOST_LOOKS = 64
_MOST_DIGITS = 24
"""Before or after the point of an amount: written out, more could fill a memory."""


def left_reports(
    job: Job, *, connection: Transport, name: str, expected: int | None = None
) -> CommentSource:
    """Return the reports of this very run, or of the run after which this one was started.

    Args:
        job: this one.
        connection: to GitHub.
        name: of the artifacts: `name` itself, and all that begin with `name-`.
        expected: how many there should be; fewer is said in the notes.

    Raises:
        ForgeError: they cannot be had.
        RecordError: one is not a sound report.
    """
    source = job.triggered_by
    run = job.run if source is None else source.run
    found = artifacts_of(connection, repository=job.repository, run=run, name=name)
    reports = tuple(
        _validated(
            downloaded(connection, repository=job.repository, artifact=artifact),
            origin=f"artifact {artifact.id}",
        )
        for artifact in found
    )
    notes = missing_reports(len(reports), expected=expected)
    if source is None:
        numbers = () if job.number is None else (job.number,)
        return CommentSource(
            reports=reports,
            numbers=numbers,
            run=run,
            attempt=job.attempt,
            notes=notes,
            run_url=job.run_url,
        )
    foreign = source.head_repository != job.repository
    if foreign:
        notes = (*notes, _FROM_FORK)
    return CommentSource(
        reports=reports,
        numbers=_numbers(job, connection=connection),
        run=run,
        attempt=source.attempt,
        notes=notes,
        foreign=foreign,
        run_url=job.page_of(run),
    )


def _numbers(job: Job, *, connection: Transport) -> tuple[int, ...]:
    source = job.triggered_by
    if source is None or source.event != "pull_request" or not source.head_owner:
        return ()
    return pull_requests_of(
        connection,
        repository=job.repository,
        owner=source.head_owner,
        branch=source.head_branch,
        sha=source.head_sha,
        source=source.head_repository,
    )


def _validated(data: bytes, *, origin: str) -> Report:
    """Return the report in foreign data, after it was decided again and rendered once.

    Raises:
        RecordError: it is not sound, larger than a report can be, or contradicts itself.
    """
    report = decoded(data, origin=origin)
    try:
        with consistent(origin):
            remade = remake(report, origin=origin)
            text_of([remade], limit=COMMENT_LIMIT)
    except CostguardError as error:
        named = error.message if error.message.startswith(origin) else f"{origin}: {error.message}"
        raise RecordError(named, remedy=error.remedy) from error
    return remade


def decoded(data: bytes, *, origin: str) -> Report:
    """Return the report in data that another job has left, of a size that somebody measures.

    Raises:
        RecordError: it is not sound, or would take minutes to decide.
    """
    report = decode_record(data, Report, origin=origin)
    for problem in _excesses(report):
        raise RecordError(
            f"{origin}: more {problem} than a report can have",
            remedy="split the suite into several reports, each with a name of its own",
        )
    return report


def run_left(
    artifact: Artifact, *, connection: Transport, repository: str, commit: str, name: str
) -> BaselineRun:
    """Return the run in a report that another job has left, as a baseline keeps it.

    Args:
        artifact: that holds the report.
        connection: to GitHub.
        repository: `owner/name`.
        commit: that the other job was about.
        name: of the baseline that the run is to be one of.

    Raises:
        ForgeError: it cannot be had.
        RecordError: it is not sound, or of another commit.
        StoreError: it is not fit to be a baseline.
    """
    origin = f"artifact {artifact.id}"
    data = downloaded(connection, repository=repository, artifact=artifact)
    run = measured(decoded(data, origin=origin), origin=origin)
    if run.commit is None or run.commit.sha != commit:
        what = "no commit" if run.commit is None else f"commit {run.commit.sha[:12]}"
        raise RecordError(
            f"{origin}: it measured {what}, and its run is about {commit[:12]}",
            remedy="let the job that measures check out the commit that it runs for, by git",
        )
    require_fit(run, name)
    with consistent(origin):
        return as_baseline(run)


def _excesses(report: Report) -> Iterator[str]:
    """Return in what a report is larger than anybody's."""
    sides = [] if report.against is None else [report.against]
    measurements = [*report.run.measurements]
    for look in report.escalation.looks if report.escalation is not None else ():
        measurements += look.head
        sides.append(look.against)
    for against in sides:
        measurements += against.run.measurements
    values = sum(
        len(unit.blocks) + len(unit.together) + len(unit.latency_seconds)
        for one in measurements
        for unit in one.units
    )
    if len(measurements) > _MOST_WORKLOADS or values > _MOST_VALUES:
        yield "measurements"
    stored = () if report.baseline is None else report.baseline.runs
    kept = sum(
        len(found) for run in stored for one in run.workloads for found in one.metrics.values()
    )
    told = len(report.run.failures) + len(report.missing) + len(stored)
    if told > _MOST_WORKLOADS or kept > _MOST_VALUES:
        yield "failures, missing workloads and runs"
    held = report.gates.values()
    if len(held) > _MOST_WORKLOADS or any(
        len(one.budgets) + len(one.regressions) > _MOST_RULES for one in held
    ):
        yield "budgets and limits"
    if any(len(against.looks) > _MOST_LOOKS for against in sides):
        yield "looks"
    if any(abs(amount.adjusted()) > _MOST_DIGITS for amount in _amounts(report)):
        yield "digits"


def _amounts(report: Report) -> Iterator[Decimal]:
    """Return the amounts that a report's own figures are made of."""
    target = report.target
    if target is None:
        return
    quote = target.quote
    known = (quote.usd_per_hour, target.currency.per_usd, quote.discount, quote.memory_gib)
    yield from (one for one in (*known, target.instance_share) if one is not None)
