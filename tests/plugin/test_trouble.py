"""Bad input and bad luck: a clear result each, and nothing lost that was measured."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from factories.processes import heed_interrupts, patience

GOOD = """
    def test_good(costguard):
        costguard.measure(abs, inputs=[1])
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such token')", "ValueError: no such token"),
        (r"raise ValueError('\\udc80')", r"it raised ValueError: \udc80"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import os; os._exit(7)", "ended with exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
    ids=["raises", "says what no text holds", "exits", "dies", "killed"],
)
def test_a_workload_that_fails_half_way_fails_its_test_and_no_other(project, body, said):
    project.tests(GOOD, name="test_good.py")
    project.tests(f"""
        CALLS = [0]
        def serve(x):
            CALLS[0] += 1
            if CALLS[0] > 5:
                {body}
        def test_bad(costguard):
            result = costguard.measure(serve, inputs=[1])
    """)
    result = project.measure()
    result.assert_outcomes(passed=1, failed=1)
    assert said in result.stdout.str()
    assert project.measured() == {"test_good.py::test_good"}


def test_a_workload_that_closes_the_standard_streams_is_told_so(project):
    project.tests("""
        import os
        def test_bad(costguard):
            costguard.measure(lambda x: os.closerange(0, 3), inputs=[1])
    """)
    result = project.measure("--costguard-units=1")
    result.assert_outcomes(failed=1)
    output = " ".join(result.stdout.str().split())
    assert "ended with status 3 before this test was over and left no word" in output
    assert "may close the standard output" in output


def test_a_workload_that_lets_nothing_be_imported_is_measured(project):
    project.tests("""
        import sys
        def serve(x):
            sys.path.clear()
            sys.meta_path.clear()
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    project.measure("--costguard-units=1").assert_outcomes(passed=1)


def test_a_workload_that_hangs_is_stopped(project):
    project.tests(GOOD, name="test_good.py")
    project.tests("""
        import time
        def test_bad(costguard):
            costguard.measure(lambda x: time.sleep(600), inputs=[1])
    """)
    seconds = patience(at_least=3)
    result = project.measure(f"--costguard-timeout={seconds}s")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"*no answer for {seconds} s*"])


def test_words_on_every_channel_disturb_nothing(project):
    project.tests("""
        import os, sys
        def serve(x):
            print("out"); print("err", file=sys.stderr)
            os.write(1, b"one"); os.write(2, b"two")
            sys.stdout.flush()
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    project.measure().assert_outcomes(passed=1)


def test_a_workload_that_forks_keeps_the_channel_sound(project):
    project.tests("""
        import multiprocessing, os
        def serve(x):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    project.measure("-W", "ignore::DeprecationWarning").assert_outcomes(passed=1)


def test_a_test_that_measures_nothing_has_no_verdict_and_fails(project):
    project.tests("""
        def test_it(costguard): ...
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*measured nothing*", "✗ failed: 1 workload could not be measured*"]
    )
    assert project.report["outcome"]["failed"]


def test_a_measurement_that_some_units_lose_is_an_error(project):
    project.tests("""
        import pathlib
        def test_it(costguard):
            mark = pathlib.Path("ran")
            costguard.measure(abs, inputs=[1], name="always")
            if not mark.exists():
                mark.touch()
                costguard.measure(repr, inputs=[1], name="once")
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*measured in 1 of 2 units only*"])


def test_a_swallowed_refusal_is_still_an_error(project):
    project.tests("""
        def serve(x):
            raise ValueError("broken")
        def test_it(costguard):
            try:
                costguard.measure(serve, inputs=[1])
            except Exception:
                pass
    """)
    project.measure().assert_outcomes(failed=1)


def test_the_users_addopts_do_not_disturb_the_workers(project):
    project.write(
        "pytest.ini",
        """
        [pytest]
        addopts = -x --cov --strict-markers -p no:cacheprovider
        timeout = 1
        markers = slow
    """,
    )
    project.tests("""
        import pytest, time
        @pytest.mark.timeout(1)
        @pytest.mark.slow
        def test_it(costguard):
            costguard.measure(lambda x: time.sleep(0.4), inputs=[1])
    """)
    project.measure(plugins=("pytest_cov.plugin", "pytest_timeout")).assert_outcomes(passed=1)


def test_xdist_is_refused_with_the_reason(project):
    project.tests(GOOD)
    result = project.measure("-n", "2", plugins=("xdist.plugin",))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*would disturb the measuring*"])


def test_options_of_the_projects_own_conftest_reach_the_workers(project):
    project.write(
        "conftest.py",
        """
        def pytest_addoption(parser):
            parser.addoption("--model-size", type=int, default=1)
    """,
    )
    project.tests("""
        def test_it(costguard, request):
            size = request.config.getoption("--model-size")
            result = costguard.measure(abs, inputs=[1], quality=lambda _: size)
            assert result.quality == 5
    """)
    project.measure("--model-size=5").assert_outcomes(passed=1)


@pytest.mark.parametrize("choice", [("-k", "good"), ("--deselect", "test_it.py::test_other")])
def test_only_what_is_selected_is_measured(project, choice):
    project.tests("""
        def test_good(costguard):
            costguard.measure(abs, inputs=[1])
        def test_other(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    project.measure(*choice)
    assert project.measured() == {"test_it.py::test_good"}


def test_last_failed_is_left_as_the_users_own_run_left_it(project):
    project.tests("""
        def test_good(costguard):
            costguard.measure(abs, inputs=[1])
        def test_bad(costguard):
            costguard.measure(abs, inputs=[1])
            assert False
    """)
    project.measure()
    project.measure("--lf")
    assert project.measured() == {"test_it.py::test_bad"}


def test_maxfail_loses_nothing_already_measured(project):
    project.tests("""
        def test_a(costguard):
            costguard.measure(abs, inputs=[1])
            assert False
        def test_b(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("--maxfail=1")
    assert result.ret == 1
    assert len(project.measured()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_a_valid_partial_report(project):
    project.tests("""
        import pathlib
        def test_a(costguard):
            costguard.measure(abs, inputs=[1])
        def test_b(costguard):
            pathlib.Path("b-is-running").touch()
            costguard.measure(abs, inputs=[1])
    """)
    process = subprocess.Popen(
        [
            *project.command,
            "--costguard",
            "--costguard-report=out",
            "--costguard-unit-time=200ms",
            "--costguard-units=50",
        ],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 60
    while not (project.path / "b-is-running").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output.decode()
    assert project.report["run"]["complete"] is False
    assert "test_it.py::test_a" in project.measured()


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('slo={"p99": "50 bananas"}', ["50 bananas", "p99", "test_it.py"]),
        ('slow={"p99": "50ms"}', ["slow"]),
        ('budget={"cost": "$1"}', ["cost", "cost_per_1k"]),
        ("threads=0", ["threads"]),
    ],
)
def test_a_marker_that_is_not_understood_names_marker_key_and_file(project, marker, said):
    project.tests(f"""
        import pytest
        @pytest.mark.costguard({marker})
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    for word in said:
        assert word in text


def test_a_configuration_that_is_not_understood_stops_the_run(project):
    project.write("costguard.yaml", "unitss: 6\n")
    project.tests(GOOD)
    result = project.measure()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "costguard.yaml" in result.stderr.str()
    assert "units" in result.stderr.str()


def test_a_report_that_cannot_be_written_is_said_and_the_rest_is_shown(project):
    project.tests(GOOD)
    (project.path / "file").write_text("in the way")
    result = project.run("--costguard", "--costguard-report=file/below")
    assert result.ret == 13
    result.stdout.fnmatch_lines(["*No baseline yet*", "*remedy*"])


def test_collection_errors_stop_the_measuring(project):
    project.tests(GOOD)
    project.tests("def (", name="test_broken.py")
    assert project.measure().ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "None", "'good'"])
def test_a_quality_that_is_no_finite_number_fails_its_own_test_alone(project, value):
    project.tests(GOOD, name="test_good.py")
    project.tests(f"""
        def test_bad(costguard):
            costguard.measure(abs, inputs=[1], quality=lambda outputs: {value})
    """)
    result = project.measure()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*quality= returned*"])
    assert project.measured() == {"test_good.py::test_good"}


def test_an_exception_without_words_is_still_named(project):
    project.tests("""
        class Wordless(Exception):
            def __str__(self):
                raise RuntimeError("no words")
        def serve(x):
            raise Wordless
        def test_bad(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    assert "Wordless" in result.stdout.str()


def test_two_measurements_with_one_name_are_an_error_also_through_two_fixtures(project):
    project.tests("""
        def test_it(costguard, benchmark):
            costguard.measure(abs, inputs=[1])
            benchmark(abs, 2)
    """)
    result = project.measure("--costguard-benchmarks", plugins=("pytest_benchmark.plugin",))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*measured this workload twice*"])


def test_an_option_is_there_before_the_projects_conftest_is_configured(project):
    project.write(
        "conftest.py",
        """
        SEEN = []
        def pytest_addoption(parser):
            parser.addoption("--mode", default="fast")
        def pytest_configure(config):
            SEEN.append(config.getoption("--mode"))
        import pytest
        @pytest.fixture
        def mode():
            return SEEN[-1]
    """,
    )
    project.tests("""
        def test_it(costguard, mode):
            result = costguard.measure(abs, inputs=[1], quality=lambda _: float(mode == "slow"))
            assert result.quality == 1
    """)
    project.measure("--mode=slow").assert_outcomes(passed=1)


def test_an_option_that_cannot_be_handed_over_is_refused(project):
    project.write(
        "conftest.py",
        """
        from pathlib import Path
        def pytest_addoption(parser):
            parser.addoption("--model", type=Path)
    """,
    )
    project.tests(GOOD)
    project.measure().assert_outcomes(passed=1)
    result = project.measure("--model=big.onnx")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot hand the option model*"])


def test_a_conftest_may_ask_and_arrange_what_it_likes_where_it_adds_its_options(project):
    project.write(
        "conftest.py",
        """
        import argparse
        class Spec:
            def pytest_model_size(self): ...
        def pytest_addoption(parser, pluginmanager):
            pluginmanager.add_hookspecs(Spec)
            group = parser.getgroup("model")
            group.name.title()
            if not pluginmanager.hasplugin("no-such-plugin"):
                group.addoption("--model-size", type=int, default=1)
    """,
    )
    project.tests("""
        def test_it(costguard, request):
            size = request.config.getoption("--model-size")
            result = costguard.measure(abs, inputs=[1], quality=lambda _: size)
            assert result.quality == 5
    """)
    project.measure("--model-size=5").assert_outcomes(passed=1)


def test_a_conftest_that_cannot_be_asked_twice_for_its_options_is_named(project):
    project.write(
        "conftest.py",
        """
        ASKED = []
        def pytest_addoption(parser):
            if ASKED:
                raise RuntimeError("only once")
            ASKED.append(parser)
    """,
    )
    project.tests(GOOD)
    result = project.measure()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot tell which options*conftest.py*only once*"])


def test_a_plugin_that_runs_failed_tests_again_measures_nothing_twice(project):
    project.write(
        "flaky/flaky_pytest_plugin.py",
        """
        import pytest
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for report in (*runtestprotocol(item, log=False), *runtestprotocol(item, log=False)):
                item.ihook.pytest_runtest_logreport(report=report)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
    """,
    )
    project.write("flaky/__init__.py", "")
    project.tests(GOOD)
    project.measure(plugins=("flaky.flaky_pytest_plugin",))
    assert project.measured() == {"test_it.py::test_good"}
    assert not project.report["run"]["failures"]


def test_a_fixture_that_is_asked_for_at_run_time_is_never_a_silent_pass(project):
    project.tests("""
        def test_it(request):
            request.getfixturevalue("costguard").measure(abs, inputs=[1])
    """)
    result = project.run("--costguard")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*name the costguard fixture*"])


def test_in_suite_isolation_a_test_that_is_not_collected_fails_alone(project):
    project.tests(GOOD, name="test_good.py")
    project.tests("""
        import os
        import pytest
        @pytest.mark.parametrize("pid", [os.getpid()])
        def test_bad(costguard, pid):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("--costguard-isolate=suite")
    result.assert_outcomes(passed=1, failed=1)
    assert project.measured() == {"test_good.py::test_good"}


def test_a_test_that_fails_before_it_measures_fails_the_report_and_is_not_saved(project):
    project.tests(GOOD, name="test_good.py")
    project.tests("""
        def test_bad(costguard):
            assert 1 == 2
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("--costguard-save=main")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*1 workload could not be measured*"])
    result.stdout.fnmatch_lines(["*was not saved as baseline 'main'*"])


def test_a_suite_with_more_names_than_an_environment_variable_holds_is_measured(project):
    count = 1500
    project.tests(f"""
        import pytest
        @pytest.mark.parametrize("name", ["{"n" * 90}" + str(i) for i in range({count})])
        def test_many(name, costguard):
            if not name.endswith("n7"):
                pytest.skip("only one of them")
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("--costguard-units=1", "--costguard-isolate=suite")
    result.assert_outcomes(passed=1, skipped=count - 1)
