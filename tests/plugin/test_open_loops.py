"""Load from the test function to the report: rates that are kept, SLOs, and what goes wrong."""

from __future__ import annotations

import json

import pytest

SERVICE = """
    import time

    def serve(seconds):
        time.sleep(seconds)
        return seconds
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(service=SERVICE)

    def write(body):
        pytester.makepyfile(test_service=f"import pytest\nfrom service import serve\n\n{body}")

    return write


def measured(pytester, *options, units=2):
    result = pytester.runpytest_subprocess(
        "--costguard",
        f"--costguard-units={units}",
        "--costguard-unit-time=0.1s",
        "--costguard-report=report.json",
        *options,
    )
    report = json.loads((pytester.path / "report.json").read_text())
    return result, report


def test_a_service_is_sent_requests_at_its_rate(pytester, suite):
    suite(
        """
def test_service(costguard):
    result = costguard.measure(serve, inputs=[0.001, 0.002], scenario="server(200)", workers=2)
    if result.measured:
        assert result.error_rate == 0
        assert 0.001 <= result.latency.p50
"""
    )

    result, report = measured(pytester)

    result.assert_outcomes(passed=1)
    (one,) = report["run"]["measurements"]
    assert one["declaration"]["scenario"]["load"]["rate"] == 200.0
    for unit in one["units"]:
        assert unit["open_loop"]["window_requests"] == [100]
        assert len(unit["latency_seconds"]) == 100
    assert report["verdicts"][0]["figures"]["error_rate"]["estimate"] == 0.0


def test_without_the_flag_it_runs_once(pytester, suite):
    suite(
        """
def test_service(costguard):
    result = costguard.measure(serve, inputs=[0.001], scenario="server", rate=50)
    assert not result.measured
"""
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_failures_have_a_budget_of_their_own(pytester, suite):
    suite(
        """
def picky(number):
    if number == 3:
        raise ValueError("three is too much")

@pytest.mark.costguard(budget={"error_rate": "1%"})
def test_service(costguard):
    costguard.measure(picky, inputs=[0, 1, 2, 4], scenario="server(500)")

@pytest.mark.costguard(budget={"error_rate": "1%"})
def test_picky_service(costguard, monkeypatch):
    numbers = iter(range(10**9))
    fails = lambda _: picky(3 if next(numbers) % 5 == 4 else 0)
    costguard.measure(fails, inputs=[0], scenario="server(500)")
"""
    )

    result, report = measured(pytester, units=6)

    by_test = {one["workload"]["nodeid"]: one for one in report["verdicts"]}
    sound = by_test["test_service.py::test_service"]["budgets"][0]
    failing = by_test["test_service.py::test_picky_service"]["budgets"][0]
    assert sound["verdict"] in ("within", "inconclusive")
    assert sound["interval"]["estimate"] == 0.0
    assert failing["verdict"] == "over"
    assert failing["interval"]["estimate"] == pytest.approx(0.2, abs=0.05)
    result.assert_outcomes(passed=1, failed=1)


def test_an_slo_that_is_far_away_is_kept_and_one_that_is_too_near_is_not(pytester, suite):
    suite(
        """
@pytest.mark.costguard(slo={"p90": "9s"})
def test_patient(costguard):
    costguard.measure(serve, inputs=[0.002], scenario="server(200)", workers=4)

@pytest.mark.costguard(slo={"p90": "1ms"})
def test_impatient(costguard):
    costguard.measure(serve, inputs=[0.002], scenario="server(200)", workers=4)
"""
    )

    _, report = measured(pytester, units=3)

    verdicts = {
        one["workload"]["nodeid"]: one["budgets"][0]["verdict"] for one in report["verdicts"]
    }
    # A busy machine may make the generator late, which is said; the wrong word never is.
    assert verdicts["test_service.py::test_patient"] in ("within", "inconclusive")
    assert verdicts["test_service.py::test_impatient"] in ("over", "inconclusive")


def test_the_highest_rate_is_searched_for(pytester, suite):
    suite(
        """
def test_service(costguard):
    result = costguard.measure(
        serve, inputs=[0.01], scenario="max_rate", slo={"p90": "40ms"}, workers=2
    )
    if result.measured:
        # Two workers of 10 ms cannot serve more than 200 a second.
        assert 20 < result.max_rate < 230
        assert result.throughput == result.max_rate
"""
    )

    result, report = measured(pytester)

    result.assert_outcomes(passed=1)
    (verdict,) = report["verdicts"]
    assert verdict["cost"]["basis"] == "goodput under the SLO"
    for unit in report["run"]["measurements"][0]["units"]:
        assert any(probe["passed"] for probe in unit["open_loop"]["probes"])


def test_an_slo_that_no_rate_keeps_is_an_error_that_says_so(pytester, suite):
    suite(
        """
def test_service(costguard):
    costguard.measure(serve, inputs=[0.02], scenario="max_rate", slo={"p90": "5ms"})
"""
    )

    result, _ = measured(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no rate was found that keeps the SLO*"])


def test_batches_are_made_of_arrays(pytester, suite):
    suite(
        """
import numpy as np

def model(batch):
    assert batch.shape[1] == 3
    return batch.sum(axis=1)

def test_service(costguard):
    costguard.measure(
        model, inputs=[np.ones((1, 3)), np.ones((2, 3))], scenario="server(500)",
        batch_size=len, max_batch_size=8, max_batch_delay="5ms",
    )
"""
    )

    result, report = measured(pytester)

    result.assert_outcomes(passed=1)
    units = report["run"]["measurements"][0]["units"]
    assert all(unit["open_loop"]["error_rate"] == 0 for unit in units if "error_rate" in unit)
    assert any(int(size) > 1 for unit in units for size in unit["open_loop"]["batch_sizes"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("scenario='server'", "needs the rate at which requests arrive"),
        ("scenario='max_rate'", "needs the SLO that the rate must keep"),
        ("scenario='server(0)'", "not above zero"),
        ("rate=5", "rate= has no meaning in scenario='single_stream'"),
        ("scenario='server(5)', connections=4", "connections= has no meaning without a server"),
    ],
)
def test_what_is_missing_is_said(pytester, suite, call, said):
    suite(
        f"""
def test_service(costguard):
    costguard.measure(serve, inputs=[0.001], {call})
"""
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    assert said in result.stdout.str()


def test_a_coroutine_function_is_refused_with_the_remedy(pytester, suite):
    suite(
        """
async def answer(value):
    return value

@pytest.mark.asyncio
async def test_service(costguard):
    await costguard.measure_async(answer, inputs=[1], scenario="server(5)")
"""
    )

    result, _ = measured(pytester)

    result.assert_outcomes(failed=1)
    assert "open-loop load is served by plain functions" in result.stdout.str()
