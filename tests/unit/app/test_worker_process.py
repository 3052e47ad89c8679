"""A worker's process: it becomes pytest, and leaves without losing what runs at the end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TEST = """
import atexit, threading, time

def test_it():
    atexit.register(print, "at exit")
    def late():
        time.sleep(0.2)
        print("a thread has ended")
    threading.Thread(target=late).start()

class Held:
    def __del__(self):
        print("taken apart")

held = Held()
"""


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "pytest_costguard.app.worker_process", "-p", "no:costguard", *words],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_threads_are_waited_for_and_exit_functions_run_though_nothing_is_taken_apart(tmp_path):
    (tmp_path / "test_it.py").write_text(TEST)
    done = run(tmp_path, "-s", "test_it.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert done.stdout.index("a thread has ended") < done.stdout.index("at exit")
    assert "taken apart" not in done.stdout


def test_its_status_is_pytests(tmp_path):
    assert run(tmp_path, "test_gone.py").returncode == 4


ADDRESS = """
import ctypes

def test_it():
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    print("lies at", malloc(100_000) % 4096, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system's own allocator")
def test_memory_lies_elsewhere_within_a_page_in_each_process(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    (tmp_path / "test_it.py").write_text(ADDRESS)
    runs = [run(tmp_path, "-s", "-p", "no:cacheprovider", "test_it.py") for _ in range(4)]
    places = {line for done in runs for line in done.stdout.splitlines() if "lies at" in line}
    assert len(places) > 1, runs[0].stdout
