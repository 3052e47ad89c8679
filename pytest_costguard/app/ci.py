"""Use case: measure in a job of the CI, and tell the CI what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pytest_costguard.app.jobs import TOKENS, recorded_branches, require_recordable, unprotected
from pytest_costguard.app.stores import READ_ONLY, configured_spec, in_checkout
from pytest_costguard.baselines.folder import FOLDER_NAME
from pytest_costguard.baselines.reading import read_record
from pytest_costguard.baselines.store import DEFAULT_NAME, checked_name, without_password
from pytest_costguard.config.cascade import JOB_DECIDES, RIVALS
from pytest_costguard.config.options import BY_KEY, OPTIONS
from pytest_costguard.errors import ConfigError, StoreError
from pytest_costguard.forges.events import Job
from pytest_costguard.forges.job_files import add, outputs, room
from pytest_costguard.records import Report
from pytest_costguard.reports.annotations import annotations_of, failure_without_report
from pytest_costguard.reports.markdown import render
from pytest_costguard.reports.view import Status, status_of

Mode = Literal["side-by-side", "stored", "record"]
Outcome = Status | Literal["error"]

REPORT_FOLDER = Path(".costguard") / "reports"
MEASURED_NOTHING = 20
"""The exit code where pytest has nothing to object, and nothing was measured: that is no pass."""
_AGAINST, _SAVE = BY_KEY["against"].variable or "", BY_KEY["save"].variable or ""
KEPT_FROM_TESTS = (
    *TOKENS,
    # What is recorded is recorded from the report, by who has the token.
    _SAVE,
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
)
"""Variables that tests have no business with: by these a step speaks to its runner."""
_OF_STORED_NUMBERS = tuple(BY_KEY[key].variable or "" for key in ("baseline", "escalate"))
"""Variables that say nothing where two sides are measured: one workflow has them for both."""
_WHOLE = 100_000
"""Rows of a table in the summary: it is cut by bytes alone."""
_PYTEST_INTERRUPTED, _PYTEST_NOTHING = 2, 5
_FOR_STATUS: Mapping[int, Outcome] = MappingProxyType(
    {1: "failed", _PYTEST_INTERRUPTED: "interrupted"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to compare with, why, and the arguments that make pytest do it."""

    mode: Mode
    because: str
    arguments: tuple[str, ...] = ()
    record_as: str | None = None
    """The baseline that the run becomes part of; None: of none."""
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How the session of pytest ended, and the report that it wrote, if it did."""

    exit_code: int
    report: Report | None
    folder: Path

    @property
    def outcome(self) -> Outcome:
        """In one word: what the report says, unless pytest failed where it says nothing."""
        if self.report is None:
            return "error"
        said = status_of(self.report)
        if self.exit_code == 0 or said in ("failed", "interrupted"):
            return said
        return _FOR_STATUS.get(self.exit_code, "error")


def plan(
    job: Job | None,
    *,
    mode: str,
    record_on: Sequence[str],
    environ: Mapping[str, str],
    rootdir: Path,
) -> Plan:
    """Decide what a job compares with.

    Args:
        job: what the CI says of it; None where it is no CI that is known.
        mode: as asked for, or `auto`.
        record_on: branches whose runs are recorded; none: the repository's default branch.
        environ: in which a revision or a name may be given already.
        rootdir: the project.

    Raises:
        ConfigError: a run is to be recorded that would let a change choose what judges it; or the
            configuration is not understood.
    """
    chosen = _chosen(job, mode=mode, record_on=record_on, environ=environ)
    if chosen.record_as is not None:
        return _recorded_unless_read_only(chosen, rootdir=rootdir)
    if chosen.mode == "stored" and job is not None and job.of_a_change:
        return _judged_by_base(chosen, job, environ=environ, rootdir=rootdir)
    return chosen


def _chosen(
    job: Job | None, *, mode: str, record_on: Sequence[str], environ: Mapping[str, str]
) -> Plan:
    if job is not None and job.event == "pull_request_target":
        raise ConfigError(
            "this job is one after pull_request_target: its checkout is base, not the change",
            remedy="use on: pull_request, and for forks the templates of `costguard init --github"
            " fork-safe`",
        )
    if mode == "side-by-side":
        return _side_by_side("it was asked for", environ, job=job)
    if mode == "stored":
        return Plan(mode="stored", because="it was asked for")
    if mode == "record":
        if job is not None:
            require_recordable(job, record_on)
        return _record("it was asked for", environ, job=job)
    if job is not None and job.number is not None:
        return _side_by_side(f"this job is about pull request {job.number}", environ, job=job)
    if job is not None and job.base_sha:
        return _side_by_side("this job is about a group of the merge queue", environ, job=job)
    if job is not None and job.branch and job.branch in recorded_branches(job, record_on):
        return _record(f"this is the branch {job.branch}", environ, job=job)
    because = "this is no job of GitHub Actions or GitLab CI" if job is None else _elsewhere(job)
    return Plan(mode="stored", because=because)


def measure(
    plan: Plan,
    *,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    start: Callable[[Sequence[str], Mapping[str, str]], int],
    python: str,
) -> Measured:
    """Run pytest as planned, and read the report that it wrote.

    Args:
        plan: of this job.
        arguments: for pytest, after ours.
        environ: of the session, less what tests have no business with.
        start: runs a command in an environment and returns its exit code.
        python: the interpreter.

    Raises:
        RecordError: the report is not sound.
        StoreError: it cannot be read.
    """
    folder = Path(environ.get("COSTGUARD_REPORT", "").strip() or REPORT_FOLDER)
    path = folder / "report.json"
    before = _identity(path)
    _refuse_another_report(arguments)
    words = command(plan, arguments=arguments, python=python, folder=folder)
    exit_code = start(words, session_environ(plan, arguments=arguments, environ=environ))
    fresh = _identity(path) not in (None, before)
    if not fresh and exit_code in (0, _PYTEST_NOTHING):
        exit_code = MEASURED_NOTHING
    return Measured(
        exit_code=exit_code,
        report=read_record(path, Report) if fresh else None,
        folder=folder,
    )


def session_environ(
    plan: Plan, *, arguments: Sequence[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of pytest: what the job says comes before the project's `addopts`.

    It stays in variables, since arguments are seen by others, and an address may hold a password.

    Args:
        plan: of this job.
        arguments: for pytest. What is said among them is not said by a variable as well.
        environ: of the job.
    """
    kept = {*KEPT_FROM_TESTS, _AGAINST}  # base is named by the plan's own flag, or not at all
    if plan.mode == "side-by-side":
        kept |= {*_OF_STORED_NUMBERS}
    said = {word.partition("=")[0] for word in (*arguments, *plan.arguments)}
    spoken = {option.key for option in OPTIONS if option.flag in said}
    spoken |= {key for pair in RIVALS if spoken & set(pair) for key in pair}
    kept |= {BY_KEY[key].variable or "" for key in spoken}
    child = {name: value for name, value in environ.items() if name not in kept}
    return child | {JOB_DECIDES: "true"}


def _refuse_another_report(arguments: Sequence[str]) -> None:
    option = BY_KEY["report"]
    if any(one.partition("=")[0] == option.flag for one in arguments):
        raise ConfigError(
            f"{option.flag} among pytest's arguments: the report would not be found",
            remedy=f"say it by {option.variable}, or the action's input report",
        )


def command(
    plan: Plan,
    *,
    arguments: Sequence[str],
    python: str,
    folder: Path = REPORT_FOLDER,
) -> tuple[str, ...]:
    """Return the command that measures; what the user says comes last and wins."""
    return (
        *(python, "-m", "pytest", "--costguard", f"--costguard-report={folder}"),
        *plan.arguments,
        *arguments,
    )


def summary(measured: Measured, *, limit: int) -> str:
    """Return what the step's summary says: the whole report, in fewer than `limit` bytes."""
    if measured.report is None:
        return (
            "### Inference latency, memory and cost\n\n"
            f"! **No verdict.** The session ended with exit code {measured.exit_code} and left no"
            " report: the log says why.\n"
        )
    return render(measured.report, limit=limit, rows=_WHOLE)


def annotation_commands(measured: Measured) -> tuple[str, ...]:
    """Return the workflow commands that annotate the tests."""
    if measured.report is None:
        return (failure_without_report(measured.exit_code),)
    return annotations_of(measured.report)


def output_values(plan: Plan, measured: Measured) -> dict[str, str]:
    """Return the outputs of the step; those that are not known are empty."""
    report = measured.report
    written = {
        name: str(measured.folder.absolute() / file) if report is not None else ""
        for name, file in (("report-json", "report.json"), ("report-md", "report.md"))
    }
    counts = {} if report is None else report.outcome.counts
    monthly = None if report is None else report.outcome.monthly
    return {
        "outcome": measured.outcome,
        "exit-code": str(measured.exit_code),
        "mode": plan.mode,
        "record-as": plan.record_as or "" if report is not None else "",
        "counts": json.dumps(counts, sort_keys=True),
        "cost-change-usd-per-month": "" if monthly is None else str(monthly.usd),
        "base-commit": "" if report is None else _base_commit(report),
        **written,
    }


def tell_github(
    plan: Plan, measured: Measured, *, environ: Mapping[str, str], with_summary: bool, secret: str
) -> None:
    """Write outputs and summary to the files that GitHub names; elsewhere do nothing.

    Args:
        plan: of this job.
        measured: what came of it.
        environ: names the files.
        with_summary: whether there is to be one.
        secret: a line that nothing in the report can hold.

    Raises:
        StoreError: a file cannot be written.
    """
    if path := environ.get("GITHUB_OUTPUT"):
        add(Path(path), outputs(output_values(plan, measured), delimiter=secret))
    if with_summary and (path := environ.get("GITHUB_STEP_SUMMARY")):
        add(Path(path), summary(measured, limit=room(Path(path))))


def _side_by_side(because: str, environ: Mapping[str, str], *, job: Job | None) -> Plan:
    base = job.base_sha if job is not None and job.base_sha else "auto"
    flag = f"{BY_KEY['against'].flag}={_said(environ, 'against') or base}"
    return Plan(mode="side-by-side", because=because, arguments=(flag,))


def _record(because: str, environ: Mapping[str, str], *, job: Job | None) -> Plan:
    name = checked_name(_said(environ, "save") or DEFAULT_NAME)
    warning = "" if job is None else unprotected(job)
    return Plan(mode="record", because=because, record_as=name, warning=warning)


def _recorded_unless_read_only(chosen: Plan, *, rootdir: Path) -> Plan:
    """Return a plan that records nothing where the store is only read."""
    spec = configured_spec(None, rootdir=rootdir)
    if not spec.startswith(READ_ONLY):
        return chosen
    because = f"{chosen.because}; the store {spec} is only read, and keeps this run by itself"
    return replace(chosen, record_as=None, because=because)


def _judged_by_base(chosen: Plan, job: Job, *, environ: Mapping[str, str], rootdir: Path) -> Plan:
    """Return a plan in which a change is not compared with what it has written itself."""
    if _said(environ, "store"):
        return chosen
    spec = configured_spec(None, rootdir=rootdir)
    if not in_checkout(spec, rootdir=rootdir):
        warning = (
            f"the store {without_password(spec)} is named by the change's own configuration: name"
            " it in the workflow"
        )
        return replace(chosen, warning=warning)
    base = f"commit:{job.base_sha or 'auto'}"
    if spec != FOLDER_NAME:
        base += f":{spec}"
    return replace(
        chosen,
        because=f"{chosen.because}; the baseline is the one that base has committed",
        arguments=(*chosen.arguments, f"{BY_KEY['store'].flag}={base}"),
    )


def _said(environ: Mapping[str, str], key: str) -> str:
    return environ.get(BY_KEY[key].variable or "", "").strip()


def _elsewhere(job: Job) -> str:
    where = f"the branch {job.branch}" if job.branch else f"a job after {job.event}"
    return f"this is {where}, which is not recorded"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"{path}: could not be read: {error.strerror or error}", remedy="check the folder"
        ) from error
    return found.st_ino, found.st_mtime_ns


def _base_commit(report: Report) -> str:
    if report.against is not None:
        commit = report.against.run.commit
    else:
        runs = () if report.baseline is None else report.baseline.runs
        commit = runs[-1].commit if runs else None
    return "" if commit is None else commit.sha
