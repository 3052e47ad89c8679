"""Budgets on a month and on replicas: from the marker's traffic to the failing test."""

from __future__ import annotations

import json

from click.testing import CliRunner

from pytest_costguard.cli.main import main

SLEEPY = """
    import time
    import pytest
    def serve(x):
        time.sleep(0.005)
        return x
    @pytest.mark.costguard({marker})
    def test_it(costguard):
        costguard.measure(serve, inputs=[1, 2])
"""
PRICED = ("--costguard-price=0.10", "--costguard-units=4")


def test_a_month_that_is_over_budget_fails_its_own_test(project):
    project.tests(SLEEPY.format(marker='budget={"monthly_cost": "$1"}, traffic="1k/s"'))
    result = project.measure(*PRICED, "--junitxml=junit.xml")

    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*USD monthly cost is over its budget of $1*",
            "*reason:*replicas for 1,000 inferences a second*",
            "FAILED test_it.py::test_it - Failed: *monthly cost*",
        ]
    )
    assert "monthly cost" in (project.path / "out" / "report.md").read_text()
    junit = (project.path / "junit.xml").read_text()
    assert 'name="costguard.monthly_cost.budget" value="over"' in junit


def test_replicas_and_a_month_within_budget_pass_and_are_shown(project):
    project.write(
        "costguard.yaml",
        """
        budget:
          monthly_cost: $100000
        rules:
          - workload: "test_it.py::*"
            traffic: traffic.csv
        """,
    )
    project.write("traffic.csv", "time,rate\n0,10\n3600,300\n7200,20\n")
    project.tests(SLEEPY.format(marker=""))
    result = project.measure(*PRICED, "--costguard-budget=replicas=900")

    result.assert_outcomes(passed=1)
    (verdict,) = project.report["verdicts"]
    found = {one["budget"]["metric"]: one["verdict"] for one in verdict["budgets"]}
    assert found == {"monthly_cost": "within", "replicas": "within"}
    (held,) = project.report["gates"].values()
    assert held["traffic"]["steps"]["items_per_second"] == [10.0, 300.0, 20.0]


def test_a_budget_without_a_traffic_fails_nothing_and_says_what_to_declare(project):
    project.tests(SLEEPY.format(marker='budget={"replicas": 1}'))
    result = project.measure(*PRICED)

    result.assert_outcomes(passed=1)
    (budget,) = project.report["verdicts"][0]["budgets"]
    assert budget["verdict"] == "not measured"
    assert "declare traffic=" in budget["reason"]


def test_a_traffic_file_that_is_gone_stops_the_measuring_and_not_the_test(project):
    project.tests(SLEEPY.format(marker='budget={"replicas": 1}, traffic="gone.csv"'))
    project.run().assert_outcomes(passed=1)
    result = project.measure(*PRICED)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*traffic: gone.csv: could not be read*"])


def test_a_report_is_judged_again_when_its_traffic_file_is_gone(project):
    project.tests(SLEEPY.format(marker='budget={"replicas": 1}, traffic="day.json"'))
    values = [[0, "500"], [60, "900"], [120, "700"]]
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
    path = project.write("day.json", json.dumps({"status": "success", "data": data}))
    project.measure(*PRICED).assert_outcomes(failed=1)
    path.unlink()

    done = CliRunner().invoke(main, ["report", str(project.path / "out" / "report.json")])
    assert "replicas" in done.stdout
    assert done.stderr == ""
