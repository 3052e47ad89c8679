"""Reading the files of pytest-benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.baselines.pytest_benchmark import (
    decode_pytest_benchmark,
    read_pytest_benchmark,
)
from pytest_costguard.errors import RecordError

FIXTURE = Path(__file__).parents[2] / "fixtures" / "pytest_benchmark" / "version-5.json"
TESTS = """
import pytest

@pytest.mark.parametrize("n", [10, 100])
def test_sum(benchmark, n):
    benchmark.pedantic(sum, args=(range(n),), rounds=5, iterations=2)
"""


def altered(**changes: object) -> bytes:
    return json.dumps({**json.loads(FIXTURE.read_bytes()), **changes}).encode()


def with_stats(**changes: object) -> bytes:
    benchmark = json.loads(FIXTURE.read_bytes())["benchmarks"][0]
    return altered(benchmarks=[{**benchmark, "stats": {**benchmark["stats"], **changes}}])


def _environment() -> dict[str, str]:
    """Ours, less what would make pytest-benchmark switch itself off inside a parallel run."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}


@pytest.mark.parametrize("saved", [(), ("--benchmark-save-data",)])
def test_a_file_that_pytest_benchmark_has_just_written_is_read(tmp_path, saved):
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "test_some.py").write_text(TESTS)
    path = tmp_path / "out.json"
    options = ["-q", "-p", "pytest_benchmark.plugin", f"--benchmark-json={path}", *saved]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", "test_some.py"],
        cwd=tmp_path,
        # Only the plugin that is wanted, whatever else is installed here.
        env=_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_pytest_benchmark(path)
    stats = {one["fullname"]: one["stats"] for one in json.loads(path.read_bytes())["benchmarks"]}
    assert [str(one.workload) for one in run.workloads] == list(stats)
    assert list(stats) == ["test_some.py::test_sum[10]", "test_some.py::test_sum[100]"]
    for one in run.workloads:
        expected = stats[one.workload.nodeid]
        assert one.metrics["mean"] == (pytest.approx(expected["mean"]),)
        assert one.metrics["p50"] == (pytest.approx(expected["median"]),)
        assert one.metrics["throughput"] == (pytest.approx(1 / expected["mean"]),)
        assert one.calibration == ()


def test_machine_commit_and_time_are_kept():
    run = read_pytest_benchmark(FIXTURE)
    assert run.fingerprint.cpu_model == "AMD EPYC 7763 64-Core Processor"
    assert run.fingerprint.cores == 2
    assert run.commit is not None
    assert (run.commit.sha[:7], run.commit.dirty, run.commit.branch) == ("5f0c1d2", True, "main")
    assert run.created.isoformat() == "2025-03-01T12:00:00.123456+00:00"
    assert run.source == "pytest-benchmark"


def test_saved_rounds_come_before_the_statistics_made_of_them():
    run = decode_pytest_benchmark(with_stats(data=[1.0, 2.0, 6.0]), origin="x")
    assert run.workloads[0].metrics["mean"] == (3.0,)
    assert run.workloads[0].metrics["p50"] == (2.0,)


def test_the_same_file_is_the_same_run_and_another_file_another():
    first, again = read_pytest_benchmark(FIXTURE), read_pytest_benchmark(FIXTURE)
    other = decode_pytest_benchmark(altered(datetime="2025-03-02T12:00:00"), origin="x")
    assert first == again
    assert first.run_id != other.run_id


def test_a_time_without_a_zone_is_utc():
    run = decode_pytest_benchmark(altered(datetime="2025-03-02T12:00:00"), origin="x")
    assert run.created.isoformat() == "2025-03-02T12:00:00+00:00"


@pytest.mark.parametrize("info", [{"id": "unversioned"}, {"id": None, "error": "no git"}, {}])
def test_a_run_outside_of_version_control_has_no_commit(info):
    assert decode_pytest_benchmark(altered(commit_info=info), origin="x").commit is None


def test_an_unknown_machine_is_unknown():
    run = decode_pytest_benchmark(altered(machine_info={}), origin="x")
    assert (run.fingerprint.cpu_model, run.fingerprint.cores) == ("", 0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"kind": "run"}', "benchmarks"),
        (b"[" * 100_000, "x.json"),
        (b'{"benchmarks":' + b"[" * 100_000, "x.json"),
        (b'{"machine_info":' + b"[" * 100_000, "x.json"),
        (altered(benchmarks=[]), "no benchmarks"),
        (altered(benchmarks=[{"fullname": "a"}]), "$.benchmarks[0]"),
        (altered(datetime="yesterday"), "$.datetime"),
        (with_stats(mean=0), "above zero"),
        (with_stats(mean=-1), "above zero"),
        (with_stats(mean=5e-324), "finite"),
        (with_stats(data=[1.0, -1.0]), "above zero"),
        (with_stats(mean=float("nan")), "malformed"),
    ],
)
def test_what_is_no_sound_file_is_a_clear_error(data, said):
    with pytest.raises(RecordError) as caught:
        decode_pytest_benchmark(data, origin="x.json")
    assert said in str(caught.value)
    assert "x.json" in caught.value.message
    assert "--benchmark-json" in caught.value.remedy


def test_a_benchmark_without_a_name_is_a_clear_error():
    stats = json.loads(FIXTURE.read_bytes())["benchmarks"][0]["stats"]
    with pytest.raises(RecordError, match="nodeid"):
        decode_pytest_benchmark(
            altered(benchmarks=[{"fullname": "", "stats": stats}]), origin="x.json"
        )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_gives_a_run_or_a_record_error(data):
    valid = FIXTURE.read_bytes()
    start = data.draw(st.integers(0, len(valid)))
    damaged = valid[:start] + data.draw(st.binary(max_size=5)) + valid[start + 10 :]
    try:
        run = decode_pytest_benchmark(damaged, origin="x")
    except RecordError:
        return
    assert run.workloads
