"""Use case: leave one comment at a pull request, made from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from pytest_costguard.app.reporting import remake
from pytest_costguard.errors import Forbidden
from pytest_costguard.forges.port import Thread
from pytest_costguard.forges.sticky import Marker, stick
from pytest_costguard.records import Report
from pytest_costguard.reports import markdown
from pytest_costguard.reports.numbers import counted
from pytest_costguard.reports.targets import render_targets
from pytest_costguard.reports.view import view_of

When = Literal["auto", "always", "changes", "failures", "never"]
_NO_REPORT = """\
### Inference latency, memory and cost

! **No verdict.** The newest run has left no report: {} says why.
"""
_MARKER_BYTES = 300
"""Room for the marker, which stands before the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of a comment, and why."""

    outcome: Literal["created", "updated", "unchanged", "outdated", "quiet", "not allowed"]
    id: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentSource:
    """The reports of a comment, and where it belongs."""

    reports: tuple[Report, ...]
    numbers: tuple[int, ...]
    """The pull requests that they are about; none: there is none, or it has moved on."""
    run: int
    attempt: int
    notes: tuple[str, ...]
    """What a reader must know of them."""
    foreign: bool = False
    """Whether a stranger's job has made them."""
    run_url: str = ""
    """The page of the run that measured."""


class _How(TypedDict):
    """How a comment is rendered; see `text_of`."""

    limit: int
    notes: Sequence[str]
    foreign: bool
    run_url: str


def missing_reports(found: int, *, expected: int | None) -> tuple[str, ...]:
    """Say that reports are missing: a leg that died must not be silence."""
    missing = 0 if expected is None else expected - found
    if missing <= 0:
        return ()
    return (f"{counted(missing, 'target')} of {expected} left no report: see the jobs' logs.",)


def worth(report: Report, when: When) -> bool:
    """Whether a comment is made where there is none yet; one that is there is kept up to date.

    `changes` is anything that needs action: a failure, a verdict other than unchanged. `auto` is
    that, and a run that had nothing to compare with.
    """
    if when in ("always", "never"):
        return when == "always"
    if when == "failures" or report.outcome.failed:
        return report.outcome.failed
    compared = report.baseline is not None or report.against is not None
    return bool(view_of(report).action) or (when == "auto" and not compared)


def text_of(
    reports: Sequence[Report],
    *,
    limit: int,
    notes: Sequence[str] = (),
    foreign: bool = False,
    run_url: str = "",
) -> str:
    """Return the comment: one report as it is, several with a column a target.

    Args:
        reports: whose verdicts are decided again from their own measurements.
        limit: bytes.
        notes: what a reader must know of them.
        foreign: whether they are a stranger's; see `markdown.render`.
        run_url: the page of the run that measured.
    """
    how = _How(limit=limit, notes=notes, foreign=foreign, run_url=run_url)
    if len(reports) == 1:
        return markdown.render(reports[0], **how)
    labelled = dict(zip(_labels(reports), reports, strict=True))
    return render_targets(labelled, **how)


def post(source: CommentSource, *, thread: Thread, marker: Marker, when: When) -> Posted:
    """Leave one comment of the marker's key, or say why there is none.

    The verdicts are decided again from the measurements in the reports, and the text is made here:
    nothing that somebody else has rendered is posted. A token that may not comment, as a fork's,
    is no failure. Without a report no first comment is made, and one that is there says so.

    Args:
        source: the reports, one a target.
        thread: the pull request.
        marker: of the suite, and of this run.
        when: a first comment is made.

    Raises:
        ForgeError: the forge refuses for another reason, or cannot be reached.
    """
    if when == "never":
        return Posted(outcome="quiet", reason="no comment was asked for")
    remade = [remake(report) for report in source.reports]
    text = _no_report(source.run_url)
    if remade:
        text = text_of(
            remade,
            limit=thread.limit - _MARKER_BYTES,
            notes=source.notes,
            foreign=source.foreign,
            run_url=source.run_url,
        )
    create = any(worth(report, when) for report in remade)
    try:
        done = stick(thread, text, marker, create=create)
    except Forbidden as error:
        return Posted(outcome="not allowed", reason=error.message)
    if done is None:
        about = f"nothing that --when={when} is about" if remade else "there is no report"
        return Posted(outcome="quiet", reason=about)
    return Posted(outcome=done.outcome, id=done.id)


def _no_report(run_url: str) -> str:
    return _NO_REPORT.format(f"[its log]({run_url})" if run_url else "its log")


def _labels(reports: Sequence[Report]) -> list[str]:
    """Tell reports apart by their target or machine; those that are alike by their number."""
    named = [
        f"{report.run.fingerprint.cpu_model}, {report.run.fingerprint.cores} cores"
        if report.target is None
        else report.target.name
        for report in reports
    ]
    return [
        name if named.count(name) == 1 else f"{name} ({named[: number + 1].count(name)})"
        for number, name in enumerate(named)
    ]
