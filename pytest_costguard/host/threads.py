"""How many threads a workload was given, and how many really worked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pytest_costguard.errors import ConfigError
from pytest_costguard.host.proc import (
    ScheduleTimes,
    parse_core_list,
    parse_fields,
    parse_stat_cpu_seconds,
    read_text,
    schedule_times,
    thread_ids,
)
from pytest_costguard.host.process import OwnProcess, Process

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""Variables that take a number of threads, read by runtimes when they are loaded."""

TOKENIZERS = "TOKENIZERS_PARALLELISM"
"""Takes true or false; the number comes from `RAYON_NUM_THREADS`."""

_CLOCK_SLACK_SECONDS = 0.02
"""A running thread's own counter is behind by up to a few ticks, the process's clock is not."""

_COORDINATING = 0.2
"""Of the time of serving: what threads beyond the declared ones may do and be no workers."""
_AT_ANY_TIME = 0.02
"""Of the wall time: what threads may do that wake up now and then, whether or not one is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTime:
    """One thread: its CPU seconds and the cores it may run on; None for what is not told."""

    tid: int
    name: str
    cpu_seconds: float
    cores: frozenset[int] | None
    wait_seconds: float | None = None
    """Seconds in which it could have run and waited for a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTimes:
    """What each living thread has used, and the process as a whole, the ended ones included."""

    threads: tuple[ThreadTime, ...]
    process_cpu_seconds: float

    @property
    def ended_seconds(self) -> float:
        """CPU seconds of threads that have ended, as when a pool is made for each request.

        0.0 where it is no more than the lag of those that run.
        """
        listed = sum(thread.cpu_seconds for thread in self.threads)
        unaccounted = self.process_cpu_seconds - listed
        return unaccounted if unaccounted > _CLOCK_SLACK_SECONDS else 0.0


class ThreadUse:
    """Reads what each thread of this process uses between two moments.

    Args:
        root: where `proc` is.
        process: who is asked for the CPU time of the process.
    """

    def __init__(self, root: Path = Path("/"), *, process: Process | None = None) -> None:
        self._root = root
        self._process = process or OwnProcess()

    def start(self) -> ThreadTimes | None:
        """Return the times since each thread was started, or None where threads are not listed."""
        tids = thread_ids(self._root)
        if not tids:
            return None
        precise = schedule_times(self._root)
        threads: list[ThreadTime] = []
        for tid in tids:
            folder = self._root / f"proc/self/task/{tid}"
            thread = _thread(folder, tid=tid, precise=precise)
            if thread is not None:
                threads.append(thread)
        if not threads:
            return None
        return ThreadTimes(threads=tuple(threads), process_cpu_seconds=self._process.cpu_seconds())

    def since(self, start: ThreadTimes | None) -> ThreadTimes | None:
        """Return what was used since `start`, thread by thread, or None where it is not told.

        Threads go on while they are listed. The process's time is read after the list at the start
        and before it at the end, so that what they did meanwhile does not pass for threads that
        have ended.
        """
        process_cpu_seconds = self._process.cpu_seconds()
        now = self.start()
        if start is None or now is None:
            return None
        return used_between(start, replace(now, process_cpu_seconds=process_cpu_seconds))


def thread_environment(threads: int) -> dict[str, str]:
    """Return the variables that hold runtimes to a number of threads.

    They must be set before a runtime is imported. onnxruntime heeds none of them: its sessions
    are told through their options.

    Raises:
        ConfigError: for fewer than one thread.
    """
    if threads < 1:
        raise ConfigError(
            f"threads must be at least 1, got {threads}", remedy="declare threads=1 or more"
        )
    variables = dict.fromkeys(THREAD_VARIABLES, str(threads))
    variables[TOKENIZERS] = "false" if threads == 1 else "true"
    return variables


def used_between(before: ThreadTimes, after: ThreadTimes) -> ThreadTimes:
    """Subtract; a thread that is new, or took over the id of an ended one, counts whole."""
    earlier: Mapping[int, ThreadTime] = {thread.tid: thread for thread in before.threads}
    threads = tuple(_used(earlier.get(thread.tid), thread) for thread in after.threads)
    return ThreadTimes(
        threads=threads,
        process_cpu_seconds=max(0.0, after.process_cpu_seconds - before.process_cpu_seconds),
    )


def corrected(use: ThreadTimes, *, cpu_seconds: Mapping[int, float]) -> ThreadTimes:
    """Return the use with other CPU seconds for some threads, by id; the rest stays as it is.

    For threads that did more than what is asked about. What is taken from a thread is taken from
    the process, so that it does not pass for the work of threads that have ended. How long they
    waited for a core meanwhile is not known, and counts as not at all.
    """
    threads = tuple(
        replace(
            thread,
            cpu_seconds=min(thread.cpu_seconds, cpu_seconds[thread.tid]),
            wait_seconds=None if thread.wait_seconds is None else 0.0,
        )
        if thread.tid in cpu_seconds
        else thread
        for thread in use.threads
    )
    taken = sum(t.cpu_seconds for t in use.threads) - sum(t.cpu_seconds for t in threads)
    return ThreadTimes(threads=threads, process_cpu_seconds=use.process_cpu_seconds - taken)


def busy_threads(use: ThreadTimes, wall_seconds: float, share: float = _COORDINATING) -> int:
    """Return the fewest threads that can have done the work, but for a share of the wall time.

    The share is what others may have done together: one that hands requests to a pool and waits
    for it is none of the pool's. Threads that ended meanwhile cannot be told apart: together they
    count as the fewest that can have used so much CPU. Over less than about 0.2 s the counters are
    too coarse to say.
    """
    seconds = [thread.cpu_seconds for thread in use.threads]
    if wall_seconds > 0 and use.ended_seconds > 0:
        whole, rest = divmod(use.ended_seconds, wall_seconds)
        seconds += [*[wall_seconds] * int(whole), rest]
    left, busy = sum(seconds), 0
    for of_thread in sorted(seconds, reverse=True):
        if left <= share * wall_seconds:
            break
        left -= of_thread
        busy += 1
    return busy


def surely_busy_threads(use: ThreadTimes, wall_seconds: float) -> int:
    """Return how many threads were surely ready to work at the same time, on average.

    Threads that take turns, as where one hands each request to another and waits for it, use no
    more together than one does alone. So there are surely n where they ran, or waited for a core
    on which others of them ran, for more than n - 0.8 times the wall time together. What their
    cores did besides may be the work of other processes, for which all of them may have waited;
    and so may threads that hand on Python's lock. Where the kernel does not tell of waiting, they
    count as those that can have done the work.
    """
    busy = busy_threads(use, wall_seconds)
    waits = [thread.wait_seconds for thread in use.threads if thread.wait_seconds is not None]
    if wall_seconds <= 0 or len(waits) < len(use.threads):
        return busy
    # One that spins while nothing is served used more than that time.
    ran = sum(min(wall_seconds, thread.cpu_seconds) for thread in use.threads) + use.ended_seconds
    cores = frozenset(chain.from_iterable(thread.cores or () for thread in use.threads))
    by_others = max(0.0, len(cores) * wall_seconds - ran) if cores else math.inf
    waited = sum(max(0.0, min(wall_seconds, wait) - by_others) for wait in waits)
    return min(busy, max(1, math.ceil((ran + waited) / wall_seconds - _COORDINATING)))


def ready_threads(use: ThreadTimes, wall_seconds: float) -> int:
    """Return how many threads ran, or waited for a core, at the same time, on average.

    Waiting counts in full, whoever had the core, so threads that take turns on a busy machine may
    be among them. Threads that ran less than a fifth as long as the busiest are not: one that
    wakes up now and then waits for a core each time. How long ended ones have waited is not known.
    """
    least = _COORDINATING * max((thread.cpu_seconds for thread in use.threads), default=0.0)
    ready = use.ended_seconds + sum(
        min(wall_seconds, thread.cpu_seconds + (thread.wait_seconds or 0.0))
        for thread in use.threads
        if thread.cpu_seconds >= least
    )
    return max(0, math.ceil(ready / wall_seconds - _COORDINATING))


def coordinating_under_load(use: ThreadTimes, wall_seconds: float) -> float:
    """Return the share of the wall time that others than workers may use while requests arrive.

    Between requests nothing is served: the time of serving is no less than what the busiest thread
    has worked, and may be a small part of the wall time.
    """
    busiest = max((thread.cpu_seconds for thread in use.threads), default=0.0)
    return min(_COORDINATING, _AT_ANY_TIME + _COORDINATING * busiest / wall_seconds)


def check(declared: int, busy: int) -> str:
    """Return "" if no more threads worked than declared, else a sentence with the remedy."""
    if busy <= declared:
        return ""
    return (
        f"declared {declared} thread{'' if declared == 1 else 's'}, at least {busy} worked: "
        f"declare threads={busy}, or hold the runtime to {declared} (for a session that is made "
        "in the test, give its path instead, so that it is made with the declared threads)"
    )


def _growth(before: float, after: float) -> float:
    return after - before if after >= before else after


def _used(before: ThreadTime | None, after: ThreadTime) -> ThreadTime:
    if before is None:
        return after
    wait = after.wait_seconds
    return replace(
        after,
        cpu_seconds=_growth(before.cpu_seconds, after.cpu_seconds),
        wait_seconds=None if wait is None else _growth(before.wait_seconds or 0.0, wait),
    )


def _thread(
    folder: Path, *, tid: int, precise: Mapping[int, ScheduleTimes] | None
) -> ThreadTime | None:
    """Read one thread, or return None where it has ended; ticks do where nothing else is kept."""
    wait_seconds = None
    if precise is None:
        cpu_seconds = parse_stat_cpu_seconds(read_text(folder / "stat"))
    elif tid in precise:
        cpu_seconds = precise[tid].run_ns / 1e9
        wait_seconds = precise[tid].wait_ns / 1e9
    else:
        cpu_seconds = None
    if cpu_seconds is None:
        return None
    status = parse_fields(read_text(folder / "status") or "")
    return ThreadTime(
        tid=tid,
        name=status.get("Name", ""),
        cpu_seconds=cpu_seconds,
        cores=parse_core_list(status.get("Cpus_allowed_list")),
        wait_seconds=wait_seconds,
    )
