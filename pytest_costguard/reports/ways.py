"""How both sides were measured beside each other, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_costguard.records import Against, Pairing, PairingKind
from pytest_costguard.stats.pairing import OF_CPU_TIME

_WAYS: Mapping[PairingKind, str] = MappingProxyType(
    {
        "alternating": "side by side",
        "together": "side by side at the same time",
        "restart": "in turns",
    }
)


def base_name(against: Against) -> str:
    """Return what base is called in sentences: `base (main, 352fa05c1d2e)`."""
    sha = base_sha(against)
    named = "" if against.requested in (sha, sha[:12]) else f"{against.requested}, "
    return f"base ({named}{sha[:12]})"


def base_sha(against: Against) -> str:
    """Return the commit that base is, or "" where it is none."""
    return against.run.commit.sha if against.run.commit is not None else ""


def way(metric: str, *, extent: str, pairing: Pairing | None) -> str:
    """Return how a metric was compared; percentiles come from requests that ran alone.

    Args:
        metric: by its name.
        extent: in what, `in 6 units`; it follows the way.
        pairing: of the workload; None in records that know none.
    """
    by_cpu = pairing is not None and pairing.clock == "cpu" and metric in OF_CPU_TIME
    kind: PairingKind = "alternating" if pairing is None else pairing.kind
    if kind == "together" and not by_cpu:
        kind = "alternating"
    return f"{_WAYS[kind]} {extent}" + (", by CPU time" if by_cpu else "")
