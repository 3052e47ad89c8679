"""The control groups that this process is in: their limits, and how long they held it back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host.proc import parse_count, read_count, read_text

_NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes a number near 2**63 where there is no memory limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlGroups:
    """The folders of this process's control groups, innermost first; empty where there are none.

    A limit binds at every level, so each question goes to all of them: a pod's limit holds for
    the container in it.
    """

    cpu: tuple[Path, ...]
    memory: tuple[Path, ...]

    @classmethod
    def locate(cls, root: Path) -> ControlGroups:
        """Find the groups from `/proc/self/cgroup`, for version 1, version 2 and both at once."""
        paths = parse_memberships(read_text(root / "proc/self/cgroup") or "")
        return cls(
            cpu=_levels(root, paths, controller="cpu"),
            memory=_levels(root, paths, controller="memory"),
        )

    def cpu_limit_cores(self) -> float | None:
        """Return the smallest CPU quota, in cores, or None where nothing limits it."""
        quotas = [quota for level in self.cpu if (quota := _cpu_quota(level)) is not None]
        return min(quotas, default=None)

    def memory_limit_bytes(self) -> int | None:
        """Return the smallest memory limit, in bytes, or None where nothing limits it."""
        limits = [limit for level in self.memory if (limit := _memory_limit(level)) is not None]
        return min(limits, default=None)

    def throttled_seconds(self) -> float | None:
        """Return how long a CPU quota has held back this group and those around it, in all.

        Seconds summed over cores, since the group was made; None where it is not recorded.
        """
        times = [time for level in self.cpu if (time := _throttled(level)) is not None]
        return sum(times) if times else None


def parse_memberships(text: str) -> dict[str, str]:
    """Return the path for each controller in `/proc/self/cgroup`; version 2 is the key ""."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2].startswith("/"):
            for controller in parts[1].split(","):
                paths[controller] = parts[2]
    return paths


def _levels(root: Path, paths: dict[str, str], *, controller: str) -> tuple[Path, ...]:
    """Return the folders from this process's group up to the mount point, as far as they exist."""
    top = root / "sys/fs/cgroup"
    mounts = (top / controller, top / "cpu,cpuacct") if controller in paths else (top,)
    mount = next((folder for folder in mounts if folder.is_dir()), None)
    if mount is None:
        return ()
    parts = [part for part in paths.get(controller, paths.get("", "/")).split("/") if part]
    # Seen from inside a container, the path may be the host's, or lead out of the namespace: what
    # is mounted is then the container's own group.
    if ".." in parts or "\0" in "".join(parts) or not mount.joinpath(*parts).is_dir():
        parts = []
    return tuple(mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _cpu_quota(level: Path) -> float | None:
    """Return one group's quota ÷ period; `max` and -1 mean no limit."""
    both = (read_text(level / "cpu.max") or "").split()
    if len(both) == 2:
        quota, period = parse_count(both[0]), parse_count(both[1])
    else:
        quota = read_count(level / "cpu.cfs_quota_us")
        period = read_count(level / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _memory_limit(level: Path) -> int | None:
    """Return one group's memory limit in bytes."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = read_count(level / name)
        if limit is not None and 0 < limit < _NO_LIMIT_BYTES:
            return limit
    return None


def _throttled(level: Path) -> float | None:
    """Return one group's throttled seconds: microseconds in version 2, nanoseconds in 1."""
    fields = dict(
        line.split(" ", 1)
        for line in (read_text(level / "cpu.stat") or "").splitlines()
        if " " in line
    )
    for key, per_second in (("throttled_usec", 1e6), ("throttled_time", 1e9)):
        count = parse_count(fields.get(key))
        if count is not None:
            return count / per_second
    return None
