"""What the doctor found, as a page for a terminal: the machine, what it sees, what to mend."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_costguard.records import DoctorReport, MachineFacts, SameTwice, Visible
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.marks import Tone
from pytest_costguard.reports.numbers import (
    ABSENT,
    change,
    counted,
    percent,
    quantity,
    scale_for,
    significant,
)
from pytest_costguard.reports.terminal import printed, shortened, wrapped
from pytest_costguard.stats.detectability import uncertainty_of_spread

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_STYLES: dict[Tone, str] = {"bad": "bold red", "doubtful": "yellow", "good": "green", "quiet": ""}
_NOT_TOLD = "not told here"
_LABEL = 13
_GAP = 2
_TIME = 6
_CELL = 13
_WIDEST_NAME = 44
_LARGE = 0.4
_SOME = 0.2
_HOPELESS = 1.0
"""From a change of 100 % on, its figure says nothing more."""


def render_doctor(report: DoctorReport, *, width: int = 80, colour: bool = False) -> str:
    """Return the page as text of at most `width` columns; nothing is said by colour alone."""
    return printed(_parts(report, width=width), width=width, colour=colour)


def _parts(report: DoctorReport, *, width: int) -> Iterator[RenderableType]:
    yield from _headline(report, width=width)
    yield from _section("This machine")
    for label, value in _machine(report):
        yield from _fact(label, value, width=width)
    yield from _section("What it can see")
    yield from wrapped(
        f"The smallest change that is called regressed in 95 of 100 runs, where"
        f" {percent(report.allow)} is allowed and {counted(report.gates, 'gate')} share the error:",
        width=width,
        indent=2,
    )
    for workload in report.workloads:
        yield ""
        yield _table(report, workload, width=width)
    yield ""
    yield from _spread(report, width=width)
    yield from _section("What to mend first")
    yield from _findings(report, width=width)
    yield from _section("How it was measured")
    yield from _method(report, width=width)


def _section(title: str) -> Iterator[RenderableType]:
    from rich.text import Text

    yield ""
    yield Text(title, style="bold")


def _headline(report: DoctorReport, *, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    differing = [one for one in report.workloads if one.differs]
    tone: Tone = "bad" if differing else "doubtful" if report.not_measured else "good"
    sign = {"bad": "✗", "doubtful": "!", "good": "✓"}[tone]
    names = ", ".join(_short_name(one) for one in differing)
    told = {
        "bad": f"something is wrong: both sides of {names} are the same and yet differ",
        "doubtful": f"{counted(len(report.not_measured), 'workload')} could not be measured",
        "good": "the same code on both sides shows no difference, as it should",
    }[tone]
    for number, line in enumerate(wrapped(told, width=width - 2, indent=0)):
        yield Text(f"{sign} " if number == 0 else "  ", style=_STYLES[tone]).append(
            line, style="default not bold"
        )


def _fact(label: str, value: str, *, width: int) -> Iterator[str]:
    lines = wrapped(value, width=width - _LABEL - _GAP, indent=0)
    for number, line in enumerate(lines or [""]):
        yield f"{'':{_GAP}}{label if number == 0 else '':<{_LABEL}}{line}"


def _machine(report: DoctorReport) -> Iterator[tuple[str, str]]:
    machine = report.machine
    print_ = machine.fingerprint
    kind = {True: "virtual machine", False: "no hypervisor", None: f"hypervisor {_NOT_TOLD}"}
    yield "processor", f"{print_.cpu_model}; {kind[machine.virtual]}"
    yield "cores", _cores(machine)
    yield "clock", _clock(machine)
    yield "load before", _load(machine)
    yield "while timed", _disturbed(report)
    yield "system", "; ".join(part for part in (print_.os, print_.python) if part)


def _clock(machine: MachineFacts) -> str:
    governor = ", ".join(machine.governors) or _NOT_TOLD
    source = machine.clock_source or f"a source {_NOT_TOLD}"
    return f"governor {governor}; turbo {_switch(machine.turbo)}; time by {source}"


def _cores(machine: MachineFacts) -> str:
    quota = machine.quota_cores
    limit = "no CPU quota" if machine.quota_told else f"CPU quota {_NOT_TOLD}"
    if quota is not None:
        limit = f"CPU quota {quota:.3g} cores"
    held = f"cannot be pinned ({machine.unpinned})" if machine.unpinned else "can be pinned"
    return f"{machine.usable_cores} usable; SMT {_switch(machine.smt)}; {limit}; {held}"


def _switch(on: bool | None) -> str:
    return _NOT_TOLD if on is None else "on" if on else "off"


def _load(machine: MachineFacts) -> str:
    load = _NOT_TOLD if machine.load_average is None else f"{machine.load_average:.2f}"
    pressed = machine.cpu_pressure
    waited = (
        f"waiting for a core {_NOT_TOLD}"
        if pressed is None
        else f"some process waited for a core {_of_time(pressed)} of the last 10 s"
    )
    return f"{load} in the last minute; {waited}"


def _disturbed(report: DoctorReport) -> str:
    seen = report.disturbed
    parts = [
        f"waiting for a core {_of_time(seen.run_queue_wait)}",
        f"steal {_of_time(seen.steal)}",
        f"throttled {_of_time(seen.throttled)}",
    ]
    return "; ".join(parts)


def _of_time(share: float | None) -> str:
    """Write a share of time: two digits are enough, and what is hardly there is 0."""
    if share is None:
        return _NOT_TOLD
    return "0 %" if share < 0.0005 else f"{significant(100 * share, digits=2)} %"


def _short_name(workload: SameTwice) -> str:
    name = plain(workload.workload)
    return name.partition("::")[2].removeprefix("test_") if workload.built_in else name


def _table(report: DoctorReport, workload: SameTwice, *, width: int) -> Table:
    """A row a time: side by side, and stored."""
    from rich.table import Table
    from rich.text import Text

    room = min(_WIDEST_NAME, width - _TIME - 2 * _CELL - 4 * _GAP)
    scale = scale_for("mean", [workload.request_seconds])
    size = f"{quantity(workload.request_seconds, scale)} {scale.unit} a request"
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    name = shortened(_short_name(workload), room - _GAP)
    table.add_column(Text(f"  {name}", style="default not bold"), min_width=room, no_wrap=True)
    for title, least in (("in", _TIME), ("side by side", _CELL), ("stored", _CELL)):
        table.add_column(Text(title, style="dim"), justify="right", min_width=least, no_wrap=True)
    rows = [one for one in report.visible if one.workload == workload.workload]
    details = [
        f"  {size}",
        f"  spread {significant(100 * math.expm1(workload.spread), digits=2)} % a unit",
    ]
    for row, detail in zip(rows, [*details, *[""] * len(rows)], strict=False):
        table.add_row(
            Text(detail, style="dim"), _seconds(row.seconds), _side_by_side(row), _seen(row.stored)
        )
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _side_by_side(row: Visible) -> str:
    if row.side_by_side is None:
        return "too short"
    return f"{_seen(row.side_by_side)}{' *' if row.deep else ''}"


def _seen(change_seen: float | None) -> str:
    if change_seen is None:
        return ABSENT
    if change_seen >= _HOPELESS:
        return "over 100 %"
    # Rounded up: what is promised must be kept.
    return f"{significant(math.ceil(1000 * change_seen - 1e-9) / 10, digits=2)} %"


def _spread(report: DoctorReport, *, width: int) -> Iterator[str]:
    if any(row.deep for row in report.visible):
        yield from wrapped("* with --costguard-deep", width=width, indent=2)
    if any(row.side_by_side is None for row in report.visible):
        yield from wrapped(
            "too short: fewer than 6 units, which the first look takes", width=width, indent=2
        )
    if report.runner_spread is None:
        yield from wrapped(
            "stored: not measured, since the calibration kernel was not", width=width, indent=2
        )
        return
    yield from wrapped(
        "stored: a run of that time against 8 like it. What was measured here was made back to"
        " back, and does not know tomorrow's variance: take it as the best case.",
        width=width,
        indent=2,
        hang=2,
    )
    yield ""
    yield from wrapped(
        f"From run to run ({counted(report.run_units, 'unit')} each) results spread by this much;"
        " in the configuration it stands in for baseline runs that are still missing:",
        width=width,
        indent=2,
    )
    yield f'    runner_spread = "{spread_word(report.runner_spread)}"'


def spread_word(share: float) -> str:
    """Write a spread as the configuration takes it, rounded up to a tenth: "1.3%"."""
    return f"{max(0.1, math.ceil(1000 * share - 1e-9) / 10):.1f}%"


def _findings(report: DoctorReport, *, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    if not report.findings:
        yield "  Nothing: no setting and no disturbance stands out."
    for number, one in enumerate(report.findings, start=1):
        head = f"{number}. "
        # Its first words stand out; how much it brings stands beside them.
        said = f"{plain(one.finding, limit=500)} Gain:\N{NO-BREAK SPACE}{_gain(one.gain)}."
        for place, line in enumerate(wrapped(said, width=width - len(head) - _GAP, indent=0)):
            yield Text(f"  {head if place == 0 else ' ' * len(head)}").append(line)
        margin = _GAP + len(head)
        for line in wrapped(one.remedy, width=width, indent=margin):
            yield Text(line, style="dim")


def _gain(gain: float) -> str:
    return "large" if gain >= _LARGE else "some" if gain >= _SOME else "little"


def _method(report: DoctorReport, *, width: int) -> Iterator[str]:
    units = max(one.units for one in report.workloads)
    known = uncertainty_of_spread(min(one.units for one in report.workloads) - 2)
    yield from wrapped(
        f"{counted(units, 'unit')} of the same code on both sides, each in two fresh processes,"
        f" then {units} of a plain run; {report.seconds:.0f} s in all. A spread from so few is"
        f" known to ± {percent(round(known, 2))}, and so is what is seen.",
        width=width,
        indent=2,
    )
    for one in report.workloads:
        yield from wrapped(_same(one), width=width, indent=2, hang=2)
    for reason in report.not_measured:
        yield from wrapped(f"! not measured: {plain(reason, limit=500)}", width=width, indent=2)


def _same(one: SameTwice) -> str:
    bias = change(*(math.exp(value) for value in (one.change, one.lower, one.upper)))
    word = "something is wrong" if one.differs else "no difference"
    return (
        f"{_short_name(one)}: {word}, {bias} % between equal sides; being started first costs"
        f" {change(math.exp(one.order_effect))} %, which the model takes out;"
        f" {one.seconds_a_unit:.1f} s a unit; {_PAIRED[one.pairing.kind]}"
        f" ({plain(one.pairing.reason)})"
    )


_PAIRED = {
    "alternating": "blocks alternate",
    "together": "both sides at the same time",
    "restart": "in turns",
}
