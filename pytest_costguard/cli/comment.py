"""`costguard comment`: one comment at the pull request, from a report, in any CI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pytest_costguard.app.commenting import When
    from pytest_costguard.forges.events import Job
    from pytest_costguard.forges.port import Thread

_WHEN = ("auto", "always", "changes", "failures", "never")
_TOKENS = {
    "github": ("COSTGUARD_TOKEN", "GITHUB_TOKEN"),
    "gitlab": ("COSTGUARD_TOKEN", "GITLAB_TOKEN"),
}


@click.command(short_help="Leave one comment at the pull request, and keep it up to date.")
@click.argument(
    "paths", metavar="REPORT.json...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--when",
    type=click.Choice(_WHEN),
    default="auto",
    show_default=True,
    help="When a first comment is made; one that is there is always kept up to date.",
)
@click.option("--key", default="costguard", show_default=True, help="A comment of its own a suite.")
@click.option("--number", type=click.IntRange(min=1), help="The pull or merge request.")
@click.option("--dry-run", is_flag=True, help="Print what would be posted, and post nothing.")
def comment(
    *, paths: tuple[Path, ...], when: When, key: str, number: int | None, dry_run: bool
) -> None:
    """Leave one comment at the pull request that this job of the CI is about.

    Several reports, of the legs of a matrix, become one comment with a column a target.

    GitHub Actions and GitLab CI are known by their variables. The token comes from
    COSTGUARD_TOKEN, GITHUB_TOKEN or GITLAB_TOKEN. A token that may not comment, as that of a
    fork's pull request, is no error.
    """
    import os

    from pytest_costguard.app.commenting import post, text_of
    from pytest_costguard.app.reporting import remake
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.forges.sticky import Marker
    from pytest_costguard.records import Report
    from pytest_costguard.reports.escaping import COMMENT_LIMIT, plain

    reports = [read_record(path, Report) for path in paths]
    if dry_run:
        click.echo(text_of([remake(one) for one in reports], limit=COMMENT_LIMIT), nl=False)
        return
    job = _job(os.environ)
    wanted = number or job.number
    if wanted is None:
        click.echo(f"This job ({job.event}) is about no pull request: no comment.")
        return
    marker = Marker(key=key, run=job.run, attempt=job.attempt)
    done = post(reports, thread=_thread(job, wanted, os.environ), marker=marker, when=when)
    because = f": {plain(done.reason, limit=500)}" if done.reason else ""
    click.echo(f"Comment at {job.repository} {wanted}: {done.outcome}{because}.")


def _job(environ: Mapping[str, str]) -> Job:
    from pytest_costguard.errors import ConfigError
    from pytest_costguard.forges.events import job

    found = job(environ, _event(environ))
    if found is None:
        raise ConfigError(
            "this is no job of GitHub Actions or GitLab CI",
            remedy="to see the comment, give --dry-run",
        )
    return found


def _event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    import json

    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    try:
        event = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def _thread(job: Job, number: int, environ: Mapping[str, str]) -> Thread:
    from pytest_costguard.errors import ConfigError

    try:
        from pytest_costguard.forges import github, gitlab
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed, and comments need it",
            remedy="pip install 'pytest-costguard[ci]'",
        ) from error

    names = _TOKENS[job.forge]
    token = next((environ[name] for name in names if environ.get(name)), "")
    if not token:
        raise ConfigError(
            f"environment: there is no token in {' or '.join(names)}",
            remedy="on GitHub: env: GITHUB_TOKEN: ${{ github.token }}; on GitLab: a project access"
            " token with the scope api in a masked variable GITLAB_TOKEN",
        )
    if job.forge == "gitlab":
        connection = gitlab.transport(token, api=job.api)
        return gitlab.GitLabThread(connection, project=job.repository, number=number)
    connection = github.transport(token, api=job.api)
    return github.GitHubThread(connection, repository=job.repository, number=number)
