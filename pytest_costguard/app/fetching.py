"""Use case: bring baselines that are kept elsewhere to this machine, by a step with a token.

The reports of the base branch's own successful runs are a baseline without anything being pushed:
no branch to protect, no race, and no pull request can change them.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_costguard.app.left_reports import run_left
from pytest_costguard.baselines.files import write_error
from pytest_costguard.baselines.folder import FolderStore
from pytest_costguard.baselines.store import DEFAULT_NAME
from pytest_costguard.errors import CostguardError, ForgeError
from pytest_costguard.forges.artifacts import artifacts_of
from pytest_costguard.forges.events import Job
from pytest_costguard.forges.transport import Transport
from pytest_costguard.records import BaselineRun

_MOST_RUNS = 60
"""Runs of the branch that are looked at, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of it: the runs, oldest first, and why others were left out."""

    place: str
    runs: tuple[BaselineRun, ...]
    left_out: tuple[str, ...]

    @property
    def newest(self) -> BaselineRun | None:
        """The run of the nearest ancestor."""
        return self.runs[-1] if self.runs else None


def fetch_artifacts(
    job: Job,
    *,
    connection: Transport,
    artifact: str,
    branch: str,
    workflow: str,
    wanted: int,
    is_ancestor: Callable[[str], bool],
    store: FolderStore,
) -> Fetched:
    """Bring the reports of the base branch's newest successful runs into the project's cache.

    Args:
        job: this one.
        connection: to GitHub.
        artifact: the name under which the runs keep their report.
        branch: whose pushes count.
        workflow: the file of the workflow, without its folder.
        wanted: how many runs; a baseline's own spread needs eight.
        is_ancestor: whether a commit is one of base's: its own past, and nothing that came later.
        store: where they go; what is there is removed.

    Raises:
        ForgeError: GitHub refuses, or cannot be reached.
        StoreError: the cache cannot be written.
    """
    _clear(store.root)
    found: list[BaselineRun] = []
    left_out: list[str] = []
    for number, sha in _runs(connection, job=job, branch=branch, workflow=workflow):
        if len(found) == wanted:
            break
        if not is_ancestor(sha):
            left_out.append(f"run {number}: its commit {sha[:12]} is none of base's past")
            continue
        try:
            run = _baseline_run(connection, job=job, run=number, commit=sha, artifact=artifact)
        except CostguardError as error:
            if isinstance(error, ForgeError):
                raise
            left_out.append(f"run {number}: {error.message}")
            continue
        if run is None:
            left_out.append(f"run {number}: it has no artifact {artifact} any more")
            continue
        store.add(DEFAULT_NAME, run)
        found.append(run)
    return Fetched(
        place=store.place(DEFAULT_NAME),
        runs=store.series(DEFAULT_NAME),
        left_out=tuple(left_out),
    )


def _clear(folder: Path) -> None:
    """Make a folder anew: what a checkout has brought along is not what the runs have left.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        # The folder, `artifacts`, and what holds it: links there would lead elsewhere.
        for place in (folder, *list(folder.parents)[:3]):
            if place.is_symlink():
                place.unlink()
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise write_error(folder, error) from error


def age(run: BaselineRun, *, now: dt.datetime) -> str:
    """Return how old a run is, in words."""
    hours = (now - run.created).total_seconds() / 3600
    if hours < -1:
        return "dated in the future"
    hours = max(0.0, hours)
    if hours < 48:
        return f"{hours:.0f} h old"
    return f"{hours / 24:.0f} days old"


def _runs(connection: Transport, *, job: Job, branch: str, workflow: str) -> list[tuple[int, str]]:
    """Return the successful runs after pushes to a branch, and their commits, the newest first."""
    path = f"/repos/{quote(job.repository)}/actions/workflows/{quote(workflow, safe='')}/runs"
    query = {"branch": branch, "event": "push", "status": "success"}
    found: list[tuple[int, str]] = []
    for entry in connection.pages(path, query, under="workflow_runs"):
        found.append(_run(entry))
        if len(found) == _MOST_RUNS:
            break
    return found


def _run(entry: Any) -> tuple[int, str]:
    told: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    number, sha = told.get("id"), told.get("head_sha")
    if type(number) is not int or not isinstance(sha, str):
        raise ForgeError(
            "an answer of the API describes no run",
            remedy="check the address of the API (GITHUB_API_URL)",
        )
    return number, sha


def _baseline_run(
    connection: Transport, *, job: Job, run: int, commit: str, artifact: str
) -> BaselineRun | None:
    kept = artifacts_of(connection, repository=job.repository, run=run, name=artifact)
    exact = next((one for one in kept if one.name == artifact), None)
    if exact is None:
        return None
    return run_left(
        exact, connection=connection, repository=job.repository, commit=commit, name=DEFAULT_NAME
    )
