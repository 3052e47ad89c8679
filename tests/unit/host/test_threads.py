from __future__ import annotations

import sys
import threading

import pytest

from pytest_costguard.errors import ConfigError
from pytest_costguard.host.threads import (
    THREAD_VARIABLES,
    ThreadTime,
    ThreadTimes,
    ThreadUse,
    busy_threads,
    check,
    coordinating_under_load,
    corrected,
    ready_threads,
    surely_busy_threads,
    thread_environment,
)


def used(
    *seconds: float,
    process: float | None = None,
    wait: float | None = None,
    cores: int | None = None,
) -> ThreadTimes:
    may_run_on = None if cores is None else frozenset(range(cores))
    threads = tuple(
        ThreadTime(tid=number, name="python", cpu_seconds=one, cores=may_run_on, wait_seconds=wait)
        for number, one in enumerate(seconds)
    )
    total = sum(seconds) if process is None else process
    return ThreadTimes(threads=threads, process_cpu_seconds=total)


def task(tid: int, *, run_ns: int, wait_ns: int = 0, cores: str = "0") -> dict[str, str]:
    return {
        f"proc/self/task/{tid}/schedstat": f"{run_ns} {wait_ns} 5\n",
        f"proc/self/task/{tid}/status": f"Name:\tworker\nCpus_allowed_list:\t{cores}\n",
    }


def test_one_thread_is_declared_to_every_runtime():
    environment = thread_environment(1)
    assert {environment[name] for name in THREAD_VARIABLES} == {"1"}
    assert environment["TOKENIZERS_PARALLELISM"] == "false"


def test_several_threads_allow_the_tokenizers_theirs():
    environment = thread_environment(4)
    assert environment["RAYON_NUM_THREADS"] == "4"
    assert environment["TOKENIZERS_PARALLELISM"] == "true"


def test_no_threads_at_all_are_refused_with_the_remedy():
    with pytest.raises(ConfigError, match="remedy: declare threads=1"):
        thread_environment(0)


def test_each_thread_has_what_it_used_in_between(tree, process):
    use = ThreadUse(tree({**task(5, run_ns=10**9), **task(6, run_ns=10**9)}), process=process)
    start = use.start()
    tree({**task(5, run_ns=3 * 10**9, wait_ns=10**9), **task(6, run_ns=10**9, cores="0-1")})
    process.cpu = 2.0
    times = use.since(start)
    assert times == ThreadTimes(
        threads=(
            ThreadTime(
                tid=5, name="worker", cpu_seconds=2.0, cores=frozenset({0}), wait_seconds=1.0
            ),
            ThreadTime(
                tid=6, name="worker", cpu_seconds=0.0, cores=frozenset({0, 1}), wait_seconds=0.0
            ),
        ),
        process_cpu_seconds=2.0,
    )


def test_ticks_stand_in_where_schedule_statistics_are_not_kept(tree, process):
    root = tree(
        {
            "proc/self/task/5/schedstat": "0 0 0\n",
            "proc/self/task/5/stat": "5 (python) R 1 5 5 0 -1 4194304 5 0 0 0 100 50 0 0\n",
        }
    )
    times = ThreadUse(root, process=process).start()
    assert times is not None
    assert [thread.cpu_seconds for thread in times.threads] == [1.5]


class Working:
    """A process whose one thread has worked a second more at each look but the first."""

    def __init__(self, tree):
        self._tree, self._seconds = tree, 0
        self.root = tree(task(5, run_ns=0))

    def cpu_seconds(self):
        seconds, self._seconds = self._seconds, self._seconds + 1
        self._tree(task(5, run_ns=seconds * 10**9))
        return float(seconds)


def test_what_a_thread_does_while_threads_are_listed_passes_for_none_that_has_ended(tree):
    process = Working(tree)
    use = ThreadUse(process.root, process=process)
    times = use.since(use.start())
    assert times is not None
    assert times.ended_seconds == 0


def test_a_machine_that_does_not_list_threads_gives_no_answer(tree, process):
    use = ThreadUse(tree({}), process=process)
    assert use.since(use.start()) is None


def test_what_a_few_threads_do_beside_the_busy_ones_makes_them_none():
    assert busy_threads(used(0.95, 0.5, 0.05), 1.0) == 2
    assert busy_threads(used(0.95, 0.5, 0.3), 1.0) == 3


def test_a_thread_that_hands_work_to_a_pool_is_none_of_it():
    # Two that share Python's lock, and the one that waits for both.
    assert busy_threads(used(0.44, 0.44, 0.12), 1.0) == 2


def test_many_threads_that_share_a_core_are_many():
    assert busy_threads(used(*[1 / 16] * 16), 1.0) == 13


def test_threads_that_ended_count_as_the_fewest_that_can_have_done_it():
    assert busy_threads(used(0.05, process=2.0), 1.0) == 2


def test_a_thread_made_for_each_request_that_does_all_the_work_is_one():
    assert busy_threads(used(0.01, process=1.02), 1.0) == 1


def test_the_lag_of_a_running_threads_counter_is_not_a_thread():
    assert busy_threads(used(0.030, process=0.044), 0.05) == 1


def test_threads_that_take_turns_are_surely_no_more_than_one():
    taking_turns = used(0.38, 0.63, wait=0.005)
    assert busy_threads(taking_turns, 1.0) == 2
    assert surely_busy_threads(taking_turns, 1.0) == 1


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (used(0.9, 0.9, wait=0.0), 2),
        (used(0.9, 0.5, wait=0.0), 2),
        (used(0.5, 0.5, wait=0.5, cores=1), 2),  # one core for both
        (used(0.25, 0.25, wait=0.75, cores=1), 1),  # and for another process
        (used(*[1 / 16] * 16, wait=15 / 16, cores=1), 13),
        # Turns of five threads: who has had one waits for a core, and another process has one.
        (used(0.212, 0.223, 0.201, 0.18, 0.158, wait=0.41, cores=2), 1),
        (used(0.3, process=2.0, wait=0.0), 2),  # of threads that have ended
        (used(5.0, 0.1, wait=0.0), 1),  # it spins while nothing is served as well
        (used(0.0, wait=0.0), 0),
        (used(0.95, 0.241, process=1.21, wait=0.0), 1),  # the rest is the lag of their counters
    ],
)
def test_threads_that_are_ready_to_run_at_the_same_time_are_surely_busy(use, expected):
    assert surely_busy_threads(use, 1.0) == expected


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (used(*[1 / 96] * 16, wait=0.95, cores=1), 16),  # others leave them a sixth of a core
        (used(*[1 / 96] * 16), 0),
        (used(0.38, 0.63, wait=0.005), 1),  # turns, and each has a core when it wants one
        (used(0.38, 0.63, wait=0.2), 2),
        (used(0.9, 0.01, wait=0.4), 1),  # one that wakes up now and then
        (used(0.1, wait=0.9), 1),
        (used(0.1, wait=0.9, process=1.2), 2),  # beside it some that have ended
        (used(0.0, wait=0.0), 0),
    ],
)
def test_threads_that_wait_for_a_core_are_ready_to_work(use, expected):
    assert ready_threads(use, 1.0) == expected


def test_where_no_wait_is_told_threads_count_by_what_they_did():
    assert surely_busy_threads(used(0.38, 0.63), 1.0) == 2


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.5] * 4, 4),  # four threads serve, a twentieth of the time
        ([1.0] * 2, 2),
        ([0.5, 0.1, 0.05], 1),  # one serves, and others wake up now and then
        ([0.02, 0.15], 1),
        ([9.0, 1.9], 1),  # one that hands over, at full load
        ([9.0, 2.1], 2),
        ([0.0], 1),
    ],
)
def test_under_load_threads_are_held_against_the_time_of_serving(seconds, expected):
    use = used(*seconds)
    found = busy_threads(use, 10.0, coordinating_under_load(use, 10.0))
    assert max(1, found) == expected


def test_as_many_as_declared_or_fewer_is_no_complaint():
    assert [check(2, busy) for busy in (0, 1, 2)] == ["", "", ""]


def test_more_than_declared_is_said_with_the_remedy():
    assert check(1, 2).startswith("declared 1 thread, at least 2 worked: declare threads=2")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists threads")
def test_a_thread_of_this_process_is_found_by_its_work():
    use, go, done = ThreadUse(), threading.Event(), threading.Event()

    def work() -> None:
        sum(range(300_000))
        done.set()
        go.wait()

    start = use.start()
    worker = threading.Thread(target=work)
    worker.start()
    done.wait()
    times = use.since(start)
    go.set()
    worker.join()
    assert times is not None
    [mine] = [thread for thread in times.threads if thread.tid == worker.native_id]
    assert mine.cpu_seconds > 0
    assert mine.cores


def test_what_a_thread_did_beside_the_workload_is_no_busy_thread():
    use = used(0.2, 1.0, process=1.2, wait=1.0)

    workloads_own = corrected(use, cpu_seconds={0: 0.01})

    assert [thread.wait_seconds for thread in workloads_own.threads] == [0.0, 1.0]
    assert busy_threads(workloads_own, 1.0) == 1


def test_what_is_taken_from_a_thread_does_not_pass_for_one_that_has_ended():
    workloads_own = corrected(used(0.9, 1.0, process=1.9), cpu_seconds={0: 0.0})

    assert workloads_own.ended_seconds == pytest.approx(0.0)
