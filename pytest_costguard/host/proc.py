"""What `/proc` says, read without ever raising: a file that cannot be read or parsed is `None`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = 100
"""Unit of the times in `/proc/stat` and `/proc/*/stat` (USER_HZ), 100 wherever Python is built."""

_MOST_CORES = 65_536
"""Above any machine; keeps a garbled list such as `0-999999999` from filling the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTimes:
    """One thread's `schedstat`: nanoseconds on a core, nanoseconds waiting for one, time slices."""

    run_ns: int
    wait_ns: int
    slices: int


def read_text(path: Path) -> str | None:
    """Return what is in a file, or None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def parse_count(text: str | None) -> int | None:
    """Return a decimal number of at least zero, or None for anything else."""
    stripped = text.strip() if text is not None else ""
    # 19 digits hold every 64-bit counter; more is garbage that would overflow later on.
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) <= 19):
        return None
    return int(stripped)


def read_count(path: Path) -> int | None:
    """Return the number that a file consists of, or None."""
    return parse_count(read_text(path))


def parse_fields(text: str) -> dict[str, str]:
    """Return `key: value` lines as a dict; of a key that comes twice, the first."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def parse_kib(text: str | None) -> int | None:
    """Return the bytes of a value such as `1752 kB` (1,024 bytes, whatever the unit says)."""
    number, _, unit = (text or "").partition(" ")
    count = parse_count(number)
    return count * 1024 if count is not None and unit.strip() == "kB" else None


def parse_core_list(text: str | None) -> frozenset[int] | None:
    """Return the cores in the kernel's list format (`0-3,8`), or None if it is something else."""
    cores: set[int] = set()
    for part in (text or "").strip().split(","):
        first_text, _, last_text = part.partition("-")
        first, last = parse_count(first_text), parse_count(last_text or first_text)
        if first is None or last is None or not first <= last < _MOST_CORES:
            return None
        cores.update(range(first, last + 1))
    return frozenset(cores)


def parse_schedstat(text: str | None) -> ScheduleTimes | None:
    """Return the three numbers of a `schedstat` file, or None."""
    numbers = [parse_count(part) for part in (text or "").split()]
    if len(numbers) != 3:
        return None
    run, wait, slices = numbers
    if run is None or wait is None or slices is None:
        return None
    return ScheduleTimes(run_ns=run, wait_ns=wait, slices=slices)


def parse_stat_cpu_seconds(text: str | None) -> float | None:
    """Return user plus system seconds from a `/proc/*/stat` line, in steps of 10 ms, or None.

    The name in the second field may hold spaces and brackets, so counting starts after the last
    closing one: utime and stime are fields 14 and 15 of proc(5).
    """
    _, bracket, rest = (text or "").rpartition(")")
    parts = rest.split()
    if not bracket or len(parts) < 13:
        return None
    user, system = parse_count(parts[11]), parse_count(parts[12])
    if user is None or system is None:
        return None
    return (user + system) / TICKS_PER_SECOND


def thread_ids(root: Path) -> tuple[int, ...]:
    """Return the ids of this process's threads; empty where `/proc` does not tell."""
    try:
        names = [entry.name for entry in (root / "proc/self/task").iterdir()]
    except OSError:
        return ()
    return tuple(sorted(int(name) for name in names if parse_count(name) is not None))


def schedule_times(root: Path) -> dict[int, ScheduleTimes] | None:
    """Return the schedule times of each thread of this process, or None where they are not kept.

    `/proc/self/schedstat` is the main thread's alone, hence the walk. A kernel without schedule
    statistics writes `0 0 0` for every thread, though the reading thread has certainly run.
    """
    times = {
        tid: parsed
        for tid in thread_ids(root)
        if (parsed := parse_schedstat(read_text(root / f"proc/self/task/{tid}/schedstat")))
    }
    return times if any(thread.slices for thread in times.values()) else None
