"""How workers, and the session that started them, come to their end: in order wherever possible."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TWO_IN_ONE = """
    import pathlib, time
    import pytest
    @pytest.fixture
    def server():
        yield
        time.sleep(1)
        with open("torn-down", "a") as file:
            file.write("x")
    def test_it(costguard, server):
        costguard.measure(abs, inputs=[1], name="first")
        costguard.measure(repr, inputs=[1], name="second")
"""


def test_a_slow_teardown_runs_to_its_end_also_where_a_workload_is_served_alone(project):
    project.tests(TWO_IN_ONE)
    project.measure().assert_outcomes(passed=1)
    two_units_two_alone_and_the_final_pass = 5
    marks = (project.path / "torn-down").read_text()
    assert len(marks) == two_units_two_alone_and_the_final_pass


def test_what_a_conftest_does_after_the_last_test_runs_to_its_end(project):
    project.write(
        "conftest.py",
        """
        import time
        def pytest_sessionfinish():
            time.sleep(1)
            with open("finished", "a") as file:
                file.write("x")
    """,
    )
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    project.measure().assert_outcomes(passed=1)
    assert (project.path / "finished").read_text() == "xxx"


def test_a_summary_of_others_is_made_where_somebody_sees_it_and_where_a_test_failed(project):
    project.write(
        "conftest.py",
        """
        def pytest_terminal_summary():
            with open("told", "a") as file:
                file.write("x")
    """,
    )
    project.tests("""
        import pathlib
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
            assert not pathlib.Path("broken").exists()
    """)
    project.measure().assert_outcomes(passed=1)
    assert (project.path / "told").read_text() == "x"  # not in the workers
    project.write("broken", "")
    project.measure().assert_outcomes(failed=1)
    assert len((project.path / "told").read_text()) > 2


def test_a_log_says_that_memory_is_measured_alone_and_not_that_nothing_is_left(project):
    project.tests(TWO_IN_ONE.replace("time.sleep(1)", "pass"))
    result = project.measure()
    result.stdout.fnmatch_lines(["costguard: unit 2/2*", "costguard: memory and cold start*alone*"])
    result.stdout.no_fnmatch_line("*about 0 s left*")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('its last words'); os._exit(3)", ["ended with exit code 3", "its last words"]),
        ("ctypes.string_at(0)", ["SIGSEGV", "Fatal Python error", "in serve"]),
        ("os.closerange(3, 200); time.sleep(30)", ["still runs", "every file descriptor"]),
    ],
    ids=["exits", "crashes", "closes every descriptor"],
)
def test_the_last_words_of_a_worker_are_the_tests_own(project, body, said):
    project.write(
        "conftest.py",
        """
        import sys
        def pytest_configure():
            print("a plugin's warning", file=sys.stderr)
    """,
    )
    project.tests(f"""
        import ctypes, os, time
        CALLS = [0]
        def serve(x):
            CALLS[0] += 1
            if CALLS[0] > 5:
                {body}
        def test_bad(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    project.measure()
    (failure,) = project.report["run"]["failures"]
    for words in said:
        assert words in failure["reason"]
    assert "a plugin's warning" not in failure["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_sigterm_stops_the_workers_and_leaves_a_valid_partial_report(project):
    project.tests("""
        import os, pathlib, time
        def test_a(costguard):
            costguard.measure(abs, inputs=[1])
        def test_hangs(costguard):
            pathlib.Path("pid.part").write_text(str(os.getpid()))
            pathlib.Path("pid.part").rename("pid")
            costguard.measure(lambda x: time.sleep(600), inputs=[1])
    """)
    process = subprocess.Popen(
        [*project.command, "--costguard", "--costguard-report=out"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not (project.path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, output.decode()
    assert project.report["run"]["complete"] is False
    assert output.count(b"= costguard =") == 1
    assert b"costguard: wrote " in output
    assert "test_it.py::test_a" in project.measured()
    with pytest.raises(ProcessLookupError):
        os.kill(int((project.path / "pid").read_text()), 0)


def test_without_a_terminal_reporter_everything_is_measured_and_written(project):
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure("-p", "no:terminal")
    assert result.ret == pytest.ExitCode.OK
    assert project.measured() == {"test_it.py::test_it"}


def test_a_failure_is_shown_at_the_line_of_the_test(project):
    project.tests("""
        def serve(x):
            raise ValueError("broken")
        def test_it(costguard):
            costguard.measure(serve, inputs=[1])
    """)
    result = project.measure("--tb=short")
    result.stdout.fnmatch_lines(["test_it.py:5: in test_it"])
    result.stdout.no_fnmatch_line("*checking.py:*: in *")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("costguard.yaml", "unitss: 6\n", "units"),
        (
            "test_other.py",
            """
            import pytest
            @pytest.mark.costguard(slow=1)
            def test_other(costguard): ...
            """,
            "slow",
        ),
    ],
    ids=["configuration", "marker"],
)
def test_collecting_alone_reports_what_is_not_understood(project, name, text, said):
    project.tests("def test_it(costguard): ...")
    project.write(name, text)
    result = project.measure("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--costguard-catch=1%"], "allow (0.02); "),
        (["--costguard-allow=10%", "--costguard-catch=5%"], "catch (0.05) is not above allow"),
    ],
)
def test_collecting_alone_refuses_limits_that_a_run_would_refuse(project, options, said):
    project.tests("def test_it(costguard): ...")
    result = project.measure("--collect-only", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


def test_an_option_that_does_nothing_without_costguard_is_told(project):
    project.tests("def test_it(costguard): ...")
    result = project.run("--costguard-against=main")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*--costguard-against does nothing without --costguard*"])


def test_options_of_the_project_do_nothing_in_plain_runs_and_nothing_is_said(project):
    project.tests("def test_it(costguard): ...")
    project.write("pytest.ini", "[pytest]\naddopts = --costguard-against=main\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    assert "does nothing" not in result.stdout.str()


def test_collecting_alone_measures_nothing(project):
    project.tests("""
        import pathlib
        def test_it(costguard):
            pathlib.Path("ran").touch()
    """)
    result = project.measure("--collect-only")
    assert result.ret == pytest.ExitCode.OK
    assert not Path(project.path / "ran").exists()
    assert not Path(project.path / "out").exists()


def test_two_measurements_at_once_are_refused_with_the_reason(project):
    project.tests("""
        import threading
        def test_it(costguard):
            threads = [
                threading.Thread(
                    target=costguard.measure, args=(abs,), kwargs={"inputs": [1], "name": name}
                )
                for name in "ab"
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    """)
    result = project.measure("-W", "ignore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*measure one after the other*"])


def test_one_measurement_in_a_thread_is_like_any(project):
    project.tests("""
        import threading
        def test_it(costguard):
            thread = threading.Thread(
                target=costguard.measure, args=(abs,), kwargs={"inputs": [1]}
            )
            thread.start()
            thread.join()
    """)
    project.measure().assert_outcomes(passed=1)
    assert project.measured() == {"test_it.py::test_it"}
