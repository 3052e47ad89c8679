"""The test author's side: what may be declared, and what comes back."""

from __future__ import annotations

import sys

import pytest

LOOPS = ("pytest_asyncio.plugin", "anyio.pytest_plugin")


def test_without_the_flag_the_workload_runs_once_and_stays_a_correctness_test(project):
    project.tests("""
        calls = []
        def test_it(costguard):
            result = costguard.measure(calls.append, inputs=[1, 2, 3], quality=len)
            assert calls == [1, 2, 3]
            assert result.quality == 3
            assert not result.measured
    """)
    project.run().assert_outcomes(passed=1)


def test_reading_what_was_not_measured_names_the_remedy(project):
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1]).latency.p50
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*p50 was not measured*", "*run pytest with --costguard*"])


def test_without_the_flag_a_marker_that_is_not_understood_is_told_in_two_lines(project):
    project.tests("""
        import pytest

        @pytest.mark.costguard(slo={"p95": "40"})
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*slo.p95 = '40' has no unit", "*remedy: write a number with*"])
    assert "Traceback" not in result.stdout.str()
    assert "markers.py" not in result.stdout.str()


def test_assertions_see_the_merged_figures(project):
    project.tests("""
        def test_it(costguard):
            result = costguard.measure(abs, inputs=[1, -2], batch_size=4, quality=sum)
            assert result.measured
            assert len(result.measurement.units) in (1, 2)
            assert 0 < result.latency.mean < 1
            assert result.latency.p50.lower is None or result.latency.p50.lower < 1
            assert result.throughput > 0
            assert result.memory > 1e6
            assert result.first_call > 0
            assert result.quality == 3
    """)
    project.measure().assert_outcomes(passed=1)
    (measurement,) = project.report["run"]["measurements"]
    assert len(measurement["units"]) == 2
    block = measurement["units"][0]["blocks"][0]
    assert block["items"] == 4 * block["requests"]


def test_several_parametrised_and_in_classes(project):
    project.tests("""
        import pytest
        @pytest.fixture(scope="session")
        def model():
            return abs
        class TestService:
            @pytest.mark.parametrize("size", [1, 8], ids=["one", "a/b::c[d]"])
            def test_it(self, costguard, model, size):
                costguard.measure(model, inputs=[-1], batch_size=size, name="first")
                costguard.measure(repr, inputs=[-1], batch_size=size, name="second")
        def test_plain():
            pass
    """)
    project.measure().assert_outcomes(passed=3)
    base = "test_it.py::TestService::test_it"
    assert project.measured() == {
        f"{base}[one] first",
        f"{base}[one] second",
        f"{base}[a/b::c[d]] first",
        f"{base}[a/b::c[d]] second",
    }
    for measurement in project.report["run"]["measurements"]:
        assert any(unit["memory"] for unit in measurement["units"])


def test_two_workloads_without_a_name_are_refused(project):
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*two workloads of this test have the name*"])


@pytest.mark.parametrize("loop", ["asyncio", "anyio", "trio"])
def test_coroutine_functions_are_measured_on_the_tests_own_loop(project, loop):
    marker = "pytest.mark.asyncio" if loop == "asyncio" else "pytest.mark.anyio"
    backend = "trio" if loop == "trio" else "asyncio"
    project.tests(f"""
        import anyio, pytest
        @pytest.fixture
        def anyio_backend():
            return {backend!r}
        @{marker}
        async def test_it(costguard):
            async def serve(x):
                await anyio.sleep(0)
                return x + 1
            result = await costguard.measure_async(serve, inputs=[1, 2], quality=sum)
            assert result.quality == 5
            await costguard.measure_async(serve, inputs=[1], scenario="concurrent(3)", name="k")
    """)
    project.measure(plugins=LOOPS).assert_outcomes(passed=1)
    assert len(project.measured()) == 2


def test_a_coroutine_function_in_measure_names_measure_async(project):
    project.tests("""
        def test_it(costguard):
            async def serve(x): ...
            costguard.measure(serve, inputs=[1])
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*measure_async*"])


@pytest.mark.parametrize("scenario", ["multi_stream(3)", "concurrent(2)", "offline"])
def test_every_scenario_is_measured(project, scenario):
    project.tests(f"""
        def test_it(costguard):
            assert costguard.measure(abs, inputs=[1, 2], scenario="{scenario}").measured in (
                True, False)
    """)
    project.measure().assert_outcomes(passed=1)
    kind = scenario.split("(")[0]
    (measurement,) = project.report["run"]["measurements"]
    assert measurement["declaration"]["scenario"]["kind"] == kind


def test_a_cold_start_is_timed_where_the_test_says_how_to_load(project):
    project.tests("""
        def test_it(costguard):
            result = costguard.measure(load=lambda: abs, inputs=[1])
            if result.measured:
                assert result.cold_start >= result.first_call
    """)
    project.measure().assert_outcomes(passed=1)


def test_quality_against_a_reference_with_tolerance(project):
    project.tests("""
        def test_it(costguard):
            result = costguard.measure(
                abs, inputs=[-1.0, -2.0], reference=[1.0, 2.1], tolerance=0.01)
            assert result.quality == 0.5
    """)
    project.measure().assert_outcomes(passed=1)


def test_threads_are_set_before_anything_is_imported(project):
    project.tests("""
        import os
        import pytest
        SEEN = os.environ.get("OMP_NUM_THREADS")
        @pytest.mark.costguard(threads=3)
        def test_it(costguard):
            result = costguard.measure(abs, inputs=[1], quality=lambda _: float(SEEN or 0))
            assert not result.measured or result.quality == 3
    """)
    project.measure().assert_outcomes(passed=1)


@pytest.mark.parametrize("flags", [(), ("--costguard",)])
def test_an_argument_that_is_not_understood_is_shown_at_the_tests_own_line(project, flags):
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1], scenario="server", rate=5, arrivals="no.csv")
    """)
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*> *costguard.measure(abs*",
            "*the trace no.csv cannot be read*",
            "test_it.py:*: ConfigError",
        ]
    )
    result.stdout.no_fnmatch_line("*declared_scenarios.py*")
    result.stdout.no_fnmatch_line("*During handling*")


def test_more_threads_than_declared_are_refused(project, monkeypatch):
    # Played: whether real ones surely worked at the same time depends on who else is there.
    monkeypatch.setenv("COSTGUARD_UNIT_TIME", "400ms")
    project.write(
        "conftest.py",
        """
        from pytest_costguard.app.instruments import ThreadUse
        from pytest_costguard.host.threads import ThreadTime, ThreadTimes

        def two_at_work(self, start):
            threads = [
                ThreadTime(tid=-n, name="", cpu_seconds=60.0, cores=None, wait_seconds=0.0)
                for n in (1, 2)
            ]
            return ThreadTimes(threads=tuple(threads), process_cpu_seconds=120.0)

        ThreadUse.since = two_at_work
        """,
    )
    project.tests("""
        import time
        def test_it(costguard):
            costguard.measure(time.sleep, inputs=[0.05])
    """)
    result = project.measure("--costguard-units=1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*declared 1 thread, at least 2 worked*"])


@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")
def test_threads_beyond_the_declared_are_refused_or_told(project, monkeypatch):
    monkeypatch.setenv("COSTGUARD_UNIT_TIME", "400ms")
    project.tests("""
        import hashlib, os
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier
        DATA = b"x" * 16_000_000
        # One core, and so many threads that whoever else is there leaves most of it to them.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        POOL = ThreadPoolExecutor(16)
        TOGETHER = Barrier(16)
        def work(_):
            TOGETHER.wait()
            hashlib.sha256(DATA).digest()
        def serve(_):
            list(POOL.map(work, range(16)))
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    result = project.measure("--costguard-units=1")
    if result.ret:
        result.stdout.fnmatch_lines(["*declared 1 thread, * worked*"])
    else:  # so much of the core went to neighbours that one thread may have followed another
        result.stdout.fnmatch_lines(["*more threads than are declared were ready to run*"])


def test_skips_and_xfails_stay_what_they_are(project):
    project.tests("""
        import pytest
        @pytest.mark.skip(reason="later")
        def test_marked(costguard): ...
        def test_inside(costguard):
            pytest.skip("no device")
        @pytest.mark.xfail(strict=True)
        def test_over(costguard):
            costguard.measure(abs, inputs=[1])
            assert False
        @pytest.mark.xfail(strict=True, reason="known to be wrong")
        @pytest.mark.costguard(budget={"quality": 0.9})
        def test_too_wrong(costguard):
            costguard.measure(abs, inputs=[1], quality=lambda outputs: 0.5)
    """)
    project.measure().assert_outcomes(skipped=2, xfailed=2)


def test_help_markers_and_fixtures_explain_themselves(project):
    assert "--costguard-units" in project.run("--help").stdout.str()
    assert '"p99": "50ms"' in project.run("--markers").stdout.str()
    fixtures = project.run("--fixtures").stdout.str()
    assert "Without `--costguard`" in fixtures
