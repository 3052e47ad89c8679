"""Which way both sides of a workload are measured beside each other, by what is seen of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pytest_costguard.engine.protocol import Announced, WarmedUp
from pytest_costguard.records import ClockName, Pairing, PairingKind, Sensors, SideName
from pytest_costguard.stats.pairing import OF_CPU_TIME

SLOW_SECONDS = 0.003
"""From here on a request fills a block of its own: alternating, each would be seen once."""
_BLOCKED_SHARE = 0.01
"""CPU time tells what a caller feels where a request waits for less than this share of it."""
COARSE_CPU_TIME_SECONDS = 10e-6
"""A clock of CPU time that moves in longer steps does not tell blocks of 3 ms apart."""
_ONE_THREAD = 1.05
"""CPU time over wall time that one thread cannot exceed, but for the clocks' own error."""
_FAR_APART = 3.0
_SPINNING_SHARE = 0.01
_SPINNING_SERVER_SHARE = 0.5
"""A server has work left when it has answered: writing its log, closing a connection."""
_FEWEST_IDLE_SECONDS = 0.02
_ONE_CALLER = ("single_stream", "multi_stream", "offline")
_OF_REQUESTS_ALONE = frozenset({"p50", "p90", "p95", "p99"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingTerms:
    """What the choice depends on beside what is seen of the workload."""

    asked: PairingKind | None = None
    """What the user wants; None leaves it to the choice."""
    clock: ClockName | None = None
    """Which clock the user wants to compare by; None leaves it to the choice."""
    cores: Collection[int] = ()
    """Those that both sides are held to; none where they cannot be held."""
    metrics: frozenset[str] = frozenset()
    """Which of the workload's metrics are gated."""


def choose(
    terms: PairingTerms,
    *,
    announced: Mapping[SideName, Announced],
    warmed: Mapping[SideName, WarmedUp],
) -> Pairing:
    """Choose a way and a clock, once both sides are warm.

    CPU time stands for what a caller waits where nothing else is waited for: what others do on
    the same core is not in it. Alternating has no conditions. At the same time is better where a
    request is so long that a block holds one alone, and needs CPU time.
    """
    waits = "wall time was asked for" if terms.clock == "wall" else ""
    waits = waits or _more_than_cpu_time(announced) or _blocked(warmed)
    clock: ClockName = "wall" if waits and terms.clock != "cpu" else "cpu"
    basis = waits if clock == "wall" else "its time is CPU time"
    if waits and clock == "cpu":
        basis = f"CPU time was asked for, though {waits}"
    if terms.asked == "alternating":
        return Pairing(kind="alternating", clock=clock, reason=f"as asked for; {basis}")
    obstacle = waits or _never_together(terms, announced, warmed)
    if terms.asked == "together":
        if not obstacle:
            return Pairing(kind="together", clock="cpu", reason="as asked for")
        reason = f"at the same time was asked for, and is not possible: {obstacle}"
        return Pairing(kind="alternating", clock=clock, reason=reason)
    seconds = min(answer.seconds_per_request for answer in warmed.values())
    takes = f"a request takes {seconds * 1e3:.3g} ms"
    if seconds >= SLOW_SECONDS and not obstacle:
        return Pairing(kind="together", clock="cpu", reason=f"{takes} and {basis}")
    if seconds >= SLOW_SECONDS:
        return Pairing(kind="alternating", clock=clock, reason=f"{takes}, but {obstacle}")
    return Pairing(kind="alternating", clock=clock, reason=basis)


def spinning(sensors: Mapping[SideName, Sensors]) -> str:
    """Say which side's threads work while it is idle, so that they disturb the other; or ""."""
    for side, read in sensors.items():
        idle = read.idle_seconds
        if idle is None or idle < _FEWEST_IDLE_SECONDS:
            continue
        for whose, used, most in (
            ("threads were", read.idle_cpu_seconds, _SPINNING_SHARE),
            ("its server was", read.server_idle_cpu_seconds, _SPINNING_SERVER_SHARE),
        ):
            if used is not None and used > most * idle:
                share = f"{used / idle:.0%}".replace("%", " %")
                return f"on {side}, {whose} busy {share} of the time while it was idle"
    return ""


def _more_than_cpu_time(announced: Mapping[SideName, Announced]) -> str:
    """Say why a workload's wall time is by its nature not its CPU time; "" where it may be."""
    for one in announced.values():
        declared = one.declaration
        if declared.scenario.load is not None:
            return "requests arrive in an open loop, so they wait for each other"
        if declared.threads != 1 or declared.scenario.kind not in _ONE_CALLER:
            return "more than one request or thread is under way at a time"
        if one.is_async:
            return "it is a coroutine function"
        if one.in_server:
            return "a server does its work"
        if one.uses_device:
            return "a device does its work"
        if not one.pinned:
            return "its process may not be held to a core"
        if (step := one.cpu_time_step_seconds) > COARSE_CPU_TIME_SECONDS:
            return f"its CPU time is told in steps of {step * 1e3:.3g} ms"
    return ""


def _blocked(warmed: Mapping[SideName, WarmedUp]) -> str:
    """Say what the warm-up shows of other threads, or of waiting for other than a core."""
    for side, answer in warmed.items():
        if answer.sensors.cpu_seconds > _ONE_THREAD * answer.sensors.wall_seconds:
            return f"on {side} more than one thread works"
        blocked = blocked_share(answer.sensors)
        if blocked is None:
            return "this system does not tell CPU time from waiting"
        if blocked > _BLOCKED_SHARE:
            share = f"{blocked:.1%}".replace("%", " %")
            return f"on {side} it waits for something other than a core {share} of the time"
    return ""


def _never_together(
    terms: PairingTerms,
    announced: Mapping[SideName, Announced],
    warmed: Mapping[SideName, WarmedUp],
) -> str:
    """Say why both sides are not served at the same time though their CPU time would tell."""
    if len(terms.cores) != 1:
        return "both sides are not held to one core"
    times = [answer.seconds_per_request for answer in warmed.values()]
    if max(times) > _FAR_APART * min(times):
        return "one side is far slower than the other, which needs no finer way"
    if any(one.declaration.scenario.kind == "offline" for one in announced.values()):
        return "its requests are not told apart"
    apart = terms.metrics & _OF_REQUESTS_ALONE
    if apart and terms.metrics.isdisjoint(OF_CPU_TIME):
        return f"{', '.join(sorted(apart))} need requests that run alone"
    return ""


def blocked_share(sensors: Sensors) -> float | None:
    """Return which share of the wall time was neither CPU time nor waiting for a core.

    Time that the hypervisor took is waiting for a core too, but it is told in steps of 10 ms, which
    is much of a short warm-up. A thread that waits for something else gives its core up, so where
    none did, nothing was waited for. None where the system does not tell.
    """
    if sensors.voluntary_switches == 0:
        return 0.0
    if sensors.run_queue_wait_seconds is None or sensors.wall_seconds <= 0:
        return None
    accounted = sensors.cpu_seconds + sensors.run_queue_wait_seconds + (sensors.steal_seconds or 0)
    return max(0.0, 1 - accounted / sensors.wall_seconds)
