"""One workload at one goodput: how many replicas it needs, and a month of both ways to run them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pytest_costguard.app.plan_subjects import NoPlan, PlanTerms, TooMany
from pytest_costguard.cost.autoscaling import SCALERS, Scaler, Simulated, simulate
from pytest_costguard.cost.capacity import (
    FleetLimits,
    Need,
    Replica,
    hours_a_month,
    monthly_usd,
    needed,
    static_hours,
    usd_per_1k_effective,
)
from pytest_costguard.cost.queueing import MOST_SERVERS, Objective
from pytest_costguard.cost.traffic import TrafficProfile
from pytest_costguard.records import Bill, Month
from pytest_costguard.reports.numbers import counted

_ALL_SERVED = 0.999
"""Of what was asked for; the rest may be on its way at the end of the profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCase:
    """A replica, and how many of it the peak needs."""

    profile: TrafficProfile
    replica: Replica
    terms: PlanTerms
    objective: Objective | None
    """The one that needs most replicas."""
    need: Need

    @property
    def target_per_second(self) -> float:
        """What each replica is to serve: as much as at the peak with the number it needs."""
        serving = max(self.need.exact - self.terms.limits.spare, 1e-9)
        return min(self.profile.peak / serving, self.replica.items_per_second)

    @property
    def scaler(self) -> Scaler | None:
        """The autoscaler's rules; None where there is none, or no start-up time to run it with."""
        if self.terms.scaler is None or self.replica.startup_seconds is None:
            return None
        return SCALERS[self.terms.scaler]

    def always(self) -> Simulated:
        """Run the peak's replicas all the time."""
        fixed = FleetLimits(minimum=self.need.replicas, maximum=self.need.replicas)
        return simulate(
            self.profile,
            replica=self.replica,
            scaler=SCALERS["HPA"],
            target_items_per_second=self.replica.items_per_second,
            limits=fixed,
            objective=self.objective,
        )

    def autoscaled(self) -> Simulated | None:
        """Run the autoscaler, where there is one."""
        if self.scaler is None:
            return None
        return simulate(
            self.profile,
            replica=self.replica,
            scaler=self.scaler,
            target_items_per_second=self.target_per_second,
            limits=self.terms.limits,
            objective=self.objective,
        )


def case_of(
    profile: TrafficProfile,
    *,
    replica: Replica,
    terms: PlanTerms,
    objectives: Sequence[Objective],
) -> PlanCase:
    """Return what the peak of a profile needs.

    Raises:
        NoPlan: no number of replicas is enough, or more than are counted.
    """
    peak = need_at(profile.peak, replica=replica, limits=terms.limits, objectives=objectives)
    return PlanCase(
        profile=profile, replica=replica, terms=terms, objective=peak.objective, need=peak.need
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakNeed:
    """How many replicas a peak needs, and which objective asks for them."""

    objective: Objective | None
    """The one that needs most replicas; None where there is none."""
    need: Need


def need_at(
    items_per_second: float,
    *,
    replica: Replica,
    limits: FleetLimits,
    objectives: Sequence[Objective],
) -> PeakNeed:
    """Return how many replicas serve a rate under every objective.

    Raises:
        NoPlan: no number of replicas is enough, or more than are counted.
    """
    found: list[PeakNeed] = []
    for objective in objectives or (None,):
        try:
            need = needed(items_per_second, replica=replica, limits=limits, objective=objective)
        except ValueError as error:
            raise TooMany(
                f"the peak needs {error}", remedy=f"plan for {MOST_SERVERS:,} replicas or fewer"
            ) from error
        if need is None:
            raise NoPlan(
                f"no number of replicas answers {told(objective)}: single requests take longer",
                remedy="make the requests quicker, or the objective wider",
            )
        found.append(PeakNeed(objective=objective, need=need))
    return max(found, key=lambda one: one.need.exact)


def static_month(case: PlanCase, *, bounds: Sequence[PlanCase]) -> Month:
    """Return the month of the peak's replicas, that are always there.

    Args:
        case: at the estimated goodput.
        bounds: at the ends of its interval; none where nothing bounds it.
    """
    bills = [static_usd(one.need, replica=one.replica) for one in (case, *bounds)]
    return _month(case, case.always(), bills=bills)


def static_usd(need: Need, *, replica: Replica) -> Decimal:
    """Return what a month costs of the peak's replicas, that are always there."""
    return monthly_usd(static_hours(need.replicas), replica=replica)


def autoscaled_month(
    case: PlanCase, *, bounds: Sequence[PlanCase]
) -> tuple[Month, Simulated] | None:
    """Return the month under the autoscaler; None without one. Arguments as for `static_month`."""
    runs = [one.autoscaled() for one in (case, *bounds)]
    known = [run for run in runs if run is not None]
    if not known:
        return None
    bills = [
        monthly_usd(
            hours_a_month(run.replica_seconds, of_seconds=case.profile.seconds),
            replica=case.replica,
        )
        for run in known
    ]
    return _month(case, known[0], bills=bills), known[0]


def _month(case: PlanCase, run: Simulated, *, bills: Sequence[Decimal]) -> Month:
    waits_are_known = case.need.sizing == "Erlang C"
    served = case.profile.items_a_month * run.served_share
    return Month(
        replicas=run.replica_seconds / case.profile.seconds,
        most=int(run.started.max()),
        bill=bill_of(bills),
        usd_per_1k=usd_per_1k_effective(bills[0], served_a_month=served),
        utilisation=run.utilisation(case.replica),
        served_share=run.served_share,
        late_share=run.late_share if waits_are_known else None,
    )


def bill_of(usd: Sequence[Decimal]) -> Bill:
    """Return a bill with its bounds: the first amount is the estimate, the others its ends."""
    first, *others = usd
    if not others:
        return Bill(usd=first)
    return Bill(usd=first, lower=min(usd), upper=max(usd))


def told(objective: Objective | None) -> str:
    """Say an objective in words, `p95 within 50 ms`; "" for none."""
    if objective is None:
        return ""
    return f"p{objective.quantile * 100:g} within {objective.seconds * 1e3:g} ms"


def _not_kept(case: PlanCase) -> str:
    return f": {told(case.objective)} is not kept" if case.objective is not None else ""


def shortages(case: PlanCase, *, static: Month, autoscaled: Month | None) -> tuple[str, ...]:
    """Say where there are fewer replicas than are needed, and what then is not served."""
    notes = []
    limits = case.terms.limits
    if case.need.short:
        most = limits.maximum or 0
        notes.append(
            f"no more than {counted(most, 'replica')} may run, and the peak needs"
            f" {case.need.exact:.1f}{_not_kept(case)}"
        )
    scaler = case.scaler
    by_itself = None if scaler is None or limits.maximum is not None else scaler.most
    if scaler is not None and by_itself is not None and case.need.exact > by_itself:
        notes.append(
            f"{scaler.name} starts {by_itself} replicas at most by itself, and the peak needs"
            f" {case.need.exact:.1f}: give --max"
        )
    for name, month in (("static", static), ("autoscaled", autoscaled)):
        if month is not None and month.served_share < _ALL_SERVED:
            notes.append(
                f"{name}: {month.served_share:.1%} of the inferences are served and the rest waits"
                " for ever; the cost per 1k is of what is served".replace("%", " %", 1)
            )
    return tuple(notes)
