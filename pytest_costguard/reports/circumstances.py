"""What a reader must know to judge the figures: price, machine, baseline, how to repeat them."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from pytest_costguard.cost.traffic import HOURS_A_MONTH
from pytest_costguard.cost.unit_cost import NO_TARGET
from pytest_costguard.records import (
    OF_CAPACITY,
    Against,
    BudgetVerdict,
    ClockName,
    Cost,
    Escalation,
    Pairing,
    PairingKind,
    Report,
    Target,
    Verdict,
)
from pytest_costguard.reports.numbers import (
    counted,
    day,
    minute,
    money,
    percent,
    scale_for,
    significant,
)
from pytest_costguard.reports.rows import Row
from pytest_costguard.reports.ways import base_name, base_sha
from pytest_costguard.stats.stored import ENOUGH_RUNS

DEFAULT_BASELINE = "main"
_ACCEPTED = "accepted"
_NAME = re.compile(r"\w[\w.-]*", flags=re.ASCII)
_TESTS_IN_COMMAND = 5
_WAYS: Mapping[PairingKind, Mapping[ClockName, str]] = MappingProxyType(
    {
        "alternating": {"cpu": "Compared by CPU time", "wall": "Compared by wall time"},
        "together": dict.fromkeys(get_args(ClockName), "At the same time on one core"),
        "restart": dict.fromkeys(get_args(ClockName), "Each alone in its turn"),
    }
)
_NOTHING_TO_ESCALATE = (
    "There is no stored verdict to doubt yet, so --costguard-escalate had nothing to do."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One assumption or property: our own label, and a value that may be foreign text."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineView:
    """What the run was compared with; `command` makes a baseline where there is none."""

    state: Literal["found", "none yet", "problem", "not wanted"]
    sentence: str
    facts: tuple[Fact, ...] = ()
    hints: tuple[str, ...] = ()
    command: str = ""
    column: Literal["Baseline", "Base"] = "Baseline"


def assumptions_of(report: Report, labels: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return what the money rests on: price, its source and date, share, basis, currency.

    Args:
        report: what to show.
        labels: a short name for each workload.
    """
    if report.target is None:
        asked = any(
            one.verdict is BudgetVerdict.NOT_PRICED
            for verdict in report.verdicts
            for one in verdict.budgets
        )
        reason = report.target_problem or (
            NO_TARGET if asked else "no target and no price was given"
        )
        return (Fact(label="Cost", value=f"not priced: {reason}"),)
    return (
        *_price_facts(report.target),
        *_cost_facts(report, labels),
        *_capacity_facts(report),
        *_currency_facts(report.target),
    )


def _price_facts(target: Target) -> tuple[Fact, ...]:
    quote = target.quote
    place = ", ".join(part for part in (quote.provider, quote.region) if part)
    machine = quote.instance or "one machine"
    facts = [
        Fact(label="Target", value=f"{target.name}, from the {target.origin}"),
        Fact(
            label="Price",
            value=f"{money(quote.usd_per_hour, target.currency)} an hour"
            f" for {machine}{f' ({place})' if place else ''}"
            # Of a price that was given as it is, nobody has said how it is paid.
            + (f", {quote.purchase_model.replace('_', '-')}" if quote.instance else ""),
        ),
    ]
    if quote.discount:
        facts.append(Fact(label="Discount", value=f"{percent(quote.discount)}, already taken off"))
    as_of = f", as of {day(quote.as_of)}" if quote.as_of else ", date not known"
    facts.append(Fact(label="Price source", value=f"{quote.source}{as_of}"))
    if target.stands_for:
        facts.append(
            Fact(label="Hardware", value="declared to stand for the target, so not compared")
        )
    return tuple(facts)


def _cost_facts(report: Report, labels: Mapping[str, str]) -> tuple[Fact, ...]:
    costs = [
        (labels[str(verdict.workload)], verdict.cost)
        for verdict in report.verdicts
        if verdict.cost is not None
    ]
    priced = [(name, cost) for name, cost in costs if cost.state == "priced"]
    reasons = dict.fromkeys(
        f"{cost.state}: {cost.reason}" if cost.reason else cost.state
        for _, cost in costs
        if cost.state != "priced"
    )
    return (
        *_whose("Share", [(name, _share_of_machine(cost)) for name, cost in priced]),
        *_whose("Basis", [(name, cost.basis) for name, cost in priced]),
        *(Fact(label="Cost", value=reason) for reason in reasons),
    )


def _share_of_machine(cost: Cost) -> str:
    because = f": {cost.share_reason}" if cost.share_reason else ""
    return f"{percent(cost.share)} of the machine{because}"


def _whose(label: str, values: Sequence[tuple[str, str]]) -> Iterator[Fact]:
    """Yield a fact for each value, and whose it is where workloads differ in it."""
    by_value: dict[str, list[str]] = {}
    for name, value in values:
        by_value.setdefault(value, []).append(name)
    for value, names in by_value.items():
        told = f" ({_some(names)})" if len(by_value) > 1 else ""
        yield Fact(label=label, value=f"{value}{told}")


def _capacity_facts(report: Report) -> tuple[Fact, ...]:
    budgets = (one.budget.metric for verdict in report.verdicts for one in verdict.budgets)
    if OF_CAPACITY.isdisjoint(budgets):
        return ()
    from pytest_costguard.cost.capacity import DEFAULT_UTILISATION

    value = (
        f"those of the declared traffic's peak, all the time ({HOURS_A_MONTH} hours a month), no"
        f" spare ones, {percent(DEFAULT_UTILISATION)} full where waiting times do not tell"
    )
    return (Fact(label="Replicas", value=value),)


def _currency_facts(target: Target) -> tuple[Fact, ...]:
    currency = target.currency
    if currency.code == "USD":
        return ()
    since = f", as of {day(currency.as_of)}" if currency.as_of else ", date not known"
    rate = f"1 USD = {significant(currency.per_usd, digits=5)} {currency.code}{since}"
    return (Fact(label="Currency", value=rate),)


def machine_of(report: Report) -> tuple[Fact, ...]:
    """Return where and of what the run was made."""
    seen, run = report.run.fingerprint, report.run
    memory = scale_for("peak_memory", (seen.memory_bytes,))
    facts = [
        Fact(label="CPU", value=f"{seen.cpu_model}, {counted(seen.cores, 'core')}"),
        Fact(
            label="Memory",
            value=f"{significant(memory.of(seen.memory_bytes))} {memory.unit}",
        ),
        *(Fact(label="GPU", value=gpu) for gpu in seen.gpus),
    ]
    named = {
        "Driver": seen.driver,
        "System": seen.os,
        "Container limits": seen.container_limits,
        "Python": seen.python,
        "Packages": ", ".join(f"{name} {seen.packages[name]}" for name in sorted(seen.packages)),
    }
    facts += [Fact(label=label, value=value) for label, value in named.items() if value]
    if run.commit:
        changed = " with uncommitted changes" if run.commit.dirty else ""
        branch = f" on {run.commit.branch}" if run.commit.branch else ""
        facts.append(Fact(label="Commit", value=f"{run.commit.sha[:12]}{branch}{changed}"))
    facts.append(Fact(label="Measured", value=minute(run.created)))
    facts.append(Fact(label="Version", value=f"pytest-costguard {run.tool_version}"))
    return tuple(facts)


def baseline_of(report: Report) -> BaselineView:
    """Return what the run was compared with, or why with nothing and what to do about it."""
    if report.against is not None:
        return _base_of(report.against)
    return _escalated(_stored(report), report.escalation)


def _stored(report: Report) -> BaselineView:
    if report.baseline_requested == "none":
        return BaselineView(state="not wanted", sentence="No baseline was asked for.")
    if report.baseline_problem:
        return BaselineView(state="problem", sentence=f"No baseline: {report.baseline_problem}")
    baseline = report.baseline
    others = tuple(f"Also stored: {other}" for other in baseline.other_series) if baseline else ()
    if baseline is None or not baseline.runs:
        on = " on this kind of machine" if others else ""
        return BaselineView(
            state="none yet",
            sentence=f"No baseline yet{on}, so nothing was compared.",
            hints=(
                *others,
                (
                    f"{ENOUGH_RUNS} runs tell small changes from noise:"
                    f" {_record_command(report, ENOUGH_RUNS)}"
                ),
                *(_NOTHING_TO_ESCALATE,) * (report.escalation is not None and not others),
            ),
            command=shlex.join(["pytest", "--costguard", f"--costguard-save={_name(report)}"]),
        )
    days = sorted({run.created.date() for run in baseline.runs})
    span = day(days[0]) if len(days) == 1 else f"{day(days[0])} to {day(days[-1])}"
    hints = list(others)
    if len(days) == 1 and len(baseline.runs) > 1 and report.runner_spread is None:
        hints.insert(
            0,
            "All baseline runs are from one day: how much this machine differs from day to"
            " day is not in them.",
        )
    return BaselineView(
        state="found",
        sentence=f"Compared with baseline {baseline.name}:"
        f" {counted(len(baseline.runs), 'run')}, {span}.",
        facts=(Fact(label="Stored in", value=baseline.location), *_commits(report)),
        hints=tuple(hints),
    )


def _escalated(view: BaselineView, escalation: Escalation | None) -> BaselineView:
    """Name the second reference too, where what the first left in doubt was measured again."""
    looks = () if escalation is None else escalation.looks
    for look in looks:
        workloads = counted(len(look.head), "workload")
        sentence = (
            f"{workloads} in doubt measured again side by side with base"
            f" {base_sha(look.against)[:12]}: {_units(look.against)}."
        )
        view = dataclasses.replace(
            view,
            sentence=f"{view.sentence} {sentence}",
            facts=(*view.facts, *_base_facts(look.against)),
            hints=(*view.hints, *look.against.notes),
        )
    return view


def _base_of(against: Against) -> BaselineView:
    return BaselineView(
        state="found",
        sentence=f"Compared side by side with {base_name(against)}:"
        f" {_units(against)} of fresh processes.",
        facts=_base_facts(against),
        hints=against.notes,
        column="Base",
    )


def _units(against: Against) -> str:
    counts = [len(one.units) for one in against.run.measurements]
    if not counts:
        return "no unit"
    least, most = min(counts), max(counts)
    return counted(most, "unit") if least == most else f"{least} to {counted(most, 'unit')}"


def _base_facts(against: Against) -> tuple[Fact, ...]:
    sha = base_sha(against)
    found_as = "" if against.found_as in (sha, sha[:12]) else f" ({against.found_as})"
    facts = [Fact(label="Base", value=f"{sha[:12]}{found_as}")]
    if against.cores:
        cores = ", ".join(map(str, against.cores))
        facts.append(Fact(label="Cores", value=f"both sides on the same of {cores}, in turns"))
    return (*facts, *_pairings(against.pairings))


def _pairings(pairings: Mapping[str, Pairing]) -> Iterator[Fact]:
    """Say how the sides of each workload were measured beside each other, and why so."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, how in pairings.items():
        names.setdefault((_WAYS[how.kind][how.clock], how.reason), []).append(name)
    for (label, reason), found in names.items():
        yield Fact(label=label, value=f"{_some(found)}: {reason}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _commits(report: Report) -> tuple[Fact, ...]:
    runs = report.baseline.runs if report.baseline else ()
    shas = dict.fromkeys(run.commit.sha[:12] for run in runs if run.commit)
    if not shas:
        return ()
    listed = list(shas)
    shown = ", ".join(listed[-3:])
    more = f" and {counted(len(listed) - 3, 'older commit')}" if len(listed) > 3 else ""
    return (Fact(label="Baseline commits", value=shown + more),)


def reproduce_commands(report: Report, rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the command that repeats what needs action on the reader's own machine."""
    tests = list(
        dict.fromkeys(
            row.workload.partition(" [")[0]
            for row in rows
            if row.needs_action and row.metric != "all metrics"
        )
    )
    selected = tests if len(tests) <= _TESTS_IN_COMMAND else []
    words = ["pytest", "--costguard"]
    if report.against is not None:
        commit = report.against.run.commit
        words.append(f"--costguard-against={commit.sha if commit else report.against.requested}")
    elif report.baseline is not None:
        asked = report.baseline_requested
        name = report.baseline.name if asked == "auto" else asked
        words.append(f"--costguard-baseline={name}")
        if report.baseline.store:
            words.append(f"--costguard-store={report.baseline.store}")
        if report.escalation is not None:
            words.append("--costguard-escalate")
    there = f"cd {shlex.quote(report.run.root)} && " if report.run.root else ""
    return (there + shlex.join([*words, *selected]),)


def accept_commands(report: Report) -> tuple[str, ...]:
    """Return the commands that make this level the baseline; none where that would mend nothing.

    Saving one more run would only mix the new level with the old one, so as many runs as the
    baseline has are recorded under another name and take its place, and never fewer than know
    their own spread: the baseline at hand may be a single file.
    """
    if report.baseline is None or not report.baseline.runs or not _baseline_objects(report):
        return ()
    return (
        _record_command(report, max(ENOUGH_RUNS, len(report.baseline.runs)), name=_ACCEPTED),
        shlex.join(["costguard", "baseline", "promote", _ACCEPTED, _name(report)]),
    )


def _baseline_objects(report: Report) -> bool:
    """Whether something regressed, or is over a budget that is a share of the baseline's value."""
    return any(
        any(one.verdict is Verdict.REGRESSED and not one.accepted for one in verdict.comparisons)
        or any(one.verdict is BudgetVerdict.OVER and one.budget.relative for one in verdict.budgets)
        for verdict in report.verdicts
    )


def _record_command(report: Report, runs: int, *, name: str = "") -> str:
    chosen = name or _name(report)
    words = ["costguard", "baseline", "record", "--runs", str(runs)]
    if chosen != DEFAULT_BASELINE:
        words += ["--name", chosen]
    return shlex.join(words)


def _name(report: Report) -> str:
    """The name in the store that this run belongs to; a path is none."""
    asked = report.baseline.name if report.baseline else report.baseline_requested
    return asked if _NAME.fullmatch(asked) and asked not in ("auto", "none") else DEFAULT_BASELINE
