"""`costguard doctor` as a person runs it: real workers on both sides, next to no measuring."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from factories.processes import alive, children_of, heed_interrupts

from pytest_costguard.app.doctor import suite_of
from pytest_costguard.records import DoctorReport

ROOT = Path(__file__).parents[3]
COMMAND = "from pytest_costguard.cli.main import main; main()"
SUITE = """
import pytest


@pytest.mark.costguard(threads=2)
def test_two_threads(costguard):
    costguard.measure(abs, inputs=[1])


def test_other(costguard):
    costguard.measure(abs, inputs=[2])


def test_plain():
    assert abs(-1) == 1
"""


def environ() -> dict[str, str]:
    dropped = ("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}


def doctor(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "doctor", "--units", "4", "--json", *arguments],
        cwd=folder,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(SUITE)
    return tmp_path


def test_the_built_in_kernel_is_measured_against_itself(tmp_path):
    done = doctor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = msgspec.json.decode(done.stdout, type=DoctorReport)
    names = [one.workload.partition("::")[2] for one in report.workloads]
    assert names == ["test_products_in_cache", "test_stream_from_memory"]
    assert [one.units for one in report.workloads] == [4, 4]
    assert all(one.spread > 0 and one.seconds_a_unit > 0 for one in report.workloads)
    assert report.runner_spread is not None
    assert [row.seconds for row in report.visible] == [10.0, 30.0, 120.0] * 2
    assert not report.not_measured
    assert "measuring test_products_in_cache" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_test_of_the_suite_is_measured_and_may_fail_the_command(project):
    done = doctor(project, "--suite", "tests/test_it.py::test_two_threads", "--fail-above", "0%")
    assert done.returncode == 1, done.stdout + done.stderr
    report = msgspec.json.decode(done.stdout, type=DoctorReport)
    (one,) = report.workloads
    assert one.workload == "tests/test_it.py::test_two_threads"
    assert not one.built_in


def test_the_tests_of_a_suite_are_found_with_the_threads_that_they_declare(project, monkeypatch):
    monkeypatch.chdir(project / "tests")
    found = suite_of(["test_it.py"], rootdir=project, environ=environ())
    assert {test.nodeid: test.threads for test in found.tests} == {
        "tests/test_it.py::test_two_threads": 2,
        "tests/test_it.py::test_other": 1,
    }


def test_pytests_own_arguments_select_in_the_suite(project, monkeypatch):
    monkeypatch.chdir(project)
    found = suite_of([], rootdir=project, environ=environ(), arguments=["-k", "other"])
    assert [test.nodeid for test in found.tests] == ["tests/test_it.py::test_other"]


def test_pytests_arguments_without_the_suite_are_a_usage_error(tmp_path):
    done = doctor(tmp_path, "--", "-k", "other")
    assert done.returncode == 2
    assert "--suite" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_ends_it_leaves_no_worker_and_no_file(tmp_path, number, code):
    places = tmp_path / "places"
    places.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "doctor"],
        cwd=tmp_path,
        env=environ() | {"TMPDIR": str(places)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert running.stderr is not None
    assert "measuring test_products_in_cache" in running.stderr.readline()
    children = children_of(running.pid)
    running.send_signal(number)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == code
    assert out == ""
    assert not [child for child in children if alive(child)]
    assert list(places.iterdir()) == []


def test_a_suite_in_which_nothing_measures_is_an_error_with_its_remedy(project):
    done = doctor(project, "--suite", "tests/test_it.py::test_plain")
    assert done.returncode == 11
    assert done.stdout == ""
    assert "no test that measures was found" in done.stderr
