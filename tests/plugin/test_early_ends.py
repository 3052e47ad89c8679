"""Tests that end before all is measured: skipped, expected to fail, or by a figure not final."""

from __future__ import annotations

import pytest

from pytest_costguard.app.reporting import remake
from pytest_costguard.baselines.reading import read_record
from pytest_costguard.records import Report


@pytest.mark.parametrize(
    "call",
    [
        "costguard.measure(load=ends, inputs=[1])",
        "costguard.measure(abs, inputs=ends)",
        "costguard.measure(lambda x: ends(), inputs=[1])",
    ],
    ids=["load", "inputs", "workload"],
)
def test_a_skip_inside_a_measurement_skips_the_test_with_the_same_reason(project, call):
    project.tests(f"""
        import pytest
        def ends():
            pytest.skip("no accelerator here")
        def test_it(costguard):
            {call}
        def test_good(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*no accelerator here*"])


def test_a_missing_package_and_an_expected_failure_inside_are_what_they_are(project):
    project.tests("""
        import pytest
        def test_import(costguard):
            costguard.measure(load=lambda: pytest.importorskip("no_such_package"), inputs=[1])
        def test_expected(costguard):
            costguard.measure(lambda x: pytest.xfail("known to be broken"), inputs=[1])
    """)
    result = project.measure("-rsx")
    result.assert_outcomes(skipped=1, xfailed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines_random(["*no_such_package*", "XFAIL*known to be broken*"])


def test_a_skip_that_comes_in_some_units_only_is_an_error_with_its_reason(project):
    project.tests("""
        import pathlib
        import pytest
        def serve(x):
            if pathlib.Path("measured").exists():
                pytest.skip("flaky device")
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
            pathlib.Path("measured").touch()
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*measured in 1 of 2 units only*flaky device*"])


def test_reading_what_is_not_final_in_a_worker_loses_no_later_measurement(project):
    project.tests("""
        import time
        import pytest
        @pytest.mark.costguard(slo={"p90": "10s"})
        def test_it(costguard):
            first = costguard.measure(time.sleep, inputs=[0.001], name="first")
            assert first.latency.p90 < 10
            second = costguard.measure(time.sleep, inputs=[0.001], name="second")
            assert second.memory > 0 and second.first_call > 0
            third = costguard.measure(time.sleep, inputs=[0.001], name="third")
    """)
    project.measure().assert_outcomes(passed=1)
    assert len(project.measured()) == 3


def test_in_suite_isolation_memory_is_of_a_process_that_knows_no_other_test(project):
    project.tests(
        """
        BALLAST = bytearray(200_000_000)
        BALLAST[:] = b"x" * len(BALLAST)
        def test_heavy(costguard):
            costguard.measure(abs, inputs=[1])
    """,
        name="test_a.py",
    )
    project.tests(
        """
        def test_light(costguard):
            costguard.measure(abs, inputs=[1])
    """,
        name="test_b.py",
    )
    project.measure("--costguard-isolate=suite").assert_outcomes(passed=2)
    peaks = {
        measurement["workload"]["nodeid"]: [
            unit["memory"]["peak_bytes"] for unit in measurement["units"] if unit["memory"]
        ]
        for measurement in project.report["run"]["measurements"]
    }
    assert min(peaks["test_a.py::test_heavy"]) > 200_000_000
    assert 0 < max(peaks["test_b.py::test_light"]) < 200_000_000


def test_a_measurement_that_the_test_cancels_fails_with_the_remedy(project):
    project.tests("""
        import asyncio
        def test_it(costguard):
            async def serve(x):
                await asyncio.sleep(0.01)
            async def limited():
                await asyncio.wait_for(costguard.measure_async(serve, inputs=[1]), 0.05)
            asyncio.run(limited())
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*CancelledError*", "*lift the test's own time limit*"])


def test_what_is_expected_to_fail_is_shown_and_does_not_fail_the_run(project):
    project.tests("""
        import pytest
        def broken(x):
            raise ValueError("broken")
        @pytest.mark.xfail(reason="not ported yet")
        def test_raises(costguard):
            costguard.measure(broken, inputs=[1])
        @pytest.mark.xfail(strict=True, reason="known to be wrong")
        @pytest.mark.costguard(budget={"quality": 0.9})
        def test_wrong(costguard):
            costguard.measure(abs, inputs=[1], quality=lambda outputs: 0.5)
    """)
    result = project.measure()
    result.assert_outcomes(xfailed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*passed: *2 tests failed as expected*",
            "*test_raises: measurement failed*",
            "*expected to fail: not ported yet*",
            "*test_wrong: quality over budget*",
        ]
    )
    report = project.report
    assert report["outcome"]["failed"] is False
    assert report["expected_failures"]["test_it.py::test_wrong"] == "known to be wrong"
    stored = read_record(project.path / "out" / "report.json", Report)
    assert remake(stored).outcome == stored.outcome


def test_one_unexpected_failure_beside_expected_ones_fails_the_run(project):
    project.tests("""
        import pytest
        @pytest.mark.costguard(budget={"quality": 0.9})
        @pytest.mark.parametrize("case", [pytest.param(1, marks=pytest.mark.xfail), 2])
        def test_wrong(costguard, case):
            costguard.measure(abs, inputs=[1], quality=lambda outputs: 0.5)
    """)
    result = project.measure()
    result.assert_outcomes(xfailed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.report["outcome"]["counts"]["budget over"] == 1
    assert project.report["outcome"]["counts"]["expected failure"] == 1
