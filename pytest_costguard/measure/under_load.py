"""A loaded workload under open-loop load: windows at a rate, and the search for the highest one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.arrivals import Schedule, schedule
from pytest_costguard.measure.attainment import beyond, give_up, sent_late
from pytest_costguard.measure.backlog import backlog_of
from pytest_costguard.measure.open_loop import Sent, open_loop
from pytest_costguard.measure.rate_search import Allowance, allowances, is_short, search
from pytest_costguard.measure.serving_pool import Collate, Limit
from pytest_costguard.measure.stretch import Serve, Server
from pytest_costguard.measure.windows import Window, ramp_of, told
from pytest_costguard.records import Load, OpenLoop, Probe

_SEARCH_TURNS = 1_000_000
"""Windows of a search have turns of their own, so that none repeats the schedule of another."""
_MOST_PROBES = 1000
_TRIES = 3
_TIMES_LONGER = 3
"""By chance a window takes longer than it is planned to; beyond so many times it is not sent."""


class UnderLoad:
    """Sends the inputs at their times and tells what became of them.

    Args:
        server: what serves.
        inputs: the representative requests.
        items: how many inferences each holds.
        load: how requests arrive and are served.
        collate: makes one request of several, where they are served in batches.
        parts: of a mixture, which part each input belongs to.
    """

    def __init__(
        self,
        server: Server,
        *,
        inputs: Sequence[Any],
        items: Sequence[int],
        load: Load,
        collate: Collate | None,
        parts: Sequence[int] = (),
    ) -> None:
        self._server = server
        self._inputs = inputs
        self._items = items
        self._load = load
        self._collate = collate
        self._parts = parts

    def window(
        self, *, rate: float, requests: int, turn: int, longest_seconds: float = math.inf
    ) -> Window:
        """Send `requests` at a rate, after a ramp that is not counted.

        Args:
            rate: requests a second.
            requests: how many are counted.
            turn: which window of the run; both sides send the same schedule in the same turn.
            longest_seconds: what it is planned to take at most.

        Raises:
            WorkloadError: no request was answered, or one hangs; or the arrivals take far longer.
        """
        ramp = ramp_of(requests)
        plan = self._schedule(rate, ramp + requests, turn)
        lasting = plan.offset_ns[-1] / 1e9
        if lasting > _TIMES_LONGER * longest_seconds:
            raise WorkloadError(
                f"{ramp + requests} requests at {rate:.3g} a second take {lasting:,.0f} s, and"
                f" {longest_seconds:.0f} s are meant for them",
                remedy="send them more often, or give a trace without long gaps",
            )
        sent, cpu_seconds = self._send(plan, limit=None)
        return self._told(plan, sent, ramp=ramp, rate=rate, cpu_seconds=cpu_seconds)

    def search(
        self, *, start: float, known: bool, turn: int, max_seconds: float, alone_seconds: float
    ) -> tuple[OpenLoop, Window]:
        """Search for the highest rate that keeps the SLO.

        Args:
            start: requests a second, where to begin.
            known: whether an earlier search has ended there.
            turn: which search of the run.
            max_seconds: no window begins after it.
            alone_seconds: what a request takes that waits for no other, at the median.

        Returns:
            What the load saw, with the rate that was found and every probe, and the window at the
            highest rate that kept the SLO.

        Raises:
            WorkloadError: no rate keeps it, or the search had no time to find one.
        """
        kept: dict[float, Window] = {}
        turns = count(_SEARCH_TURNS + turn * _MOST_PROBES)
        limits = allowances(self._load.slo)
        on_latency = [one.seconds for one in limits if one.series == "latency"]
        if on_latency and alone_seconds > max(on_latency):
            raise _unkept(self._load, f"a request alone takes {alone_seconds * 1e3:.3g} ms")

        def probe(rate: float, requests: int) -> Probe:
            seen, window = self._probe(rate, requests, turn=next(turns), limits=limits)
            if window is not None:
                kept[rate] = window
            return seen

        found = search(probe, slo=self._load.slo, start=start, known=known, max_seconds=max_seconds)
        if not found.rate:
            lowest = min((probe.rate for probe in found.probes), default=start)
            told = f"it is not at {lowest:.3g} requests a second, and {found.reason}"
            raise _unkept(self._load, told)
        best = kept[found.highest_kept]
        seen = msgspec.structs.replace(
            best.open_loop, rate=found.rate, probes=found.probes, search_ended=found.reason
        )
        return seen, best

    def _probe(
        self, rate: float, requests: int, *, turn: int, limits: Sequence[Allowance]
    ) -> tuple[Probe, Window | None]:
        ramp = ramp_of(requests)
        plan = self._schedule(rate, ramp + requests, turn)
        limit = give_up(limits, requests=requests, ramp=ramp)
        now = self._server.clock.wall_ns
        began = now()
        sent, cpu_seconds = self._send(plan, limit=limit)
        lasted = (now() - began) / 1e9
        places = range(ramp, len(sent.due_ns))
        known = [place for place in places if sent.ended_ns[place] or place in sent.failures]
        found = [beyond(sent, known, one) for one in limits]
        passed = (
            not sent.gave_up
            and all(seen.keeps(one) for one, seen in zip(limits, found, strict=True))
            and not self._piles_up(sent, rate=rate, requests=requests)
        )
        probed = Probe(
            rate=rate,
            requests=len(known),
            late=tuple(seen.requests(len(known)) for seen in found),
            passed=passed,
            sent_late=sent_late(sent, known, limits),
            seconds=lasted,
        )
        if not passed:
            return probed, None
        return probed, self._told(plan, sent, ramp=ramp, rate=rate, cpu_seconds=cpu_seconds)

    def _piles_up(self, sent: Sent, *, rate: float, requests: int) -> bool:
        """Whether a queue grew that had no time to reach the limit."""
        short = is_short(self._load.slo, rate=rate, requests=requests)
        return short and backlog_of(sent.due_ns, sent.ended_ns, ramp=ramp_of(requests)).piled_up

    def _schedule(self, rate: float, requests: int, turn: int) -> Schedule:
        return schedule(
            self._load.arrivals,
            rate=rate,
            requests=requests,
            inputs=len(self._inputs),
            window=turn,
            popularity=self._load.popularity,
        )

    def _send(self, plan: Schedule, *, limit: Limit | None) -> tuple[Sent, float]:
        cpu = self._server.clock.cpu_ns
        before = cpu()
        sent = open_loop(
            self._server,
            load=self._load,
            schedule=plan,
            inputs=self._inputs,
            collate=self._collate,
            limit=limit,
        )
        return sent, max(0, cpu() - before) / 1e9

    def _told(
        self, plan: Schedule, sent: Sent, *, ramp: int, rate: float, cpu_seconds: float
    ) -> Window:
        return told(
            sent,
            ramp=ramp,
            rate=rate,
            load=self._load,
            items=[self._items[wanted] for wanted in plan.inputs],
            cpu_seconds=cpu_seconds,
            parts=[self._parts[wanted] for wanted in plan.inputs] if self._parts else (),
        )


def persistent(serve: Serve) -> Serve:
    """Return what asks again where a request fails, a few times; then it raises what was last."""

    def again(request: Any) -> Any:
        for _ in range(_TRIES - 1):
            try:
                return serve(request)
            except Exception:  # noqa: BLE001, S112  # what a request raises is its own
                continue
        return serve(request)

    return again


def _unkept(load: Load, why: str) -> WorkloadError:
    limits = ", ".join(f"{metric} {seconds * 1e3:g} ms" for metric, seconds in load.slo.items())
    return WorkloadError(
        f"no rate was found that keeps the SLO ({limits}): {why}",
        remedy="see what one request alone takes (scenario='single_stream'), then set limits that"
        " leave room for waiting",
    )
