"""Several workloads on one machine, from the test function to the report and the plan."""

from __future__ import annotations

import json

import pytest

TESTS = """
    import time

    import pytest

    def rerank(seconds):
        time.sleep(seconds)
        return seconds

    def embed(text):
        time.sleep(0.002)
        return text.upper()

    def exact(outputs):
        return float(outputs == ["A", "B"])

    {marker}
    def test_two(costguard):
        results = costguard.measure_together(
            {{
                "reranker": costguard.part(rerank, inputs=[0.001, 0.002], share=3),
                "embedder": costguard.part(
                    load=lambda: embed, inputs=["a", "b"], share=1, quality=exact
                ),
            }},
            {load}
        )
        assert results["embedder"].quality == 1.0
        together = results["together"]
        if together.measured:
            assert together.part("reranker").error_rate == 0
"""
SERVER = 'scenario="server", rate=400, workers=2,'
SEARCH = 'scenario="max_rate", slo={"p90": "20ms"}, workers=2,'


@pytest.fixture
def suite(project):
    def write(load=SERVER, marker=""):
        project.tests(TESTS.format(load=load, marker=marker))

    return write


def verdicts(project):
    return {one["workload"]["name"]: one for one in project.report["verdicts"]}


def test_without_the_flag_each_part_is_a_correctness_test(project, suite):
    suite()

    project.run().assert_outcomes(passed=1)


def test_parts_are_measured_alone_and_together_and_the_report_says_what_that_shows(project, suite):
    suite()

    result = project.measure("--costguard-unit-time=0.1s")

    result.assert_outcomes(passed=1)
    nodeid = "test_it.py::test_two"
    assert project.measured() == {
        f"{nodeid} reranker alone",
        f"{nodeid} embedder alone",
        f"{nodeid} together",
    }
    (mixture,) = [
        one
        for one in project.report["run"]["measurements"]
        if one["workload"]["name"] == "together"
    ]
    assert mixture["declaration"]["adapter"] == "mixture"
    for unit in mixture["units"]:
        parts = unit["open_loop"]["parts"]
        assert len(parts) == sum(unit["open_loop"]["window_requests"])
        assert parts.count(0) == pytest.approx(3 * parts.count(1), abs=4)
    assert verdicts(project)["embedder alone"]["figures"]["quality"]["estimate"] == 1.0

    found = verdicts(project)["together"]["together"]
    assert [part["name"] for part in found["parts"]] == ["reranker", "embedder"]
    # A busy machine makes the generator late, which is then said; nothing else may be missing.
    assert all(part.get("longer") or part.get("reason") for part in found["parts"])
    assert found["peaks"]["peak_memory"]["together_bytes"] > 0
    assert "peak memory is" in result.stdout.str()
    assert "Measured together" in (project.path / "out" / "report.md").read_text()


def test_a_budget_on_the_mixture_is_one_like_any_other(project, suite):
    suite(marker='@pytest.mark.costguard(budget={"error_rate": "0%", "peak_memory": "1MiB"})')

    result = project.measure("--costguard-units=3")  # two hardly bound memory from below

    result.assert_outcomes(failed=1)
    budgets = {one["budget"]["metric"]: one for one in verdicts(project)["together"]["budgets"]}
    assert budgets["peak_memory"]["verdict"] == "over"


def test_a_part_that_fails_sometimes_is_told_and_the_others_go_on(project):
    project.tests(
        """
        import threading

        def picky(value):
            # The warm-up is let through: it serves in a thread of its own.
            if value == "bad" and threading.current_thread().name.startswith("costguard-pool"):
                raise ValueError("not that one")

        def test_two(costguard):
            results = costguard.measure_together(
                {
                    "picky": costguard.part(picky, inputs=["good", "bad"]),
                    "sound": costguard.part(len, inputs=["abc"]),
                },
                scenario="server", rate=300,
            )
            together = results["together"]
            if together.measured:
                assert together.part("sound").error_rate == 0
                assert 0.4 < together.part("picky").error_rate < 0.6
        """
    )

    project.measure("--costguard-unit-time=0.1s").assert_outcomes(passed=1)


def test_a_part_that_raises_at_once_is_named(project):
    project.tests(
        """
        def broken(value):
            raise ValueError("no weights")

        def test_two(costguard):
            costguard.measure_together(
                {
                    "broken": costguard.part(broken, inputs=[1]),
                    "sound": costguard.part(len, inputs=["abc"]),
                },
                scenario="server", rate=300,
            )
        """
    )

    result = project.measure()

    result.assert_outcomes(failed=1)
    (failure,) = project.report["run"]["failures"]
    assert failure["workload"]["name"] == "broken alone"
    assert "no weights" in failure["reason"]


def test_capacity_and_both_bills_follow_from_highest_rates(project, suite):
    suite(load=SEARCH)

    # A search takes seconds, so one unit has to do.
    result = project.measure("--costguard-price=1.00", "--costguard-units=1")

    result.assert_outcomes(passed=1)
    capacity = verdicts(project)["together"]["together"]["capacity"]
    assert capacity["rate"] > 0
    assert capacity["expected_rate"] > 0
    planned = plan(project)
    (mixture,) = planned["mixtures"]
    assert float(mixture["static"]["shared"]["usd"]) > 0
    assert len(mixture["parts"]) == 2


def plan(project):
    from click.testing import CliRunner

    from pytest_costguard.cli.main import main

    report = str(project.path / "out" / "report.json")
    done = CliRunner().invoke(main, ["plan", report, "--traffic", "3M/day", "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)
