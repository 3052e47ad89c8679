"""Every metric and every scenario side by side, on a real repository where head is worse."""

from __future__ import annotations

import pytest
from factories.git_repositories import GitProject, report_of

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard]
isolate = "suite"
[tool.costguard.regression]
mean = "off"
peak_memory = "off"
"""
SERVICE = """
import asyncio

CACHE = []
LOADS_FOR = {loads_for}

def same(n):
    return sum(range({work} * n))

class Model:
    def __init__(self):
        self.table = [sum(range({load}))]
    def __call__(self, n):
        return sum(range({work} * n))

async def answer(n):
    await asyncio.sleep(0)
    return sum(range({work} * n))

def fill():
    CACHE[:] = [b"x" * {room}]
    return CACHE[-1][0]

def score(outputs):
    return {score}
"""
TESTS = """
import asyncio, time
from concurrent.futures import ThreadPoolExecutor
import pytest, service

WIDE = {"allow": "50%", "catch": "150%"}
ALL = {name: WIDE for name in ("mean", "p50", "p90", "p95", "throughput")}

@pytest.mark.costguard(regression=ALL | {"quality": {"allow": "5%", "catch": "20%"}})
def test_latency_cost_and_quality(costguard):
    model = service.Model()
    costguard.measure(model, inputs=[20_000], quality=service.score)

@pytest.mark.costguard(regression={"mean": WIDE, "cold_start": WIDE})
def test_cold_start(costguard):
    def load():
        time.sleep(service.LOADS_FOR)
        return service.Model()
    costguard.measure(load=load, inputs=[20_000])

@pytest.mark.costguard(regression={"mean": WIDE}, threads=2)
def test_two_threads(costguard):
    with ThreadPoolExecutor(2) as pool:
        def serve(n):
            return [one.result() for one in [pool.submit(service.same, n) for _ in range(2)]]
        costguard.measure(serve, inputs=[20_000])

@pytest.mark.costguard(regression={"peak_memory": WIDE})
def test_memory(costguard):
    costguard.measure(lambda n: service.fill() + sum(range(n)), inputs=[30_000])

@pytest.mark.costguard(regression={"mean": WIDE}, threads=1)
def test_concurrent(costguard):
    costguard.measure(service.Model(), inputs=[20_000], scenario="concurrent(2)")

@pytest.mark.costguard(regression={"mean": WIDE})
def test_offline(costguard):
    costguard.measure(service.Model(), inputs=[20_000], scenario="offline")

@pytest.mark.costguard(regression={"mean": WIDE})
def test_multi_stream(costguard):
    costguard.measure(service.Model(), inputs=[10_000], scenario="multi_stream(2)")

@pytest.mark.costguard(regression={"mean": WIDE})
def test_async(costguard):
    async def run():
        await costguard.measure_async(service.answer, inputs=[20_000])
    asyncio.run(run())
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    project = GitProject(tmp_path_factory.mktemp("metrics") / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "service.py": SERVICE.format(room=1000, load=1, work=1, score=0.9, loads_for=0.05),
            "tests/test_it.py": TESTS,
        }
    )
    project.git("checkout", "-q", "-b", "change")
    worse = SERVICE.format(room=100_000_000, load=1, work=5, score=0.5, loads_for=0.2)
    project.commit({"service.py": worse})
    code, output = project.measure("--costguard-price=0.10")
    assert code == 1, output
    return report_of(project.folder)


def comparisons(report, test):
    (found,) = [
        one for one in report["verdicts"] if one["workload"]["nodeid"].endswith(f"::{test}")
    ]
    return {one["metric"]: one for one in found["comparisons"]}


@pytest.mark.parametrize("metric", ["mean", "p50"])
def test_a_latency_that_multiplied_has_regressed(report, metric):
    found = comparisons(report, "test_latency_cost_and_quality")[metric]
    assert found["verdict"] == "regressed", found
    assert found["ratio"] > 1.5


@pytest.mark.parametrize("metric", ["p90", "p95"])
def test_a_tail_that_multiplied_is_never_called_better_or_the_same(report, metric):
    found = comparisons(report, "test_latency_cost_and_quality")[metric]
    assert found["verdict"] in ("regressed", "inconclusive"), found
    assert found["ratio"] > 1.2


def test_a_start_that_takes_longer_has_regressed_in_processes_of_its_own(report):
    found = comparisons(report, "test_cold_start")["cold_start"]
    assert found["verdict"] == "regressed", found
    assert found["ratio"] > 2


def test_two_threads_share_a_set_of_cores_with_the_other_side(report):
    found = comparisons(report, "test_two_threads")["mean"]
    # By wall time: what else runs on the cores is in it.
    assert found["verdict"] in ("regressed", "inconclusive"), found
    assert found["ratio"] > 1.2
    (nodeid,) = [
        name for name in report["against"]["pairings"] if name.endswith("test_two_threads")
    ]
    assert report["against"]["pairings"][nodeid]["clock"] == "wall"


def test_a_throughput_that_collapsed_has_regressed(report):
    found = comparisons(report, "test_latency_cost_and_quality")["throughput"]
    assert found["verdict"] == "regressed", found
    assert found["ratio"] < 0.7


def test_a_quality_that_fell_has_regressed(report):
    found = comparisons(report, "test_latency_cost_and_quality")["quality"]
    assert (found["verdict"], found["base"], found["head"]) == ("regressed", 0.9, 0.5)


def test_memory_that_grew_has_regressed_in_processes_of_its_own(report):
    found = comparisons(report, "test_memory")["peak_memory"]
    assert found["verdict"] == "regressed", found
    assert found["head"] - found["base"] > 50_000_000


@pytest.mark.parametrize(
    "test", ["test_concurrent", "test_offline", "test_multi_stream", "test_async"]
)
def test_every_scenario_finds_work_that_multiplied(report, test):
    found = comparisons(report, test)["mean"]
    assert found["verdict"] == "regressed", found


def test_nothing_failed_to_be_measured(report):
    assert report["run"].get("failures", []) == []
