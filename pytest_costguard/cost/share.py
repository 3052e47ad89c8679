"""Which share of an instance one worker takes: a thread of eight cores does not cost all eight."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pytest_costguard.records import Fingerprint, Scenario, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of an instance's price that falls to what was measured, and why, in words."""

    fraction: Decimal
    reason: str


def share_of(
    target: Target,
    *,
    fingerprint: Fingerprint,
    threads: int,
    scenario: Scenario,
    in_server: bool = False,
) -> Share:
    """Return the share of the target that one worker of a workload takes.

    What the target declares comes first: `instance_share`, then `workers_per_instance`. Else as
    many workers run beside each other as the instance has cores for, at least one: concurrent
    callers, and the workers of an open loop, keep that many times the threads busy. A target with
    GPUs, and a server in a process of its own, has the instance to itself.

    Args:
        target: what serves; its row in the price table tells cores and GPUs, else it itself does.
        fingerprint: the machine, for what the target leaves open.
        threads: that the workload declares, at least 1.
        scenario: how requests arrive.
        in_server: whether a process of its own serves, whose threads are not known.
    """
    if target.instance_share is not None:
        return Share(
            fraction=target.instance_share,
            reason=f"instance_share = {target.instance_share} is declared",
        )
    if target.workers_per_instance is not None:
        workers = target.workers_per_instance
        return Share(
            fraction=Decimal(1) / workers, reason=f"workers_per_instance = {workers} is declared"
        )
    if _has_gpu(target, fingerprint):
        return Share(
            fraction=Decimal(1),
            reason="a target with a GPU is taken to serve one worker: nothing else is declared",
        )
    if in_server or (scenario.load is not None and scenario.load.connections):
        return Share(
            fraction=Decimal(1),
            reason="a server is taken to have the machine to itself: nothing else is declared",
        )
    return _by_cores(_cores(target, fingerprint), threads=threads, scenario=scenario)


def _by_cores(cores: int, *, threads: int, scenario: Scenario) -> Share:
    callers = scenario.n if scenario.kind == "concurrent" else 1
    if scenario.load is not None:
        callers = scenario.load.workers
    busy = max(threads, 1) * callers
    workers = max(cores // busy, 1)
    each = f"{threads} thread{'' if threads == 1 else 's'}"
    if callers > 1:
        each = f"{callers} {'callers' if scenario.load is None else 'workers'} x {each}"
    fit = "one worker fits" if workers == 1 else f"{workers} workers fit"
    return Share(
        fraction=Decimal(1) / workers,
        reason=f"{fit}: {cores} core{'' if cores == 1 else 's'} ÷ {each}",
    )


def _has_gpu(target: Target, fingerprint: Fingerprint) -> bool:
    if target.gpu or target.quote.accelerator:
        return True
    # Where nothing is known of the target's hardware, it is that of this machine.
    known = target.quote.vcpu is not None or target.cores is not None
    return not known and bool(fingerprint.gpus)


def _cores(target: Target, fingerprint: Fingerprint) -> int:
    # The price is the instance's, so its cores count, even where a container gets fewer.
    return max(target.quote.vcpu or target.cores or fingerprint.cores, 1)
