"""The report as text for a terminal: a table that fits, marks, reasons, what to do next."""

from __future__ import annotations

import io
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.figures import WorkloadLine
from pytest_costguard.reports.marks import NOT_PRICED, Tone
from pytest_costguard.reports.numbers import ABSENT, counted
from pytest_costguard.reports.rows import Row
from pytest_costguard.reports.view import ReportView, view_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_STYLES: dict[Tone, str] = {
    "bad": "bold red",
    "doubtful": "yellow",
    "good": "green",
    "quiet": "",
}
_TONES: dict[str, Tone] = {"✗": "bad", "✓": "good"}
_GIST = (
    "max_rate",
    "mean",
    "error_rate",
    "ttft_mean",
    "output_tokens_per_second",
    "cost_per_1k",
    "peak_memory",
)
"""The metrics of the short table, in order; the last ones go first where it is narrow."""
_TITLES = {
    "max_rate": "max rate",
    "mean": "mean",
    "error_rate": "errors",
    "ttft_mean": "TTFT",
    "output_tokens_per_second": "output",
    "cost_per_1k": "cost/1k",
    "peak_memory": "memory",
}
_WITH_INTERVAL = ("mean", "max_rate")
_NAME_AT_LEAST = 20
_TITLE_AT_LEAST = 20
_BEFORE_DIFFERENCE = 3
"""Characters that stand before where names begin to differ."""
_ROOMY = 100
"""From so many columns on a verdict has room for an addition."""
_GAP = 2
_MARK_WIDTH = 1 + _GAP
_Column = tuple[str, list[str]]
"""A title of two lines, and a cell for each workload."""
_MONEY_FACTS = ("Price", "Price source", "Share", "Cost")
_LINES = 50
_REASONS = 20
_COMMAND = re.compile(r"^\s*::")


def render(report: Report, *, width: int = 80, colour: bool = False, verbosity: int = 0) -> str:
    """Return the report as text of at most `width` columns.

    Args:
        report: What to show.
        width: Columns of the terminal.
        colour: Whether to write ANSI colour; nothing is said by colour alone.
        verbosity: -1 headline and what fails; 0 the table and reasons; 1 every metric,
            sensor, assumption and the machine.
    """
    view = view_of(report, most_lines=None if verbosity > 0 else _LINES)
    return printed(_parts(view, width=width, verbosity=verbosity), width=width, colour=colour)


def printed(parts: Iterable[Any], *, width: int, colour: bool) -> str:
    """Return what the console shows of some renderables, in at most `width` columns."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join(map(_inert, lines)).strip("\n") + "\n"


def _inert(line: str) -> str:
    """Keep a CI runner from reading a line of foreign text as a command of its own."""
    # GitHub's obeys this one anywhere in a line.
    line = line.replace("##[", "##\N{MIDDLE DOT}[")
    return f"· {line.lstrip()}" if _COMMAND.match(line) else line


def _parts(view: ReportView, *, width: int, verbosity: int) -> Iterator[RenderableType]:
    yield _headline(view)
    if verbosity < 0:
        yield from _failing_rows(view, width=width)
        return
    if view.figures.lines:
        yield ""
        columns, left_out = _columns(view, width=width)
        yield _table(view, columns, width=width)
        if left_out and verbosity == 0:
            what = ", ".join(left_out)
            told = f"not shown for want of room: {what}; -v or a wider terminal shows every figure"
            yield from wrapped(told, width=width, indent=2)
        if view.figures.hidden:
            yield f"  … and {view.figures.hidden:,} more; -v shows them"
    yield from _reasons(view, width=width, verbosity=verbosity)
    if verbosity > 0:
        for line in view.figures.lines:
            yield from _everything(view, line, width=width)
    yield from _notes(view, width=width, verbosity=verbosity)


def _headline(view: ReportView) -> RenderableType:
    from rich.text import Text

    text = Text(f"{view.sign} {view.ended}: ", style=_STYLES[_TONES.get(view.sign, "doubtful")])
    return text.append(plain(view.headline, limit=1_000), style="default not bold")


def _failing_rows(view: ReportView, *, width: int) -> Iterator[RenderableType]:
    for row in view.action:
        if row.fails:
            yield from _row_lines(row, width=width)


def _row_lines(row: Row, *, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    figures = [part for part in (_before_and_now(row), _changed(row), _limited(row)) if part]
    word = row.mark.word
    told = word if word.startswith(row.metric) else f"{row.metric} {word}"
    sentence = f"{row.label}: {told}{': ' * bool(figures)}{', '.join(figures)}"
    for number, line in enumerate(wrapped(sentence, width=width - 2, indent=0, hang=2)):
        sign = Text(f"{row.mark.sign} " if number == 0 else "  ", style=_STYLES[row.mark.tone])
        yield sign.append(line, style="default not bold")


def _before_and_now(row: Row) -> str:
    unit = f" {row.unit}" if row.unit else ""
    if row.base != ABSENT and row.head != ABSENT:
        return f"{row.base} → {row.head}{unit}"
    return f"{row.head}{unit}" if row.head != ABSENT else ""


def _changed(row: Row) -> str:
    return f"{row.change} %{'*' * row.corrected}" if row.change != ABSENT else ""


def _limited(row: Row) -> str:
    if row.limit == ABSENT or row.mark.tone == "good":
        return ""
    unit = f" {row.unit}" if row.unit and "%" not in row.limit else ""
    return f"limit {row.limit}{unit}"


def _table(view: ReportView, columns: list[_Column], *, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    lines = view.figures.lines
    room = max(_NAME_AT_LEAST, width - _MARK_WIDTH - sum(map(_width, columns)) - _GAP)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    table.add_column("", width=1, no_wrap=True)
    table.add_column("\nworkload", no_wrap=True, overflow="crop")
    for title, _ in columns[:-1]:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    names = shortened_apart([plain(line.label) for line in lines], room)
    for place, line in enumerate(lines):
        style = _STYLES[line.mark.tone]
        table.add_row(
            Text(line.mark.sign, style=style),
            Text(names[place]),
            *(Text(cells[place]) for _, cells in columns[:-1]),
            Text(columns[-1][1][place], style=style),
        )
    return table


def _columns(view: ReportView, *, width: int) -> tuple[list[_Column], list[str]]:
    """Choose the columns that leave room for the names: figures, change of mean, verdict.

    Returns:
        The columns, and the names of those that have no room.
    """
    lines = view.figures.lines
    figures: list[_Column] = []
    metrics = [column.metric for column in view.figures.columns]
    for metric in (name for name in _GIST if name in metrics):
        place = metrics.index(metric)
        unit = view.figures.columns[place].unit
        cells = [_brief(line.cells[place], metric) for line in lines]
        figures.append((f"{_TITLES[metric]}\n{unit}", cells))
    ends: list[_Column] = [("\nverdict", [_verdict(line, width=width) for line in lines])]
    if any(line.change_of_mean != ABSENT for line in lines):
        ends.insert(0, ("change of\nmean, %", [line.change_of_mean for line in lines]))
    room = width - _MARK_WIDTH - _NAME_AT_LEAST - _GAP - sum(map(_width, ends))
    left_out: list[str] = []
    while figures and sum(map(_width, figures)) > room:
        title, _ = figures.pop()
        left_out.insert(0, title.partition("\n")[0])
    return [*figures, *ends], left_out


def _verdict(line: WorkloadLine, *, width: int) -> str:
    """Say both of a verdict and of a budget that could not be judged, where there is room."""
    told = f"{line.mark.word}, {line.unjudged}" if line.unjudged else line.mark.word
    return told if width >= _ROOMY else line.mark.word


def _width(column: _Column) -> int:
    title, cells = column
    return max(map(len, (*title.split("\n"), *cells))) + _GAP


def _brief(cell: str, metric: str) -> str:
    """Keep the interval of what verdicts are mostly about; the others follow it or hardly vary."""
    return cell if metric in _WITH_INTERVAL else cell.partition(" ± ")[0]


def _reasons(view: ReportView, *, width: int, verbosity: int) -> Iterator[RenderableType]:
    limit = len(view.action) if verbosity > 0 else _REASONS
    if view.action:
        yield ""
    shown = view.action[:limit]
    for place, row in enumerate(shown):
        yield from _row_lines(row, width=width)
        if row.mark is NOT_PRICED:
            continue  # why, and what to do, is said once for all below
        told = [(before.workload, before.reason) for before in shown[max(0, place - 1) : place]]
        again = row.reason and (row.workload, row.reason) in told
        yield from wrapped("for the same reason" if again else row.reason, width=width, indent=4)
        if row.origin and row.mark.tone != "good":
            yield from wrapped(f"limit set by {row.origin}", width=width, indent=4)
    if any(row.corrected for row in shown):
        yield from wrapped(f"* {view.correction}", width=width, indent=0, hang=2)
    if len(view.action) > limit:
        yield f"  … and {len(view.action) - limit:,} more; -v shows them"


def _everything(view: ReportView, line: WorkloadLine, *, width: int) -> Iterator[RenderableType]:
    yield ""
    yield from wrapped(f"{line.mark.sign} {line.workload}", width=width, indent=0)
    told = ", ".join(part for part in (line.scenario, line.units) if part)
    yield from wrapped(told, width=width, indent=4)
    titled = max([_TITLE_AT_LEAST, *(len(one.title) + _GAP for one in view.figures.columns)])
    for column, figure in zip(view.figures.columns, line.figures, strict=True):
        if figure == ABSENT:
            continue  # what another workload has
        yield from wrapped(f"{column.title:<{titled}}{figure}", width=width, indent=4, keep=True)
    for text in (*line.unsupported, *line.load, *line.sensors, *line.notes):
        yield from wrapped(text, width=width, indent=4)


def _notes(view: ReportView, *, width: int, verbosity: int) -> Iterator[RenderableType]:
    yield ""
    for text in view.warnings:
        yield from wrapped(f"! {text}", width=width, indent=0, hang=2)
    for text in view.together:
        yield from wrapped(text, width=width, indent=0, hang=2)
    yield from wrapped(view.baseline.sentence, width=width, indent=0)
    if view.baseline.command:
        yield f"  make one: {view.baseline.command}"
    for text in view.baseline.hints:
        yield from wrapped(text, width=width, indent=2)
    facts = [*view.assumptions]
    if verbosity > 0:
        facts += [*view.baseline.facts, *view.machine]
    else:
        facts = [fact for fact in facts if fact.label in _MONEY_FACTS]
    for fact in facts:
        yield from wrapped(f"{fact.label}: {fact.value}", width=width, indent=0, hang=2)
    if verbosity == 0 and view.quiet:
        yield from wrapped(
            f"{counted(len(view.quiet), 'other check')}: no action needed; -v shows every figure",
            width=width,
            indent=0,
        )


def wrapped(
    text: str, *, width: int, indent: int, hang: int = 0, keep: bool = False
) -> Iterable[str]:
    """Break foreign text into lines of our own: visible characters only, indented."""
    shown = text if keep else plain(text, limit=2_000)
    margin = " " * indent
    # A number stays on one line with its ±, ≤ and %: textwrap does not break at these spaces.
    glued = re.sub(r" (± |%)|(?<=[≤≥]) ", _glued, shown)
    lines = textwrap.wrap(
        glued,
        width=max(width, 20),
        initial_indent=margin,
        subsequent_indent=margin + " " * hang,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _glued(found: re.Match[str]) -> str:
    return found.group().replace(" ", "\N{NO-BREAK SPACE}")


def shortened(name: str, room: int) -> str:
    """Return `name` in at most `room` terminal columns, its middle left out where it is longer.

    Both ends matter: the file at the beginning, the parameters at the end.
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(name) <= room:
        return name
    head = (room - 1) // 3
    tail = name
    while cell_len(tail) > room - 1 - head:
        tail = tail[1:]
    return f"{set_cell_size(name, head)}…{tail}"


def shortened_apart(names: Sequence[str], room: int) -> list[str]:
    """Return each name shortened, those that would read alike from where they differ on.

    Where some read alike even so, they have a number in place of the first characters.
    """
    apart = _apart(set(names), room, begin=0)
    for short, times in Counter(apart.values()).items():
        alike = sorted(name for name in apart if apart[name] == short)
        digits = len(str(times))
        if times > 1:
            apart |= {
                name: f"{number:0{digits}}{short[digits:]}"
                for number, name in enumerate(alike, start=1)
            }
    return [apart[name] for name in names]


def _apart(names: Set[str], room: int, *, begin: int) -> dict[str, str]:
    """Return what each name reads like from `begin` on; those that read alike from further on."""
    alike: dict[str, set[str]] = {}
    for name in names:
        shown = f"…{name[begin:]}" if begin else name
        alike.setdefault(shortened(shown, room), set()).add(name)
    apart: dict[str, str] = {}
    for short, group in alike.items():
        both = takewhile(lambda pair: pair[0] == pair[1], zip(min(group), max(group), strict=False))
        further = sum(1 for _ in both) - _BEFORE_DIFFERENCE
        if len(group) > 1 and further > begin:
            apart |= _apart(group, room, begin=further)
        else:
            apart |= dict.fromkeys(group, short)
    return apart
