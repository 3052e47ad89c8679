"""What `costguard baseline` does in jobs of the CI: fetch, and record what others have left."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from pytest_costguard.app import baselines
from pytest_costguard.baselines.series import hardware_name
from pytest_costguard.baselines.store import Store
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import BaselineRun
from pytest_costguard.reports.escaping import logged
from pytest_costguard.reports.numbers import ABSENT, counted


def import_artifacts(spec: str, artifact: str, *, name: str) -> None:
    """Record the reports that other jobs of this run have left, in the store that `spec` names."""
    import os

    from pytest_costguard.app.jobs import connection, required_job, unprotected
    from pytest_costguard.app.recording_left import record_left
    from pytest_costguard.app.stores import lent

    job = required_job(os.environ)
    if job.forge != "github":
        raise _only_on_github("--artifact")
    with lent(spec, job=job, environ=os.environ) as store:
        recorded = record_left(
            job,
            connection=connection(job, os.environ),
            artifact=artifact,
            name=name,
            record_on=_recorded_branches(),
            store=store,
        )
    if warning := unprotected(job):
        click.echo(f"warning: {logged(warning)}")
    for one in recorded:
        where = hardware_name(one.run.fingerprint)
        click.echo(
            f"Recorded in baseline {name!r}: {logged(where, limit=300)}: {logged(one.place)}"
        )


def _only_on_github(what: str) -> ConfigError:
    return ConfigError(
        f"{what} reads the artifacts of GitHub Actions",
        remedy="use git:BRANCH, or an address that both jobs can reach",
    )


def _recorded_branches() -> tuple[str, ...]:
    """Return the branches whose runs are recorded, as the environment names them."""
    import os

    from pytest_costguard.config.ci_options import CI_BY_KEY
    from pytest_costguard.config.words import parse_words

    said = os.environ.get(CI_BY_KEY["record_on"].variable or "", "")
    return parse_words(said, origin="environment", key="record_on")


def measures_side_by_side(rootdir: Path) -> bool:
    """Whether this job compares with base itself, and needs no stored baseline."""
    import os

    from pytest_costguard.app.ci import plan
    from pytest_costguard.app.jobs import current_job
    from pytest_costguard.config.ci_options import CI_BY_KEY

    chosen = plan(
        current_job(os.environ),
        mode=os.environ.get(CI_BY_KEY["mode"].variable or "", "").strip() or "auto",
        record_on=_recorded_branches(),
        environ=os.environ,
        rootdir=rootdir,
    )
    return chosen.mode == "side-by-side"


def fetch_from_artifacts(
    rootdir: Path, artifact: str, *, branch: str | None, workflow: str | None, runs: int
) -> None:
    """Bring the runs that the base branch's own jobs have left here, and tell of which commit."""
    import os

    from pytest_costguard.app.fetching import fetch_artifacts
    from pytest_costguard.app.jobs import connection, required_job
    from pytest_costguard.app.stores import ancestry, artifact_store

    job = required_job(os.environ)
    if job.forge != "github":
        raise _only_on_github("store artifact:NAME")
    found = fetch_artifacts(
        job,
        connection=connection(job, os.environ),
        artifact=artifact,
        branch=branch or job.base_branch or job.default_branch,
        workflow=workflow or job.workflow,
        wanted=runs,
        is_ancestor=ancestry(rootdir, environ=os.environ, pull_request=job.number is not None),
        store=artifact_store(artifact, rootdir=rootdir, environ=os.environ),
    )
    for reason in found.left_out:
        click.echo(f"left out: {logged(reason, limit=300)}")
    click.echo(f"Fetched {counted(len(found.runs), 'run')} into {found.place}.")
    if found.newest is not None:
        _tell_newest(found.newest)


def tell_branch(store: Store) -> None:
    """Tell what a branch holds, which reading it has fetched."""
    found = baselines.overview(store)
    names = dict.fromkeys(one.name for one in found.series)
    click.echo(f"Baselines in {found.location}: {', '.join(names) or 'none yet'}.")
    for one in found.series:
        click.echo(f"{one.name}: {counted(len(one.runs), 'run')}.")
        _tell_newest(one.runs[-1])
    # They may not be those that this job compares with.
    for problem in found.problems:
        click.echo(f"warning: {logged(problem.message)}")


def _tell_newest(run: BaselineRun) -> None:
    from pytest_costguard.app.fetching import age

    how_old = age(run, now=dt.datetime.now(tz=dt.UTC))
    click.echo(f"The newest is of commit {short_commit(run)}, {how_old}.")


def short_commit(run: BaselineRun) -> str:
    """Return the commit of a run as a table shows it."""
    if run.commit is None:
        return ABSENT
    return run.commit.sha[:10] + (" + changes" if run.commit.dirty else "")
