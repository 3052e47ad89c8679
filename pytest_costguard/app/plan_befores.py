"""What a plan is compared with: another report, or the base of one measured side by side."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_costguard.app.judging_hypotheses import changes_of
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.judging_subject import subject
from pytest_costguard.app.plan_subjects import NoPlan, PlanSubject
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import (
    Comparison,
    Measurement,
    Range,
    Report,
    Run,
    Target,
    Unplanned,
    WorkloadId,
    differences,
)
from pytest_costguard.reports.numbers import day, money
from pytest_costguard.stats.precision import change_at
from pytest_costguard.stats.summary import figures

_APART = (
    "measured each by itself: bounds are those of the worst of both intervals, and what differs"
    " from one run to the next is not in them"
)
_BESIDE = "measured side by side: the changes are those of pairs, and before is what makes them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was measured before, and at which price it counts."""

    run: Run
    target: Target | None
    target_problem: str
    today: dt.date
    beside: Mapping[WorkloadId, Sequence[Comparison]] = field(default_factory=dict)
    """What was decided about each workload that was measured side by side; else empty."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the comparison as a whole."""

    def subject(self, after: PlanSubject) -> PlanSubject:
        """Return a workload as it was, with the traffic and the objectives that it has after.

        Raises:
            NoPlan: it was not measured before.
        """
        found = next((one for one in self.run.measurements if one.workload == after.workload), None)
        if found is None:
            raise NoPlan("it was not measured before", remedy="compare with a report that holds it")
        examined = subject(
            found,
            fingerprint=self.run.fingerprint,
            target=self.target,
            target_problem=self.target_problem,
            today=self.today,
            pricer=cost_of,
        )
        return PlanSubject(
            measurement=found,
            throughput=figures(found).get("throughput"),
            priced=examined.cost,
            target=self.target,
            gates=after.gates,
            terms=after.terms,
        )

    def ratio(self, before: PlanSubject, after: PlanSubject) -> Range | None:
        """Return what one replica serves, after over before, as the pairs of both sides say it.

        That of the report's own comparison where there is one, so that both say the same. None
        where both were not measured side by side, or in too few units.
        """
        decided = self.beside.get(after.workload)
        if decided is None:
            return None
        by_metric = {one.metric: one for one in decided if one.ratio and one.lower and one.upper}
        # A search has no mean that could be compared: each side's is at a rate of its own.
        for metric in ("throughput", "max_rate" if after.searched else "mean"):
            if (found := by_metric.get(metric)) is not None:
                items = _items_per_request(after) / _items_per_request(before)
                return _of_throughput(found, items=items)
        return _of_units(before.measurement, after.measurement)

    def differences(self, after: PlanSubject) -> tuple[str, ...]:
        """Say in what a workload was not measured as it was before."""
        (found,) = (one for one in self.run.measurements if one.workload == after.workload)
        then, now = found.declaration, after.measurement.declaration
        told = [
            f"{name} was {was} before and is {is_}: that is in the change too"
            for name, was, is_ in (
                ("scenario", then.scenario, now.scenario),
                ("threads", then.threads, now.threads),
            )
            if was != is_
        ]
        if then.input_digest != now.input_digest:
            told.append("the inputs are not those of before: that is in the change too")
        return tuple(told)

    def without(self, after: Report, *, chosen: Sequence[str] = ()) -> tuple[Unplanned, ...]:
        """Name what was measured before and is not after."""
        known = {one.workload for one in after.run.measurements}
        return tuple(
            Unplanned(
                workload=one.workload,
                reason="it was measured before and not after",
                remedy="see the report of after for why",
            )
            for one in self.run.measurements
            if one.workload not in known and (not chosen or str(one.workload) in chosen)
        )


def base_of(report: Report, *, origin: str) -> Before:
    """Return the base of a report that was measured side by side.

    Raises:
        ConfigError: it was not; `origin` names the report.
    """
    if report.against is None:
        raise ConfigError(
            f"{origin}: it was not measured side by side, so that it holds no base",
            remedy="give the report of before (--compare BEFORE.json), or measure with"
            " --costguard-against=REV",
        )
    return Before(
        run=report.against.run,
        target=report.target,
        target_problem=report.target_problem,
        today=report.run.created.date(),
        beside={one.workload: one.comparisons for one in report.verdicts},
        notes=(_BESIDE,),
    )


def report_before(before: Report, *, after: Report) -> Before:
    """Return an earlier report as what another one is compared with.

    It counts at the price of after, where both are of one target.
    """
    target, notes = _priced_as(before, after)
    named = [
        f"{one.field} ({one.theirs} before, {one.ours} after)"
        for one in differences(after.run.fingerprint, before.run.fingerprint)
        if one.decisive
    ]
    if named:
        notes += (f"the machines differ in {', '.join(named)}: that is in the changes too",)
    return Before(
        run=before.run,
        target=target,
        target_problem=before.target_problem or after.target_problem,
        today=after.run.created.date(),
        notes=(
            _APART,
            *notes,
        ),
    )


def _priced_as(before: Report, after: Report) -> tuple[Target | None, tuple[str, ...]]:
    """Return the target whose price counts for before, and what to say of that."""
    then, now = before.target, after.target
    if then is None or now is None:
        return now, ()
    if not _same_target(before, after):
        told = f"before is on {then.name}, after on {now.name}: each at its own price"
        return then, (told,)
    if then.quote.usd_per_hour == now.quote.usd_per_hour:
        return now, ()
    was = money(then.quote.usd_per_hour, now.currency)
    since = f" as of {day(then.quote.as_of)}" if then.quote.as_of else ""
    told = f"an hour cost {was} before{since}: both count at today's price, so that it is no change"
    return now, (told,)


def _same_target(before: Report, after: Report) -> bool:
    then, now = before.target, after.target
    assert then is not None, "only what is priced is asked about"
    assert now is not None, "only what is priced is asked about"
    if (then.name, then.quote.key, then.gpu) != (now.name, now.quote.key, now.gpu):
        return False
    # What was priced as "this machine" is one target only on one kind of machine.
    return then.origin != "price" or (
        before.run.fingerprint.identity() == after.run.fingerprint.identity()
    )


def _of_throughput(found: Comparison, *, items: float) -> Range:
    """Return the ratio of a comparison as one of the throughput.

    Args:
        found: of throughput or rate, or of the mean, whose inverse the throughput follows.
        items: a request's, after over before.
    """
    ratios = found.ratio, found.lower, found.upper
    values = [one if found.metric != "mean" else items / one for one in ratios if one is not None]
    return Range(estimate=values[0], lower=min(values), upper=max(values))


def _of_units(before: Measurement, after: Measurement) -> Range | None:
    units = changes_of("throughput", base=before, head=after)
    found = change_at(units, count=len(units))
    if found is None:
        return None
    # Logarithms above zero are worse, and so less throughput.
    return Range(
        estimate=ratio(-found.change), lower=ratio(-found.upper), upper=ratio(-found.lower)
    )


def _items_per_request(subject: PlanSubject) -> float:
    units = subject.measurement.units
    return math.fsum(unit.items for unit in units) / sum(unit.requests for unit in units)
