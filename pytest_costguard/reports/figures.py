"""The table of figures: one line a workload, one column a metric, one unit a column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pytest_costguard.records import (
    COSTS,
    MEANS,
    METRICS,
    OF_REQUESTS,
    QUANTILES,
    Comparison,
    Currency,
    Interval,
    Measurement,
    Report,
    WorkloadVerdict,
)
from pytest_costguard.reports import marks
from pytest_costguard.reports.load_facts import load_facts
from pytest_costguard.reports.marks import Mark
from pytest_costguard.reports.numbers import (
    ABSENT,
    Scale,
    change,
    counted,
    figure,
    percent,
    scale_for,
    significant,
)
from pytest_costguard.reports.rows import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One metric's column: its title, its unit ("" for plain numbers)."""

    metric: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadLine:
    """One workload: a cell for each column, its worst verdict, and what is known beside them."""

    workload: str
    label: str
    mark: Mark
    fails: bool
    cells: tuple[str, ...]
    figures: tuple[str, ...]
    """The same for a reader of this line alone: with the unit, and that as fits its own values."""
    unjudged: str = ""
    """What is said of a budget that could not be judged, beside a verdict: `not priced`."""
    change_of_mean: str = ABSENT
    failing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    scenario: str = ""
    units: str = ""
    load: tuple[str, ...] = ()
    """What an open loop has shown beside its figures."""
    sensors: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was noted while it was measured and is no warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """Every measured figure; `lines` are in the order of urgency."""

    columns: tuple[Column, ...]
    lines: tuple[WorkloadLine, ...]
    hidden: int = 0
    """How many workloads have no line, since fewer were asked for."""


def figure_table(
    report: Report, rows: Iterable[Row], labels: Mapping[str, str], *, most: int | None = None
) -> FigureTable:
    """Lay out the figures of a report; the columns are the metrics that something measured.

    Args:
        report: what to show.
        rows: its findings, what needs action first.
        labels: a short name for each workload.
        most: how many lines to lay out, which costs time in a large suite; None for all.
    """
    currency = report.target.currency if report.target else Currency()
    measured = {str(one.workload): one for one in report.run.measurements}
    figures = {
        str(verdict.workload): telling(verdict.figures, measured.get(str(verdict.workload)))
        for verdict in report.verdicts
    }
    scales = _scales(list(figures.values()), currency=currency)
    first_rows: dict[str, Row] = {}
    unjudged: dict[str, Row] = {}
    for row in rows:
        hides = row.mark in marks.UNJUDGED and not row.fails
        (unjudged if hides else first_rows).setdefault(row.workload, row)
    first_rows = unjudged | first_rows
    ordered = sorted(
        ((verdict, first_rows.get(str(verdict.workload))) for verdict in report.verdicts),
        key=lambda pair: _urgency(*pair, excused=report.expected_failures),
    )
    lines = tuple(
        _line(
            verdict,
            label=labels[str(verdict.workload)],
            first=first,
            unjudged=unjudged.get(str(verdict.workload)),
            fails=_fails(verdict, first, excused=report.expected_failures),
            figures=figures[str(verdict.workload)],
            scales=scales,
            currency=currency,
            measurement=measured.get(str(verdict.workload)),
        )
        for verdict, first in ordered[:most]
    )
    columns = tuple(
        Column(metric=metric, title=METRICS[metric].title, unit=scale.unit)
        for metric, scale in scales.items()
    )
    return FigureTable(columns=columns, lines=lines, hidden=len(ordered) - len(lines))


def telling(by_metric: Mapping[str, T], measurement: Measurement | None) -> Mapping[str, T]:
    """Leave out what says nothing beside others: what requests took at rates of a search's own."""
    if measurement is None or measurement.declaration.scenario.kind != "max_rate":
        return by_metric
    return {metric: one for metric, one in by_metric.items() if metric not in OF_REQUESTS}


def _scales(figures: Collection[Mapping[str, Interval]], *, currency: Currency) -> dict[str, Scale]:
    """Choose a unit for each metric; a mean and its percentiles, seen at a glance, share one."""
    values = {
        metric: [found[metric].estimate for found in figures if metric in found]
        for metric in METRICS
    }
    means = {metric: MEANS[one.series] for metric, one in QUANTILES.items()}
    return {
        metric: scale_for(shared, values[shared])
        if values[shared := means.get(metric, metric)] and shared != metric
        else scale_for(metric, estimates, currency=currency)
        for metric, estimates in values.items()
        if estimates
    }


def _urgency(
    verdict: WorkloadVerdict, first: Row | None, *, excused: Collection[str]
) -> tuple[bool, int, str]:
    fails = _fails(verdict, first, excused=excused)
    return not fails, _mark(first).urgency, str(verdict.workload)


def _fails(verdict: WorkloadVerdict, first: Row | None, *, excused: Collection[str]) -> bool:
    named = bool(verdict.failing) and verdict.workload.nodeid not in excused
    return named or (first is not None and first.fails)


def _mark(first: Row | None) -> Mark:
    return marks.MEASURED if first is None else first.mark


def _line(
    verdict: WorkloadVerdict,
    *,
    label: str,
    first: Row | None,
    unjudged: Row | None,
    fails: bool,
    figures: Mapping[str, Interval],
    scales: Mapping[str, Scale],
    currency: Currency,
    measurement: Measurement | None,
) -> WorkloadLine:
    mean = next((one for one in verdict.comparisons if one.metric == "mean"), None)
    unsupported = telling(verdict.unsupported, measurement)
    own_scales = {**scales, **_scales([figures], currency=currency)}
    cell = partial(_cell, verdict=verdict, figures=figures, unsupported=unsupported)
    return WorkloadLine(
        workload=str(verdict.workload),
        label=label,
        mark=_mark(first),
        fails=fails,
        unjudged=unjudged.mark.word if unjudged is not None and unjudged is not first else "",
        cells=tuple(cell(metric, scale) for metric, scale in scales.items()),
        figures=tuple(
            _with_unit(cell(metric, scale), scale.unit) for metric, scale in own_scales.items()
        ),
        change_of_mean=_change(mean),
        failing=verdict.failing,
        warnings=verdict.warnings,
        scenario=_scenario(measurement),
        units=counted(len(measurement.units), "unit") if measurement else "",
        load=load_facts(measurement),
        sensors=_sensors(measurement),
        notes=_notes(measurement, warned=verdict.warnings),
        unsupported=tuple(
            f"{METRICS[metric].title if metric in METRICS else metric}: {reason}"
            for metric, reason in unsupported.items()
        ),
    )


def _cell(
    metric: str,
    scale: Scale,
    *,
    verdict: WorkloadVerdict,
    figures: Mapping[str, Interval],
    unsupported: Mapping[str, str],
) -> str:
    seen = figures.get(metric)
    if seen is not None:
        return figure(seen, scale)
    has_rate = metric in COSTS and COSTS[metric] in verdict.figures
    if verdict.cost is not None and (has_rate or metric == "cost_per_1k"):
        return verdict.cost.state
    return "not supported" if metric in unsupported else ABSENT


def _notes(measurement: Measurement | None, *, warned: Collection[str]) -> tuple[str, ...]:
    notes = () if measurement is None else measurement.notes
    return tuple(note for note in notes if note not in warned)


def _with_unit(cell: str, unit: str) -> str:
    return f"{cell} {unit}" if unit and cell[:1].isdigit() else cell


def _change(comparison: Comparison | None) -> str:
    return (
        ABSENT
        if comparison is None
        else change(comparison.ratio, comparison.lower, comparison.upper)
    )


def _scenario(measurement: Measurement | None) -> str:
    if measurement is None:
        return ""
    declared = measurement.declaration
    told = f"{declared.scenario}, {counted(declared.threads, 'thread')}, {declared.adapter}"
    return f"{told}{_counted_by(measurement)}"


def _counted_by(measurement: Measurement) -> str:
    """Say who counted output tokens, where there are some."""
    counts = {
        unit.tokens.counted_by
        for unit in measurement.units
        if unit.tokens is not None and unit.tokens.output_tokens
    }
    if not counts:
        return ""
    return ", tokens by the server's usage" if counts == {"usage"} else ", tokens by events"


def _sensors(measurement: Measurement | None) -> tuple[str, ...]:
    """What disturbed the timed stretches, added up over units; unknown sensors are left out."""
    if measurement is None:
        return ()
    sensors = [unit.sensors for unit in measurement.units]
    wall = sum(one.wall_seconds for one in sensors)
    if not wall > 0:
        return ()
    told = [f"CPU time {percent(sum(one.cpu_seconds for one in sensors) / wall)} of wall time"]
    for name, values in {
        "run-queue wait": [one.run_queue_wait_seconds for one in sensors],
        "steal": [one.steal_seconds for one in sensors],
        "throttled": [one.throttled_seconds for one in sensors],
    }.items():
        known = [value for value in values if value is not None]
        if known:
            told.append(f"{name} {percent(sum(known) / wall)}")
    switches = [one.involuntary_switches for one in sensors if one.involuntary_switches is not None]
    if switches:
        told.append(f"involuntary switches {significant(sum(switches) / wall)} per second")
    return tuple(told)
