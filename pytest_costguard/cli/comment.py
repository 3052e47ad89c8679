"""`costguard comment`: one comment at the pull request, from reports, in any CI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_costguard.config.ci_options import CI_BY_KEY

if TYPE_CHECKING:
    from pytest_costguard.app.commenting import CommentSource, Posted, When
    from pytest_costguard.forges.events import Job
    from pytest_costguard.forges.transport import Transport

_WHEN, _KEY = CI_BY_KEY["comment"], CI_BY_KEY["comment_key"]


@click.command(short_help="Leave one comment at the pull request, and keep it up to date.")
@click.argument("paths", metavar="[REPORT.json...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--when",
    type=click.Choice(_WHEN.choices),
    default=_WHEN.default,
    show_default=True,
    help="When a first comment is made; one that is there is always kept up to date.",
)
@click.option("--key", default=_KEY.default, show_default=True, help=_KEY.help)
@click.option("--number", type=click.IntRange(min=1), help="The pull or merge request.")
@click.option(
    "--artifact",
    metavar="NAME",
    help="On GitHub, instead of files: the artifacts NAME and NAME-… of this run, or of the run"
    " after which this job was started (on: workflow_run).",
)
@click.option(
    "--expect", type=click.IntRange(min=1), help="How many reports there are; fewer is said."
)
@click.option("--dry-run", is_flag=True, help="Print what would be posted, and post nothing.")
@click.pass_context
def comment(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    when: When,
    key: str,
    number: int | None,
    artifact: str | None,
    expect: int | None,
    dry_run: bool,
) -> None:
    """Leave one comment at the pull request that this job of the CI is about.

    Several reports, of the legs of a matrix, become one comment with a column a target.

    GitHub Actions and GitLab CI are known by their variables. The token comes from
    COSTGUARD_TOKEN, GITHUB_TOKEN or GITLAB_TOKEN. A token that may not comment, as that of a
    fork's pull request, is no error.
    """
    import os

    from pytest_costguard.app.jobs import connection, required_job

    if bool(paths) == (artifact is not None):
        raise click.UsageError("give the reports as files, or --artifact", context)
    if dry_run and artifact is None:
        _preview(_from_files(paths, expect=expect))
        return
    job = required_job(os.environ)
    if artifact is None and number is None and job.number is None:
        click.echo(f"This job ({job.event}) is about no pull request: no comment.")
        return
    transport = connection(job, os.environ)
    if artifact is None:
        left = _from_files(paths, expect=expect, job=job)
    else:
        left = _from_artifacts(job, transport=transport, name=artifact, expect=expect)
    if dry_run:
        _preview(left)
        return
    _post(left, job=job, transport=transport, number=number, when=when, key=key)


def _post(
    left: CommentSource,
    *,
    job: Job,
    transport: Transport,
    number: int | None,
    when: When,
    key: str,
) -> None:
    """Comment at each pull request that the reports are about, and say what became of it."""
    import os

    from pytest_costguard.app.commenting import post
    from pytest_costguard.app.jobs import thread
    from pytest_costguard.forges.sticky import Marker

    if not left.reports:
        click.echo(f"Run {left.run} has left no report: no comment.")
        return
    wanted = (number,) if number is not None else left.numbers
    if not wanted:
        click.echo(f"Run {left.run} is about no open pull request's newest commit: no comment.")
    marker = Marker(key=key, run=left.run, attempt=left.attempt)
    for one in wanted:
        done = post(
            left.reports,
            thread=thread(job, one, transport=transport),
            marker=marker,
            when=when,
            notes=left.notes,
        )
        _tell(done, at=f"{job.repository} {one}", environ=os.environ)


def _tell(done: Posted, *, at: str, environ: Mapping[str, str]) -> None:
    import secrets

    from pytest_costguard.forges.job_files import add, outputs
    from pytest_costguard.reports.escaping import plain

    because = f": {plain(done.reason, limit=500)}" if done.reason else ""
    click.echo(f"Comment at {at}: {done.outcome}{because}.")
    if path := environ.get("GITHUB_OUTPUT"):
        values = {
            "comment-outcome": done.outcome,
            "comment-id": "" if done.id is None else str(done.id),
        }
        add(Path(path), outputs(values, delimiter=secrets.token_hex(16)))


def _preview(left: CommentSource) -> None:
    from pytest_costguard.app.commenting import text_of
    from pytest_costguard.app.reporting import remake
    from pytest_costguard.reports.escaping import COMMENT_LIMIT

    reports = [remake(one) for one in left.reports]
    click.echo(text_of(reports, limit=COMMENT_LIMIT, notes=left.notes), nl=False)


def _from_files(
    paths: tuple[Path, ...], *, expect: int | None, job: Job | None = None
) -> CommentSource:
    from pytest_costguard.app.commenting import CommentSource, missing_reports
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.records import Report

    number = None if job is None else job.number
    return CommentSource(
        reports=tuple(read_record(path, Report) for path in paths),
        numbers=() if number is None else (number,),
        run=0 if job is None else job.run,
        attempt=0 if job is None else job.attempt,
        notes=missing_reports(len(paths), expected=expect),
    )


def _from_artifacts(
    job: Job, *, transport: Transport, name: str, expect: int | None
) -> CommentSource:
    from pytest_costguard.app.left_reports import left_reports
    from pytest_costguard.errors import ConfigError

    if job.forge != "github":
        raise ConfigError(
            "--artifact reads the artifacts of GitHub Actions",
            remedy="give the files: on GitLab, `needs` with `artifacts: true` brings them",
        )
    return left_reports(job, connection=transport, name=name, expected=expect)
