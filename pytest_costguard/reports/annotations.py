"""Findings as GitHub's annotations, at the test that they are about.

GitHub shows ten of a kind a step and drops the rest in silence, so the worst come first and the
last one says how many there are beyond. What they hold is escaped for workflow commands: no text
can begin a command of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import ABSENT, counted
from pytest_costguard.reports.rows import Row
from pytest_costguard.reports.view import view_of

_MOST = 10
_TITLE_LIMIT = 200
_MESSAGE_LIMIT = 1000
_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = _IN_MESSAGES | {":": "%3A", ",": "%2C"}


def annotations_of(report: Report, *, prefix: str = "") -> tuple[str, ...]:
    """Return one workflow command for each finding that needs action, the worst first.

    What fails the run is an error, anything else a warning. A test's line is not recorded, so
    they are at the head of its file.

    Args:
        report: of the run.
        prefix: from the repository's top to pytest's root directory, "" where they are the same.
    """
    rows = view_of(report).action
    failing = [row for row in rows if row.fails]
    others = [row for row in rows if not row.fails]
    return (*_commands("error", failing, prefix), *_commands("warning", others, prefix))


def _commands(kind: str, rows: list[Row], prefix: str) -> Iterator[str]:
    shown = rows if len(rows) <= _MOST else rows[: _MOST - 1]
    for row in shown:
        yield _command(kind, {"file": _file(row, prefix), "title": _title(row)}, row.reason)
    if len(rows) > len(shown):
        rest = counted(len(rows) - len(shown), "more finding")
        yield _command(kind, {"title": "pytest-costguard"}, f"{rest}: see the step summary")


def _title(row: Row) -> str:
    change = "" if row.change == ABSENT else f" {row.change} %"
    return f"{row.label}: {row.metric} {row.mark.word}{change}"


def _file(row: Row, prefix: str) -> str:
    path = row.workload.partition("::")[0]
    return f"{prefix.rstrip('/')}/{path}" if prefix else path


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
