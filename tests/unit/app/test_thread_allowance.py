"""How many threads a workload may use: the declared ones, for each caller in a thread."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pytest_costguard.app import instruments as instruments_module
from pytest_costguard.app.instruments import MachineInstruments
from pytest_costguard.errors import WorkloadError
from pytest_costguard.host.threads import ThreadTime, ThreadTimes
from pytest_costguard.records import Load, Scenario
from pytest_costguard.records.notes import MORE_THREADS_READY, MORE_THREADS_SERVED

DATA = b"x" * 2_000_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")


def instruments(*, scenario=None, is_async=False, server=None):
    return MachineInstruments(
        threads=1,
        scenario=scenario or Scenario(),
        is_async=is_async,
        device_peak_bytes=lambda: None,
        reset_device_peak=lambda: None,
        server=server,
    )


class Server:
    """Keeps so many cores busy for as long as it is asked; watches itself."""

    idle_cpu_seconds = 0.0

    def __init__(self, cores):
        self._cores = cores
        self.serving_cpu_seconds = 0.0

    def watch(self):
        return self

    def begin(self):
        self.serving_cpu_seconds = 0.0

    @contextmanager
    def serving(self):
        start = time.perf_counter()
        yield
        self.serving_cpu_seconds += self._cores * (time.perf_counter() - start)

    def cpu_seconds(self):
        return self.serving_cpu_seconds

    def look(self):
        pass

    def require_alive(self):
        pass

    def memory(self):
        return None

    def notes(self):
        return ()


def work(cpu_seconds):
    """Work until this thread has used so much CPU, however busy the machine is."""
    start = time.thread_time()
    while time.thread_time() - start < cpu_seconds:
        hashlib.sha256(DATA).digest()


def test_our_own_work_on_the_main_thread_is_not_the_workloads():
    measured = instruments()
    with ThreadPoolExecutor(1) as pool:
        measured.begin()
        for _ in range(4):
            with measured.serving():
                pool.submit(work, 0.1).result()
            work(0.1)

        measured.end()


class Working:
    """Threads that each work for a share of the time between two looks, and wait for another."""

    def __init__(self, *shares, waiting):
        self._shares = shares
        self._waiting = waiting

    def __call__(self):
        return self

    def start(self):
        return time.perf_counter()

    def since(self, start):
        passed = time.perf_counter() - start
        seconds = [share * passed for share in self._shares]
        wait = self._waiting * passed
        threads = tuple(
            ThreadTime(tid=-number, name="", cpu_seconds=one, cores=None, wait_seconds=wait)
            for number, one in enumerate(seconds, start=1)
        )
        return ThreadTimes(threads=threads, process_cpu_seconds=sum(seconds))


@pytest.fixture
def observed(monkeypatch):
    """Measure for a while in which threads work for such shares of it; return the notes."""

    def measure(*shares, waiting=0.0, **declared):
        monkeypatch.setattr(instruments_module, "ThreadUse", Working(*shares, waiting=waiting))
        measured = instruments(**declared)
        measured.begin()
        with measured.serving():
            time.sleep(0.3)
        return measured.end()[-1]

    return measure


def test_a_thread_that_hands_each_request_to_another_is_told_and_refused_by_none(observed):
    notes = observed(0.35, 0.35)

    assert notes == (MORE_THREADS_SERVED,)


def test_threads_that_others_kept_from_their_core_are_told_and_not_refused(observed):
    assert observed(*[1 / 96] * 16, waiting=0.95) == (MORE_THREADS_READY,)


def test_a_thread_that_waits_each_time_it_begins_a_block_of_coroutines_is_none_more(observed):
    assert observed(0.6, 0.15, waiting=0.4, is_async=True) == ()


def test_coroutines_that_serve_at_once_may_use_no_more_than_declared(observed):
    with pytest.raises(WorkloadError, match=r"declared 1 thread, at least \d worked"):
        observed(0.9, 0.9, scenario=Scenario(kind="concurrent", n=4), is_async=True)


def test_the_thread_that_sends_load_leaves_the_workload_no_thread_more(observed):
    load = Scenario(kind="server", load=Load(rate=100.0))

    with pytest.raises(WorkloadError, match=r"declared 1 thread, at least \d worked"):
        observed(0.9, 0.9, scenario=load)


def test_threads_that_serve_a_small_part_of_the_time_are_told():
    measured = instruments(scenario=Scenario(kind="server", load=Load(rate=1.0)))
    with ThreadPoolExecutor(2) as pool:
        measured.begin()
        with measured.serving():
            others = [pool.submit(work, 0.3) for _ in range(2)]
            for other in others:
                other.result()
            time.sleep(2.5)

        # One that hands short requests to a pool looks the same, so this refuses nothing.
        *_, notes = measured.end()
        assert any("more threads than are declared may have served" in note for note in notes)


def test_the_thread_that_sends_load_is_none_of_those_that_work():
    load = Scenario(kind="server", load=Load(rate=100.0))
    measured = instruments(scenario=load)
    with ThreadPoolExecutor(1) as pool:
        measured.begin()
        with measured.serving():
            other = pool.submit(work, 0.3)
            work(0.3)
            other.result()

        measured.end()


def test_callers_in_threads_may_use_the_declared_threads_each():
    measured = instruments(scenario=Scenario(kind="concurrent", n=2))
    callers = [threading.Thread(target=work, args=(0.3,)) for _ in range(2)]
    measured.begin()
    with measured.serving():
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    measured.end()


@pytest.mark.parametrize(("cores", "told"), [(0.9, False), (1.0, False), (2.0, True)])
def test_a_server_that_keeps_more_cores_busy_than_are_declared_is_told(cores, told):
    measured = instruments(server=Server(cores))
    measured.begin()
    with measured.serving():
        time.sleep(0.3)

    *_, notes = measured.end()
    assert any("kept more cores busy than threads are declared" in note for note in notes) == told
