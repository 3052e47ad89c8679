"""Load on two sides: the same requests at the same moments, in turns, and a search on each."""

from __future__ import annotations

import pytest
from factories.git_repositories import ONE_UNIT, GitProject, report_of

SERVICE = """
import time

def answer(seconds):
    time.sleep({times} * seconds)
"""
TESTS = """
from service import answer

def test_at_a_rate(costguard):
    costguard.measure(answer, inputs=[0.001], scenario="server", rate=400, workers=4)

def test_the_highest_rate(costguard):
    costguard.measure(
        answer, inputs=[0.004], scenario="max_rate", slo={"p50": "20ms"}, workers=2
    )
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    project = GitProject(folder)
    project.commit({"service.py": SERVICE.format(times=1), "test_load.py": TESTS})
    project.commit({"service.py": SERVICE.format(times=3)})
    status, output = project.measure(ONE_UNIT, "--costguard-fail-on=never", revision="HEAD^")
    assert status == 0, output
    return report_of(folder)


def both_sides(report, place):
    return [
        run["measurements"][place]["units"][0] for run in (report["against"]["run"], report["run"])
    ]


def test_both_sides_are_sent_the_same_windows(report):
    base, head = both_sides(report, 0)

    assert base["open_loop"]["window_requests"] == head["open_loop"]["window_requests"]
    assert len(base["open_loop"]["window_requests"]) == 2
    assert base["open_loop"]["rate"] == head["open_loop"]["rate"] == 400.0


def test_the_reason_of_the_pairing_is_that_requests_arrive_by_themselves(report):
    for how in report["against"]["pairings"].values():
        assert (how["kind"], how["clock"]) == ("alternating", "wall")
        assert "open loop" in how["reason"]


def test_each_side_searches_and_the_slower_one_finds_less(report):
    base, head = both_sides(report, 1)

    # Three times as slow is a third of the rate; a busy machine may take a part of either.
    assert head["open_loop"]["rate"] < 0.8 * base["open_loop"]["rate"]
    assert all(side["open_loop"]["probes"] for side in (base, head))


def test_what_is_compared_of_a_search_is_its_rate(report):
    metrics = [one["metric"] for one in report["verdicts"][1]["comparisons"]]

    assert metrics == ["max_rate", "peak_memory"]
