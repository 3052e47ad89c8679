"""Several workloads on shared replicas, or each on its own: the traffic and the bills of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from pytest_costguard.cost.traffic import TrafficProfile
from pytest_costguard.records import (
    Bill,
    Gates,
    Measurement,
    Month,
    PlannedMixture,
    PlannedWorkload,
    SharedOrSeparate,
    WorkloadId,
)
from pytest_costguard.reports.numbers import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfTraffic:
    """Which share of a mixture's inferences one of its parts serves, where it serves them alone."""

    mixture: WorkloadId
    share: float

    def of(self, profile: TrafficProfile, text: str) -> tuple[TrafficProfile, str]:
        """Return its part of the mixture's traffic, and what that is called."""
        rates = tuple(rate * self.share for rate in profile.items_per_second)
        part = TrafficProfile(step_seconds=profile.step_seconds, items_per_second=rates)
        return part, self._told(text)

    def of_gates(self, gates: Gates) -> Gates:
        """Return what the part is held to, at its own part of the traffic."""
        traffic = gates.traffic
        if traffic is None:
            return gates
        steps = traffic.steps
        if steps is not None:
            rates = tuple(rate * self.share for rate in steps.items_per_second)
            steps = msgspec.structs.replace(steps, items_per_second=rates)
        peak = traffic.peak_per_second
        if peak is not None:
            peak = peak * self.share if steps is None else max(steps.items_per_second)
        own = msgspec.structs.replace(
            traffic,
            items_per_month=traffic.items_per_month * self.share,
            text=self._told(traffic.text),
            peak_per_second=peak,
            steps=steps,
        )
        return msgspec.structs.replace(gates, traffic=own)

    def _told(self, text: str) -> str:
        return f"{percent(round(self.share, 4))} of {text}"


def parts_of_traffic(measurements: Sequence[Measurement]) -> dict[WorkloadId, PartOfTraffic]:
    """Return how the traffic of each mixture falls to its parts, by who they are alone.

    Shares are of requests, and a traffic counts inferences: a part whose requests hold more of them
    has more of the traffic.
    """
    known = {one.workload: one for one in measurements}
    found: dict[WorkloadId, PartOfTraffic] = {}
    for mixture in measurements:
        load = mixture.declaration.scenario.load
        shares = {} if load is None else load.shares
        items = {
            who: share * _items_per_request(known[who])
            for name, share in shares.items()
            if (who := mixture.workload.alone(name)) in known
        }
        if len(items) == len(shares):
            found |= {
                who: PartOfTraffic(mixture=mixture.workload, share=part / sum(items.values()))
                for who, part in items.items()
            }
    return found


def with_mixtures(
    planned: Sequence[PlannedWorkload], parts: Mapping[WorkloadId, PartOfTraffic]
) -> tuple[tuple[PlannedWorkload, ...], tuple[PlannedMixture, ...]]:
    """Hold the shared bill of each mixture against the separate ones of its parts.

    Returns:
        The workloads, parts of a mixture named as such, and each mixture of which all is planned.
    """
    known = {one.workload: one for one in planned}
    mixtures = []
    for who, together in known.items():
        members = [one for one, part in parts.items() if part.mixture == who]
        if members and all(one in known for one in members):
            mixtures.append(_mixture(together, [known[one] for one in members]))
    whole = {part: one.workload for one in mixtures for part in one.parts}
    named = (
        msgspec.structs.replace(one, part_of=whole[one.workload]) if one.workload in whole else one
        for one in planned
    )
    return tuple(named), tuple(mixtures)


def _mixture(together: PlannedWorkload, parts: Sequence[PlannedWorkload]) -> PlannedMixture:
    scaled = [one.autoscaled for one in parts if one.autoscaled is not None]
    return PlannedMixture(
        workload=together.workload,
        parts=tuple(one.workload for one in parts),
        static=_bills(together.static, [one.static for one in parts]),
        autoscaled=_bills(together.autoscaled, scaled)
        if together.autoscaled is not None and len(scaled) == len(parts)
        else None,
    )


def _bills(shared: Month, separate: Sequence[Month]) -> SharedOrSeparate:
    bills = [month.bill for month in separate]
    lower = [bill.lower for bill in bills if bill.lower is not None]
    upper = [bill.upper for bill in bills if bill.upper is not None]
    bounded = len(lower) == len(upper) == len(bills)
    return SharedOrSeparate(
        shared=shared.bill,
        separate=Bill(
            usd=sum((bill.usd for bill in bills), Decimal(0)),
            lower=sum(lower, Decimal(0)) if bounded else None,
            upper=sum(upper, Decimal(0)) if bounded else None,
        ),
        shared_replicas=shared.replicas,
        separate_replicas=sum(month.replicas for month in separate),
    )


def _items_per_request(measurement: Measurement) -> float:
    requests = sum(unit.requests for unit in measurement.units)
    return sum(unit.items for unit in measurement.units) / requests
