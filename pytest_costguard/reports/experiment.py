"""What an experiment found out, for one glance: a sentence, a table, how it was measured."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pytest_costguard.records import (
    METRICS,
    Currency,
    Experiment,
    Failure,
    MetricChange,
    WorkloadChange,
)
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import ABSENT, change, counted, percent, quantity, scale_for
from pytest_costguard.reports.ways import way

_MINUS = "\N{MINUS SIGN}"
_GAP = "  "
_TITLES = ("", "A", "B", "change, %", "interval, %")
_OWN_TEST = "test_ab.py::test_ab"
"""The test that is written for models or callables: its name tells nobody a thing."""


def render(experiment: Experiment, *, width: int = 100) -> str:
    """Return the whole result as text; lines of prose are at most `width` columns long."""
    lines: list[str] = []
    several = len(experiment.workloads) > 1
    for found in experiment.workloads:
        lines += _workload(found, experiment, named=several or not _is_own(found), width=width)
        lines.append("")
    for failure in experiment.failures:
        lines += [*_failure(failure, width=width), ""]
    lines += _sides(experiment, width=width)
    for note in experiment.notes:
        lines += _wrapped(f"note: {note}", width=width)
    if not experiment.complete:
        lines.append("interrupted: this is what was known by then")
    elif not experiment.workloads and not experiment.failures:
        lines.append("nothing is known")
    return "\n".join(lines).strip("\n") + "\n"


def verdict(found: WorkloadChange) -> str:
    """Return the answer in words: `B is 12.4 % faster than A`."""
    row = _deciding(found)
    if row.ratio is None:
        return f"the change of {METRICS[found.metric].title} is not known"
    size = _size(row.ratio)
    if found.answer == "no difference seen":
        what = "" if found.metric == "mean" else f" in {METRICS[found.metric].title}"
        return f"no difference seen between A and B{what}: {change(row.ratio)} %"
    if found.metric == "mean":
        word = "faster" if found.answer == "better" else "slower"
        return f"B is {size} % {word} than A"
    word = "lower" if row.ratio < 1 else "higher"
    return f"B's {METRICS[found.metric].title} is {size} % {word} than A's"


def _headline(found: WorkloadChange) -> str:
    row = _deciding(found)
    told = verdict(found)
    if row.lower is not None and row.upper is not None and row.confidence is not None:
        low, high = change(row.lower), change(row.upper)
        if found.answer != "no difference seen":  # the word says which way; the nearer bound first
            ends = sorted((row.lower, row.upper), key=lambda bound: abs(bound - 1))
            low, high = (_size(bound) for bound in ends)
        told += f" ({low} to {high} %, {percent(row.confidence)})"
    return f"{told}, {counted(found.units, 'unit')}, {found.seconds:.0f} s"


def _workload(
    found: WorkloadChange, experiment: Experiment, *, named: bool, width: int
) -> Iterator[str]:
    if named:
        yield from _wrapped(str(found.workload), width=width)
    yield from _wrapped(_headline(found), width=width)
    yield ""
    yield from _table(found)
    yield ""
    yield from _wrapped(_how(found), width=width)
    if not found.precise:
        yield from _wrapped(_unfinished(found, experiment), width=width)
    for note in found.notes:
        yield from _wrapped(f"note: {note}", width=width)


def _table(found: WorkloadChange) -> list[str]:
    cells = [_TITLES, *(_cells(row) for row in found.changes)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_TITLES))]
    return [
        _GAP.join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _cells(row: MetricChange) -> tuple[str, ...]:
    scale = scale_for(row.metric, [row.a, row.b], currency=Currency())
    unit = f" ({scale.unit})" if scale.unit else ""
    known = row.lower is not None and row.upper is not None
    return (
        f"{METRICS[row.metric].title}{unit}",
        quantity(row.a, scale),
        quantity(row.b, scale),
        ABSENT if row.ratio is None else change(row.ratio),
        f"{change(row.lower)} to {change(row.upper)}" if known else ABSENT,
    )


def _how(found: WorkloadChange) -> str:
    declared = found.declaration
    measured = way(found.metric, extent="in fresh processes for each unit", pairing=found.pairing)
    return (
        f"Measured {measured}:"
        f" {counted(declared.threads, 'thread')}, {declared.scenario},"
        f" {counted(declared.input_count, 'input')}. Each interval holds the true change in at"
        " least 95 % of experiments; A is shown as B \N{DIVISION SIGN} change."
    )


def _unfinished(found: WorkloadChange, experiment: Experiment) -> str:
    reached = f"known to {_share(found.half_width)}, {_share(experiment.precision)} was wished"
    if found.seconds_needed is None:
        return f"{reached}: this machine is too noisy for it"
    return (
        f"{reached}: about {found.seconds_needed:.0f} s instead of {found.seconds:.0f} s would do"
        f" (--time {found.seconds_needed:.0f}s)"
    )


def _sides(experiment: Experiment, *, width: int) -> Iterator[str]:
    for letter, side in (("A", experiment.a), ("B", experiment.b)):
        yield from _wrapped(f"{letter}: {side.label}", width=width)
    yield from _different(experiment)


def _different(experiment: Experiment) -> Iterator[str]:
    """Name the packages whose versions differ, which may be all the difference there is."""
    ours, theirs = experiment.a.fingerprint, experiment.b.fingerprint
    if ours is None or theirs is None:
        return
    found = [
        f"{name} {ours.packages.get(name, ABSENT)} and {theirs.packages.get(name, ABSENT)}"
        for name in sorted({*ours.packages, *theirs.packages})
        if ours.packages.get(name) != theirs.packages.get(name)
    ]
    if ours.python != theirs.python:
        found.insert(0, f"Python {ours.python} and {theirs.python}")
    if found:
        yield f"A and B have different versions: {'; '.join(found)}"


def _failure(failure: Failure, *, width: int) -> Iterator[str]:
    name = "" if failure.workload.nodeid == _OWN_TEST else f"{failure.workload}: "
    yield from _wrapped(f"! {name}could not be measured: {failure.reason}", width=width)
    if failure.details:
        last = [line for line in failure.details.splitlines() if line.strip()][-20:]
        yield from (f"    {plain(line, limit=500)}" for line in last)
    yield from _wrapped(f"  remedy: {failure.remedy}", width=width)


def _deciding(found: WorkloadChange) -> MetricChange:
    known = (row for row in found.changes if row.metric == found.metric)
    return next(known, MetricChange(metric=found.metric, a=None, b=None))


def _is_own(found: WorkloadChange) -> bool:
    return found.workload.nodeid == _OWN_TEST


def _size(ratio: float) -> str:
    """The change without its sign, which the words around it say."""
    return change(ratio).lstrip(f"+{_MINUS}")


def _share(ratio: float) -> str:
    return f"{100 * ratio:.2g} %"


def _wrapped(text: str, *, width: int) -> Sequence[str]:
    return _lines(plain(text, limit=2_000), width=width)


def _lines(text: str, *, width: int) -> list[str]:
    glued = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines: Iterable[str] = textwrap.wrap(
        glued, width=max(width, 40), subsequent_indent="  ", break_on_hyphens=False
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
