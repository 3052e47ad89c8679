"""Findings as GitHub's annotations, at the test that they are about.

GitHub shows ten of a kind a step and drops the rest in silence, so the worst come first and the
last one says how many there are beyond. What they hold is escaped for workflow commands: no text
can begin a command of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import ABSENT, counted
from pytest_costguard.reports.rows import Row
from pytest_costguard.reports.view import view_of

_MOST = 10
_OWN_TITLE = "pytest-costguard"
_TITLE_LIMIT = 200
_MESSAGE_LIMIT = 1000
_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = _IN_MESSAGES | {":": "%3A", ",": "%2C"}


def annotations_of(report: Report) -> tuple[str, ...]:
    """Return one workflow command for each finding that needs action, the worst first.

    What fails the run is an error, anything else a warning.
    """
    rows = view_of(report).action
    failing = [row for row in rows if row.fails]
    others = [row for row in rows if not row.fails]
    places = _Places(root=report.run.root, lines=report.run.lines)
    return (*_commands("error", failing, places), *_commands("warning", others, places))


def failure_without_report(exit_code: int) -> str:
    """Return the annotation of a session of pytest that left no report."""
    message = f"the session ended with exit code {exit_code} and left no report: the log says why"
    return _command("error", {"title": _OWN_TITLE}, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where tests are in the repository."""

    root: str
    lines: Mapping[str, int]

    def of(self, workload: str) -> dict[str, str]:
        """Return the file and, where it is known, the line of a workload's test."""
        path = workload.partition("::")[0]
        place = {"file": f"{self.root}/{path}" if self.root else path}
        # A workload's name, where it has one, follows the node id of its test.
        tests = [one for one in self.lines if workload == one or workload.startswith(f"{one} [")]
        return place | {"line": str(self.lines[max(tests, key=len)])} if tests else place


def _commands(kind: str, rows: list[Row], places: _Places) -> Iterator[str]:
    shown = rows if len(rows) <= _MOST else rows[: _MOST - 1]
    for row in shown:
        yield _command(kind, {**places.of(row.workload), "title": _title(row)}, row.reason)
    if len(rows) > len(shown):
        rest = counted(len(rows) - len(shown), "more finding")
        yield _command(kind, {"title": _OWN_TITLE}, f"{rest}: see the step summary")


def _title(row: Row) -> str:
    change = "" if row.change == ABSENT else f" {row.change} %"
    return f"{row.label}: {row.metric} {row.mark.word}{change}"


def _command(kind: str, properties: Mapping[str, str], message: str) -> str:
    told = ",".join(
        f"{name}={_escaped(plain(value, limit=_TITLE_LIMIT), _IN_PROPERTIES)}"
        for name, value in properties.items()
        if value
    )
    text = _escaped(plain(message, limit=_MESSAGE_LIMIT), _IN_MESSAGES)
    return f"::{kind} {told}::{text}"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(_each(text, escapes))


def _each(text: str, escapes: Mapping[str, str]) -> Iterable[str]:
    return (escapes.get(char, char) for char in text)
