"""How both sides are measured beside each other on a real repository: chosen, asked, forced."""

from __future__ import annotations

import pytest
from factories.git_repositories import GitProject, plugin_environ, report_of

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard]
isolate = "suite"
[tool.costguard.regression]
mean = { allow = "50%", catch = "150%" }
peak_memory = "off"
"""
SERVICE = """
import os, threading, time

def slow(n):
    return sum(range({factor} * n))

class Pool:
    '''Work in a thread that spins for more, without the interpreter's lock, as native pools do.'''
    def __init__(self):
        import ctypes
        self.stop = False
        self.native = ctypes.CDLL(None)
        self.thread = threading.Thread(target=self.spin, daemon=True)
        self.thread.start()
    def spin(self):
        import hashlib
        work = bytes(1 << 22)
        while not self.stop:
            hashlib.sha256(work).digest()  # some milliseconds without the lock
    def __call__(self, n):
        return sum(range(n))

class OutOfMemoryError(RuntimeError):
    pass

class Device:
    '''A device with room for one process at a time.'''
    def __init__(self, place):
        try:
            self.held = os.open(place, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            raise OutOfMemoryError("tried to allocate 20 GiB") from None
        self.place = place
    def __call__(self, n):
        return sum(range(n))
    def free(self):
        os.close(self.held)
        os.unlink(self.place)
"""
TESTS = """
import os, tempfile
import pytest, service

def test_slow(costguard):
    costguard.measure(service.slow, inputs=[200_000, 250_000])

@pytest.mark.costguard(threads=2)
def test_pool(costguard):
    pool = service.Pool()
    try:
        costguard.measure(pool, inputs=[20_000])
    finally:
        pool.stop = True
        pool.thread.join()

def test_device(costguard):
    # One a process, freed when the test is over.
    place = os.path.join(os.environ["DEVICE"], "in-use")
    made = []
    def load():
        made.append(service.Device(place))
        return made[0]
    try:
        costguard.measure(Lazy(load), inputs=[20_000])
    finally:
        for device in made:
            device.free()

@pytest.mark.costguard(regression={"peak_memory": {"allow": "20%", "catch": "60%"}})
def test_two(costguard):
    for name in ("first", "second"):
        costguard.measure(service.slow, inputs=[20_000], name=name)

class Lazy:
    '''Loads at the first request, as many do.'''
    def __init__(self, load):
        self.load, self.model = load, None
    def __call__(self, n):
        self.model = self.model or self.load()
        return self.model(n)
"""


def measure(project, *words, **environ):
    code, output = project.measure(*words, environ=plugin_environ(**environ))
    return code, output, report_of(project.folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = GitProject(tmp_path_factory.mktemp("pairing") / "project")
    made.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "service.py": SERVICE.format(factor=1),
            "tests/test_it.py": TESTS,
        }
    )
    made.git("checkout", "-q", "-b", "change")
    made.commit({"service.py": SERVICE.format(factor=5)})
    return made


@pytest.fixture(scope="module")
def measured(project, tmp_path_factory):
    device = str(tmp_path_factory.mktemp("device"))
    # A pool that spins is hardly ever decided: six units are enough to see that it is in turns.
    return measure(project, "--costguard-time=10s", "-k", "slow or pool or device", DEVICE=device)


def pairing(report, test):
    return report["against"]["pairings"][f"tests/test_it.py::{test}"]


def comparison(report, test, *, name="", metric="mean"):
    (found,) = [
        one
        for one in report["verdicts"]
        if one["workload"]["nodeid"].endswith(test) and one["workload"].get("name", "") == name
    ]
    (wanted,) = [one for one in found["comparisons"] if one["metric"] == metric]
    return wanted


def test_slow_requests_are_compared_by_cpu_time_at_the_same_time_where_they_can_be_pinned(measured):
    _, output, report = measured
    found = comparison(report, "test_slow")
    assert found["verdict"] == "regressed", output
    assert 2 < found["ratio"] < 50
    how = pairing(report, "test_slow")
    if how["kind"] == "together":
        assert "by CPU time" in found["reason"]
        unit = report["run"]["measurements"][0]["units"][0]
        assert all(block["requests"] == 1 for block in unit["together"])
        assert unit["together_sensors"]["wall_seconds"] > 0
    else:  # a machine that does not let processes be pinned, or a request that was interrupted
        assert how["reason"], output


def test_threads_that_spin_send_their_test_into_turns(measured):
    _, output, report = measured
    how = pairing(report, "test_pool")
    assert how["kind"] == "restart", output
    assert "while it was idle" in how["reason"]
    assert comparison(report, "test_pool")["units"] >= 6, output
    assert "in turns" in comparison(report, "test_pool")["reason"]


def test_a_device_that_does_not_hold_both_sides_serves_them_in_turns(measured):
    _, output, report = measured
    how = pairing(report, "test_device")
    assert how["kind"] == "restart", output
    assert "does not hold both sides" in how["reason"]
    assert comparison(report, "test_device")["verdict"] in ("unchanged", "inconclusive"), output


def test_no_workload_is_lost_and_none_fails_for_it(measured):
    code, output, report = measured
    assert code == 1, output  # test_slow has regressed
    assert report["run"].get("failures", []) == []
    assert len(report["verdicts"]) == 3


@pytest.mark.parametrize(
    ("asked", "reason"), [("restart", "in turns"), ("alternating", "side by side in")]
)
def test_the_way_that_is_asked_for_is_taken(project, asked, reason):
    _, output, report = measure(project, f"--costguard-pairing={asked}", "-k", "slow")
    assert pairing(report, "test_slow")["kind"] == asked
    assert pairing(report, "test_slow")["reason"].startswith("as asked for")
    assert comparison(report, "test_slow")["verdict"] == "regressed", output
    assert reason in comparison(report, "test_slow")["reason"]


def test_what_shares_its_process_gets_some_of_its_own_in_turns_too(project):
    _, output, report = measure(
        project, "--costguard-pairing=restart", "--costguard-clock=cpu", "-k", "two"
    )
    for name in ("first", "second"):
        found = comparison(report, "test_two", name=name, metric="peak_memory")
        assert found["verdict"] == "unchanged", output
        assert found["units"] >= 6, output
    how = report["against"]["pairings"]["tests/test_it.py::test_two [second]"]
    assert (how["kind"], how["clock"]) == ("restart", "cpu")


def test_an_unknown_way_is_refused(project):
    code, output = project.measure("--costguard-pairing=sideways")
    assert code == 4
    assert "--costguard-pairing" in output
