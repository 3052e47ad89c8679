"""How the processor is set up: SMT, governor, turbo, clock source, virtual or not, pressure.

Only read, never changed. What the machine does not tell is `None`, or empty, and never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host.proc import parse_core_list, read_text

_CPU = "sys/devices/system/cpu"
_CORE = re.compile(r"cpu[0-9]+")
_PRESSURE = re.compile(r"some avg10=([0-9]{1,3}\.[0-9]{2}) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What this machine says about its processor's settings."""

    smt: bool | None
    """Whether two hardware threads share a core."""
    governors: tuple[str, ...]
    """Each scaling governor in use, once; empty where none is told."""
    turbo: bool | None
    """Whether the clock may rise above the nominal one while few cores are busy."""
    virtual: bool | None
    """Whether a hypervisor is beneath; None where the processor's flags are not told."""
    clock_source: str
    """What the kernel tells the time by; "" where not told."""

    @classmethod
    def read(cls, root: Path = Path("/")) -> Tuning:
        """Read it all below `root`, where `proc` and `sys` are."""
        return cls(
            smt=_smt(root),
            governors=_governors(root),
            turbo=_turbo(root),
            virtual=_virtual(root),
            clock_source=_word(
                root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
            ),
        )


def cpu_pressure(root: Path = Path("/")) -> float | None:
    """Return the share of the last 10 s in which some process waited for a core (PSI), or None."""
    found = _PRESSURE.match(read_text(root / "proc/pressure/cpu") or "")
    return float(found[1]) / 100 if found else None


def _word(path: Path) -> str:
    """Return the one line that a file consists of, or "" for anything else."""
    text = (read_text(path) or "").strip()
    return text if text.isprintable() and len(text) <= 64 else ""


def _flag(path: Path) -> bool | None:
    return {"1": True, "0": False}.get(_word(path))


def _core_folders(root: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in (root / _CPU).iterdir())
    except OSError:
        return []
    return [root / _CPU / name for name in names if _CORE.fullmatch(name)]


def _smt(root: Path) -> bool | None:
    """By the kernel's own word, else by the siblings that each core lists."""
    active = _flag(root / _CPU / "smt/active")
    if active is not None:
        return active
    siblings = [
        cores
        for folder in _core_folders(root)
        if (cores := parse_core_list(read_text(folder / "topology/thread_siblings_list")))
    ]
    return any(len(cores) > 1 for cores in siblings) if siblings else None


def _governors(root: Path) -> tuple[str, ...]:
    told = (_word(folder / "cpufreq/scaling_governor") for folder in _core_folders(root))
    return tuple(sorted({word for word in told if word}))


def _turbo(root: Path) -> bool | None:
    """By intel_pstate's `no_turbo`, else by cpufreq's `boost`."""
    switched_off = _flag(root / _CPU / "intel_pstate/no_turbo")
    return _flag(root / _CPU / "cpufreq/boost") if switched_off is None else not switched_off


def _virtual(root: Path) -> bool | None:
    """x86 says so by a processor flag; other architectures have none to read."""
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, flags = line.partition(":")
        if colon and key.strip() == "flags":
            return "hypervisor" in flags.split()
    return None
