"""An autoscaler over a traffic profile: how many replicas there are, when, and who waits.

The Kubernetes HorizontalPodAutoscaler with its defaults, and KEDA on top of it. The metric is the
rate of requests over all replicas with a target for each (`AverageValue`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from pytest_costguard.cost.capacity import ALMOST, FleetLimits, Replica
from pytest_costguard.cost.queueing import MOST_SERVERS, Floats, Objective, late_shares
from pytest_costguard.cost.traffic import DAY_SECONDS, TrafficProfile
from pytest_costguard.records import ScalerName

_UTILISATIONS = 129
"""Places between an idle and a full fleet at which the late share is computed; between them it is
interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """The rules of an autoscaler; the defaults are Kubernetes' own.

    Kubernetes documentation, "Horizontal Pod Autoscaling", and the controller manager's flags;
    KEDA documentation, "ScaledObject specification".
    """

    name: ScalerName = "HPA"
    every_seconds: float = 15.0
    tolerance: float = 0.1
    """Nothing changes while the metric is within this share of its target."""
    most_pods_up: int = 4
    most_share_up: float = 1.0
    """Of the replicas there are; the larger of both holds, each time it looks."""
    stabilisation_seconds: float = 300.0
    """Before it goes down: the most that was wanted in this time is kept."""
    to_zero: bool = False
    """Whether there may be none at all (KEDA)."""
    polling_seconds: float = 30.0
    """How soon the first is started again."""
    cooldown_seconds: float = 300.0
    """Without any request before the last one is stopped."""
    most: int | None = None


SCALERS: Mapping[ScalerName, Scaler] = MappingProxyType(
    {"HPA": Scaler(), "KEDA": Scaler(name="KEDA", to_zero=True, most=100)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What came of it, stretch by stretch; the arrays are of one length."""

    seconds: Floats
    items_per_second: Floats
    ready: Floats
    """Replicas that serve."""
    started: Floats
    """Replicas that are paid for: those that serve, and those that are starting."""
    late: Floats
    """The share of the requests that miss the objective."""
    unserved: float
    """Inferences that more wait at the end than at the beginning."""

    @property
    def replica_seconds(self) -> float:
        """That are paid for."""
        return float(self.seconds @ self.started)

    @property
    def items(self) -> float:
        """Inferences that were asked for."""
        return float(self.seconds @ self.items_per_second)

    @property
    def served_share(self) -> float:
        """Of all inferences that were asked for."""
        return 1.0 - max(0.0, self.unserved) / self.items

    @property
    def late_share(self) -> float:
        """Of all requests."""
        return float((self.seconds * self.items_per_second) @ self.late) / self.items

    def utilisation(self, replica: Replica) -> float:
        """Return which share of what the replicas could serve was asked of them."""
        return self.items / (self.replica_seconds * replica.items_per_second)


def simulate(
    profile: TrafficProfile,
    *,
    replica: Replica,
    scaler: Scaler,
    target_items_per_second: float,
    limits: FleetLimits,
    objective: Objective | None,
) -> Simulated:
    """Run an autoscaler over a profile, after its last day has settled it.

    Requests that find no room wait and are served as soon as there is: while such a backlog
    lasts, all are late. Else the late share is that of Erlang C where a replica serves one request
    at a time, and none.

    Args:
        profile: what is asked for.
        replica: with its start-up time.
        scaler: its rules.
        target_items_per_second: of each replica, that it aims at.
        limits: the fewest and the most replicas.
        objective: what is late; None: only what waits for room.
    """
    fleet = _Fleet(
        scaler=scaler,
        target=target_items_per_second,
        startup_seconds=replica.startup_seconds or 0.0,
        fewest=_fewest(limits, scaler=scaler),
        most=limits.maximum or scaler.most or MOST_SERVERS,
        items_per_second=replica.items_per_second,
    )
    before = profile.items_per_second[-math.ceil(DAY_SECONDS / profile.step_seconds) :]
    fleet.begin(before[0])
    for rate in before:
        fleet.serve(rate, seconds=profile.step_seconds)
    fleet.log.clear()
    waited_before = fleet.backlog
    for rate in profile.items_per_second:
        fleet.serve(rate, seconds=profile.step_seconds)
    seconds, asked, ready, started, waiting = np.array(fleet.log, dtype=np.float64).T
    late = _late(asked, ready, replica=replica, objective=objective)
    return Simulated(
        seconds=seconds,
        items_per_second=asked,
        ready=ready,
        started=started,
        late=np.where(waiting > 0, 1.0, late),
        unserved=fleet.backlog - waited_before,
    )


def _fewest(limits: FleetLimits, *, scaler: Scaler) -> int:
    """Return the fewest replicas; only a scaler that goes to zero lets there be none."""
    least = 0 if scaler.to_zero else 1
    return least if limits.minimum is None else max(least, limits.minimum)


@dataclass(slots=True, kw_only=True)
class _Fleet:
    """The replicas at a moment, and what the scaler remembers."""

    scaler: Scaler
    target: float
    startup_seconds: float
    fewest: int
    most: int
    items_per_second: float
    now: float = 0.0
    ready: int = 0
    starting: deque[float] = field(default_factory=deque)
    """When each that is starting will serve."""
    wanted: deque[tuple[float, int]] = field(default_factory=deque)
    """What was wanted and when; each more than all that came after it."""
    looks_at: float = 0.0
    wakes_at: float | None = None
    """When KEDA will see that there is something to serve; None: there is not, or it has."""
    asked_at: float = 0.0
    """When there was last anything to serve."""
    backlog: float = 0.0
    """Inferences that wait for room."""
    log: list[tuple[float, float, int, int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.ready + len(self.starting)

    def begin(self, rate: float) -> None:
        """Start with as many as the first rate wants, all of them serving."""
        self.ready = self._within(self._for(rate))

    def serve(self, rate: float, *, seconds: float) -> None:
        """Serve a steady rate, and let the scaler look whenever it is time to."""
        end = self.now + seconds
        if rate > 0 and self.size == 0 and self.wakes_at is None:
            self.wakes_at = self.looks_at = self.now + self.scaler.polling_seconds
        while self.now < end:
            if self.looks_at <= self.now:
                if self._look(rate):
                    self._skip(end, rate)
                    return
                self.looks_at = self.now + self.scaler.every_seconds
            self._pass(min(end, self.looks_at), rate)

    def _skip(self, end: float, rate: float) -> None:
        """Let time go by until `end`, in which every look would decide what the last one did."""
        every = self.scaler.every_seconds
        last = self.now + every * max(0, math.ceil((end - self.now) / every) - 1)
        self.looks_at = last + every
        if self.ready:  # nothing is starting, and this is what the look before has wanted
            self.wanted[-1] = (last, self.ready)
        self._pass(end, rate)

    def _look(self, rate: float) -> bool:
        """Let the scaler decide; return whether it would decide the same from now on."""
        size = self.size
        if size == 0:
            self.wakes_at = None
            if rate > 0 or self.backlog > 0:
                self._start(1)
                return False
            return True
        usage = rate / (self.target * size)
        raw = size if abs(usage - 1) <= self.scaler.tolerance else self._for(rate)
        wanted = self._within(raw)
        self._want(wanted, at=self.now)
        if wanted > size:
            room = max(size + self.scaler.most_pods_up, int(size * (1 + self.scaler.most_share_up)))
            self._start(min(wanted, room) - size)
            return False
        if wanted < size:
            self._stop(size - max(wanted, self._most_wanted()))
            return False
        if self.fewest == 0 and rate == 0:
            idle = self.backlog == 0
            if not idle or self.now - self.asked_at < self.scaler.cooldown_seconds:
                return False
            self._stop(size)
        return not self.starting

    def _for(self, rate: float) -> int:
        return math.ceil(rate / self.target - ALMOST)

    def _within(self, replicas: int) -> int:
        # The autoscaler itself keeps at least one: the last is KEDA's to stop.
        return max(self.fewest, 1, min(replicas, self.most))

    def _want(self, replicas: int, *, at: float) -> None:
        while self.wanted and self.wanted[-1][1] <= replicas:
            self.wanted.pop()
        self.wanted.append((at, replicas))

    def _most_wanted(self) -> int:
        while self.wanted[0][0] <= self.now - self.scaler.stabilisation_seconds:
            self.wanted.popleft()
        return self.wanted[0][1]

    def _start(self, replicas: int) -> None:
        if self.startup_seconds <= 0:
            self.ready += replicas
        else:
            self.starting.extend([self.now + self.startup_seconds] * replicas)

    def _stop(self, replicas: int) -> None:
        """Stop those first that do not serve yet, as Kubernetes does."""
        for _ in range(replicas):
            if self.starting:
                self.starting.pop()
            else:
                self.ready -= 1

    def _pass(self, end: float, rate: float) -> None:
        """Let time go by until `end`; what is starting begins to serve when it is ready."""
        while self.now < end:
            while self.starting and self.starting[0] <= self.now:
                self.starting.popleft()
                self.ready += 1
            until = min(end, self.starting[0]) if self.starting else end
            self._account(until - self.now, rate)
            self.now = until

    def _account(self, seconds: float, rate: float) -> None:
        surplus = rate - self.ready * self.items_per_second
        if surplus <= 0 and self.backlog == 0:  # nearly always
            if rate > 0:
                self.asked_at = self.now + seconds
            self.log.append((seconds, rate, self.ready, self.ready + len(self.starting), 0))
            return
        waiting = 0.0
        if surplus > 0:
            waiting = seconds
            self.backlog += surplus * seconds
        elif self.backlog > 0:
            # What waits is served by what is not needed for what comes.
            waiting = seconds if surplus == 0 else min(seconds, self.backlog / -surplus)
            self.backlog = max(0.0, self.backlog + surplus * waiting)
            if waiting < seconds:
                self.backlog = 0.0
        if rate > 0 or waiting > 0:
            self.asked_at = self.now + (seconds if rate > 0 else waiting)
        self._note(waiting, rate, late=1)
        self._note(seconds - waiting, rate, late=0)

    def _note(self, seconds: float, rate: float, *, late: int) -> None:
        if seconds > 0:
            self.log.append((seconds, rate, self.ready, self.size, late))


def _late(rates: Floats, ready: Floats, *, replica: Replica, objective: Objective | None) -> Floats:
    """Return the late share of each stretch in which no backlog waits."""
    late = np.zeros_like(rates)
    if objective is None or replica.service is None:
        return late
    loads = rates / replica.items_per_request * replica.service.mean
    utilisations = np.linspace(0.0, 1.0, _UTILISATIONS)
    for servers in np.unique(ready[ready > 0]):
        curve = late_shares(
            int(servers),
            loads=utilisations * servers,
            service=replica.service,
            within_seconds=objective.seconds,
        )
        here = ready == servers
        late[here] = np.interp(loads[here] / servers, utilisations, curve)
    return late
