"""`costguard ab` in all its forms, with real worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories.onnx_models import saved, scaler
from factories.processes import alive, children_of, heed_interrupts
from factories.wheels import BorrowingEnvironment, make_wheel

ROOT = Path(__file__).parents[3]
COMMAND = "from pytest_costguard.cli.main import main; main()"
QUICK = ("--precision=900%", "--metric=p50", "--json")
"""Six units, and the middle of the latencies, which neighbours move less than the mean."""
SURELY_MORE, NOT_THAT_MUCH = 2, 50
"""Between these a busy machine puts five times the work, and the same work never."""
SERVICE = """
def serve(n):
    return sum(range({factor} * n))
"""
TEST = """
import os, pytest, service

@pytest.mark.costguard(threads=1)
def test_service(costguard):
    factor = int(os.environ.get("FACTOR", "1"))
    costguard.measure(lambda n: service.serve(factor * n), inputs=[20_000])
"""
THREADED = """
import hashlib, os
from concurrent.futures import ThreadPoolExecutor

COUNT = int(os.environ.get("HASH_THREADS", "1"))
DATA = bytes(1_000_000)

def test_hashing(costguard):
    with ThreadPoolExecutor(COUNT) as pool:
        def serve(_):
            return [done.result() for done in [pool.submit(hash_it) for _ in range(COUNT)]]
        costguard.measure(serve, inputs=[1])

def hash_it():
    return hashlib.sha256(DATA).digest()
"""
SCRIPT = """
from pytest_costguard import ab

class Work:
    @staticmethod
    def more(n):
        return sum(range(5 * n))

def once(n):
    return sum(range(n))

if __name__ == "__main__":
    result = ab(once, Work.more, inputs=[20_000, 20_001], precision=9.0, metric="p50")
    assert result.lower <= result.ratio <= result.upper
    print(result.ratio, result.units, result.first["mean"] < result.second["mean"])
    print(result)
"""


def environ(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COSTGUARD_"))}
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **plain, **more}


def costguard(folder: Path, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        cwd=folder,
        env=environ(**more),
        capture_output=True,
        text=True,
        check=False,
    )


def change(done, metric="p50"):
    """The only workload's change of a metric."""
    (found,) = json.loads(done.stdout)["workloads"]
    return next(row for row in found["changes"] if row["metric"] == metric)


def project(folder: Path, *, factor: int) -> Path:
    (folder / "tests").mkdir(parents=True)
    (folder / "service.py").write_text(SERVICE.format(factor=factor))
    (folder / "tests" / "test_service.py").write_text(TEST)
    (folder / "pyproject.toml").write_text('[project]\nname = "service"\nversion = "1"\n')
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("costguard-ab-*"))


def test_each_folder_serves_its_own_module_though_one_is_on_the_path_of_both(tmp_path):
    a, b = project(tmp_path / "a", factor=1), project(tmp_path / "b", factor=5)
    (b / "tests" / "test_more.py").write_text("def test_more(costguard): ...\n")
    before = files(tmp_path)

    done = costguard(tmp_path, "ab", "a", "b", *QUICK, PYTHONPATH=paths(a))

    assert done.returncode == 0, done.stderr
    assert SURELY_MORE < change(done)["ratio"] < NOT_THAT_MUCH
    told = json.loads(done.stdout)
    assert (told["a"]["label"], told["b"]["label"]) == ("a", "b")
    assert any("only B has tests/test_more.py::test_more" in note for note in told["notes"])
    assert files(tmp_path) == before


def test_a_variable_is_seen_by_its_side_alone(tmp_path):
    folder = project(tmp_path / "a", factor=1)

    done = costguard(folder, "ab", "--env", "FACTOR=5", "tests", *QUICK)

    assert done.returncode == 0, done.stderr
    assert SURELY_MORE < change(done)["ratio"] < NOT_THAT_MUCH
    assert json.loads(done.stdout)["b"]["label"] == "FACTOR=5"


def test_two_interpreters_serve_with_their_own_packages_each(tmp_path):
    pythons = []
    for side, factor in (("a", 1), ("b", 5)):
        code = f"def work(n):\n    return sum(range({factor} * n))\n"
        wheel = make_wheel(tmp_path / "wheels", "dep", f"{factor}.0", code)
        pythons.append(BorrowingEnvironment(tmp_path / side, wheel, paths=(ROOT,)).python)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_dep.py").write_text(
        "import dep\ndef test_dep(costguard):\n    costguard.measure(dep.work, inputs=[20_000])\n"
    )

    done = costguard(
        *(folder, "ab", "--a-python", pythons[0], "--b-python", pythons[1], "test_dep.py"), *QUICK
    )

    assert done.returncode == 0, done.stderr
    assert SURELY_MORE < change(done)["ratio"] < NOT_THAT_MUCH


def test_a_variable_of_a_person_wins_over_the_declared_threads(tmp_path):
    folder = project(tmp_path / "a", factor=1)
    test = folder / "tests" / "test_service.py"
    test.write_text(TEST.replace('"FACTOR"', '"OMP_NUM_THREADS"'))

    done = costguard(folder, "ab", "--env", "OMP_NUM_THREADS=5", *QUICK)

    assert done.returncode == 0, done.stderr
    assert SURELY_MORE < change(done)["ratio"] < NOT_THAT_MUCH


def test_threads_that_a_person_asks_for_are_not_refused(tmp_path):
    folder = project(tmp_path / "a", factor=1)
    (folder / "tests" / "test_service.py").write_text(THREADED)

    done = costguard(folder, "ab", "--env", "HASH_THREADS=2", *QUICK)

    assert done.returncode == 0, done.stdout
    assert change(done)["ratio"] > 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--scenario", "offline", "--env", "A=1"), 11, "--scenario is for --models"),
        (("--models", "a.onnx"), 2, "requires 2 arguments"),
        (("--models", "a.onnx", "b.onnx", "--env", "A=1"), 11, "nothing else"),
        (("--models", "a.txt", "b.onnx"), 11, "not the path of a model"),
        (("--env", "A=1", "--precision", "0%"), 11, "above zero"),
        (("--env", "A=1", "--precision", "fine"), 11, "--precision"),
    ],
)
def test_a_command_line_that_says_too_little_or_too_much(tmp_path, words, code, said):
    done = costguard(tmp_path, "ab", *words)

    assert done.returncode == code
    assert said in done.stderr


def test_two_models_are_compared_and_so_are_their_outputs(tmp_path):
    saved(scaler(factor=2.0), tmp_path / "a.onnx")
    saved(scaler(factor=2.5), tmp_path / "b.onnx")
    np.savez(tmp_path / "x.npz", x=np.ones((3, 64), dtype="f4"))
    words = ("--models", "a.onnx", "b.onnx", "--inputs", "x.npz", "--each", "--price", "0.1")
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    done = costguard(tmp_path, "ab", *words, "--save", "out.json", *QUICK, TMPDIR=str(temporary))

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(done.stdout)
    (note,) = json.loads(done.stdout)["notes"]
    assert "over 3 requests: y differs by at most 0.5; z equal" in note
    assert {"cold_start", "peak_memory", "cost_per_1k", "throughput"} <= {
        row["metric"] for row in json.loads(done.stdout)["workloads"][0]["changes"]
    }
    assert not leftovers(temporary)


def test_two_callables_of_a_script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)

    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    ratio, units, faster = done.stdout.splitlines()[0].split()
    assert SURELY_MORE < float(ratio) < NOT_THAT_MUCH
    assert (units, faster) == ("6", "True")
    assert "A: once" in done.stdout


def test_ctrl_c_shows_what_is_known_and_leaves_nothing(tmp_path):
    folder = project(tmp_path / "a", factor=1)
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "ab", "tests", "--env", "FACTOR=2", "--precision=0.001%"],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "unit 2" in line:
            break
    children = children_of(running.pid)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "interrupted" in out
    assert not [child for child in children if alive(child)]


def test_a_workload_that_raises_is_an_error_that_names_the_side(tmp_path):
    folder = project(tmp_path / "a", factor=1)

    done = costguard(folder, "ab", "tests", "--env", "FACTOR=two")

    assert done.returncode == 14, done.stdout
    assert "invalid literal for int" in done.stdout


def test_a_folder_without_tests_that_measure_is_told_so(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "test_x.py").write_text("def test_x(): ...\n")

    done = costguard(tmp_path, "ab", "a", "b")

    assert done.returncode == 11
    assert "no test here measures anything" in done.stderr


def paths(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])
