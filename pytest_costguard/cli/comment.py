"""`costguard comment`: one comment at the pull request, from reports, in any CI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_costguard.config.ci_options import CI_BY_KEY

if TYPE_CHECKING:
    from pytest_costguard.app.commenting import CommentSource, Posted, When
    from pytest_costguard.forges.events import Job
    from pytest_costguard.forges.transport import Transport

_CPU_SECONDS, _MEMORY_BYTES = 180, 6 << 30
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
    "--no-report", is_flag=True, help="Instead: let a comment that is there say that there is none."
)
@click.option(
    "--forgive",
    is_flag=True,
    help="Let troubles of the forge fail nothing: they are told, and the exit code is 0.",
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
    no_report: bool,
    forgive: bool,
    expect: int | None,
    dry_run: bool,
) -> None:
    """Leave one comment at the pull request that this job of the CI is about.

    Several reports, of the legs of a matrix, become one comment with a column a target; without
    any, it is the one that `costguard ci` has just written.

    GitHub Actions and GitLab CI are known by their variables. The token comes from
    COSTGUARD_TOKEN, GITHUB_TOKEN or GITLAB_TOKEN. A token that may not comment, as that of a
    fork's pull request, is no error.
    """
    from pytest_costguard.app.ci import REPORT_FOLDER
    from pytest_costguard.errors import ForgeError
    from pytest_costguard.reports.escaping import logged

    newest = REPORT_FOLDER / "report.json"
    if not paths and artifact is None and not no_report and newest.is_file():
        paths = (newest,)
    if sum((bool(paths), artifact is not None, no_report)) != 1:
        raise click.UsageError(
            f"give the reports as files, or --artifact, or --no-report; {newest} is not there",
            context,
        )
    wanted = _Wanted(paths=paths, artifact=artifact, number=number, expect=expect)
    if dry_run and artifact is None:
        _preview(_from_files(wanted))
        return
    try:
        _comment(wanted, when=when, key=key, dry_run=dry_run)
    except ForgeError as error:
        if not forgive:
            raise
        click.echo(f"no comment: {logged(str(error))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Of what there is to be a comment, and where."""

    paths: tuple[Path, ...]
    artifact: str | None
    number: int | None
    expect: int | None


def _comment(wanted: _Wanted, *, when: When, key: str, dry_run: bool) -> None:
    import os

    from pytest_costguard.app.jobs import connection, required_job

    job = required_job(os.environ)
    if wanted.artifact is None and wanted.number is None and job.number is None:
        click.echo(f"This job ({job.event}) is about no pull request: no comment.")
        return
    transport = connection(job, os.environ)
    if wanted.artifact is None:
        left = _from_files(wanted, job=job)
    else:
        left = _from_artifacts(job, wanted, transport=transport)
    if dry_run:
        _preview(left)
        return
    _post(left, job=job, transport=transport, number=wanted.number, when=when, key=key)


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

    wanted = (number,) if number is not None else left.numbers
    if not wanted:
        click.echo(f"Run {left.run} is about no open pull request's newest commit: no comment.")
    marker = Marker(key=key, run=left.run, attempt=left.attempt)
    for one in wanted:
        done = post(left, thread=thread(job, one, transport=transport), marker=marker, when=when)
        _tell(done, at=f"{job.repository} {one}", environ=os.environ, job=job)


def _tell(done: Posted, *, at: str, environ: Mapping[str, str], job: Job) -> None:
    import secrets

    from pytest_costguard.forges.job_files import add, outputs
    from pytest_costguard.reports.escaping import logged

    because = f": {logged(done.reason, limit=500)}" if done.reason else ""
    click.echo(f"Comment at {at}: {done.outcome}{because}.")
    if done.outcome == "not allowed" and job.from_fork:
        if job.forge == "github":
            click.echo(
                "::notice title=pytest-costguard::a fork's job may not comment: see"
                " `costguard init --github fork-safe`"
            )
        else:
            click.echo("a fork's pipeline may not comment: run one for it in this project")
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
    if not reports:
        click.echo("There is no report: a comment that is there would say so.")
        return
    text = text_of(
        reports,
        limit=COMMENT_LIMIT,
        notes=left.notes,
        foreign=left.foreign,
        run_url=left.run_url,
    )
    click.echo(text, nl=False)


def _from_files(wanted: _Wanted, *, job: Job | None = None) -> CommentSource:
    from pytest_costguard.app.commenting import CommentSource, missing_reports
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.records import Report

    number = None if job is None else job.number
    return CommentSource(
        reports=tuple(read_record(path, Report) for path in wanted.paths),
        numbers=() if number is None else (number,),
        run=0 if job is None else job.run,
        attempt=0 if job is None else job.attempt,
        notes=missing_reports(len(wanted.paths), expected=wanted.expect),
        run_url="" if job is None else job.run_url,
    )


def _from_artifacts(job: Job, wanted: _Wanted, *, transport: Transport) -> CommentSource:
    """Read reports that somebody else's job may have made: with bounds on time and memory."""
    from pytest_costguard.app.left_reports import left_reports
    from pytest_costguard.errors import ConfigError

    if job.forge != "github":
        raise ConfigError(
            "--artifact reads the artifacts of GitHub Actions",
            remedy="give the files: on GitLab, `needs` with `artifacts: true` brings them",
        )
    assert wanted.artifact is not None, "that is where they come from"
    _bound()
    return left_reports(job, connection=transport, name=wanted.artifact, expected=wanted.expect)


def _bound() -> None:
    """Let the system end this process where a hostile report costs too much; elsewhere the job's.

    Deciding and rendering sixteen honest reports takes seconds.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_AS, _MEMORY_BYTES)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))
