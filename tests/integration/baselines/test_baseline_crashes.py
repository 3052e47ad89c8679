"""Many writers at once, writers that are killed, and disks that are full."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from factories.baselines import baseline_run, stored

from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.baselines.folder import FolderStore
from pytest_costguard.errors import StoreError

TESTS = Path(__file__).parents[2]
PRELUDE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from itertools import count
from pathlib import Path
from factories.baselines import baseline_run, stored
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.baselines.folder import FolderStore
where, who = Path(sys.argv[1]), sys.argv[2]
"""
ADD_TEN = """
for number in range(10):
    FolderStore(where).add("main", baseline_run(f"{who}-{number}"))
"""
ADD_FOR_EVER = """
workloads = tuple(stored(mean=(0.001,) * 50) for _ in range(200))
for number in count():
    FolderStore(where).add("main", baseline_run(f"{who}-{number}", workloads=workloads))
"""
REPLACE_FOR_EVER = """
for number in count():
    write_atomically(where, (b"a", b"b")[number % 2] * 1_000_000)
"""
PROMOTE_FOR_EVER = """
for number in count():
    FolderStore(where).promote("pr", "main")
    FolderStore(where).add("main", baseline_run("old"))
"""


def started(program: str, where: Path, who: str = "w") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PRELUDE + program, str(where), who])


def killed_while_working(program: str, where: Path, *, begun, after: float, who: str = "w") -> None:
    """Start a writer, wait until it has begun, and kill it `after` some seconds of work."""
    process = started(program, where, who)
    try:
        while not begun():
            assert process.poll() is None, "the writer ended by itself"
            time.sleep(0.001)
        time.sleep(after)
        assert process.poll() is None, "the writer ended by itself"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_eight_processes_that_write_at_once_lose_nothing(tmp_path):
    writers = [started(ADD_TEN, tmp_path, f"w{number}") for number in range(8)]
    assert [writer.wait() for writer in writers] == [0] * 8
    expected = {f"w{writer}-{number}" for writer in range(8) for number in range(10)}
    assert {run.run_id for run in FolderStore(tmp_path).series("main")} == expected
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_store_whose_writers_were_killed_is_valid_and_usable(tmp_path):
    store = FolderStore(tmp_path)
    moments = random.Random(1)
    seen: set[str] = set()
    for attempt in range(6):
        who = f"w{attempt}"
        killed_while_working(
            ADD_FOR_EVER,
            tmp_path,
            begun=lambda who=who: any(tmp_path.rglob(f"*-{who}-*.json")),
            after=moments.uniform(0, 0.05),
            who=who,
        )
        now = {run.run_id for run in store.series("main")}
        assert seen < now, "what was there before is still there, and this writer added to it"
        seen = now
    store.add("main", baseline_run("after"))
    assert "after" in {run.run_id for run in store.series("main")}


def test_a_file_whose_writers_were_killed_is_one_of_those_they_wrote(tmp_path):
    path = tmp_path / "record.json"
    moments = random.Random(2)
    for _ in range(6):
        path.unlink(missing_ok=True)
        killed_while_working(
            REPLACE_FOR_EVER, path, begun=path.exists, after=moments.uniform(0, 0.03)
        )
        assert path.read_bytes() in (b"a" * 1_000_000, b"b" * 1_000_000)


def test_a_promotion_that_was_killed_never_leaves_the_target_empty(tmp_path):
    store = FolderStore(tmp_path)
    for number in range(5):
        store.add("pr", baseline_run(f"new{number}", hours=1))
    moments = random.Random(3)
    for _ in range(4):
        shutil.rmtree(store.folder("main"), ignore_errors=True)
        store.add("main", baseline_run("old"))
        killed_while_working(
            PROMOTE_FOR_EVER,
            tmp_path,
            begun=lambda: len(list(store.folder("main").glob("*.json"))) > 1,
            after=moments.uniform(0, 0.03),
        )
        assert store.series("main")
        store.promote("pr", "main")
        assert {run.run_id for run in store.series("main")} == {f"new{n}" for n in range(5)}


@contextlib.contextmanager
def tiny_disk(where: Path):
    """A real file system of 64 KiB, for those who may mount one."""
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a tiny disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_a_full_disk_is_a_clear_error_and_the_series_stays_readable(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        store = FolderStore(disk)
        large = baseline_run("large", workloads=(stored(mean=(0.001,) * 10_000),))
        store.add("main", baseline_run("small"))
        with pytest.raises(StoreError, match="could not be written") as caught:
            store.add("main", large)
        assert "free some space" in caught.value.remedy
        assert [run.run_id for run in store.series("main")] == ["small"]
        assert list(disk.rglob("*.tmp")) == []


def test_an_old_file_survives_a_full_disk(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        write_atomically(disk / "record.json", b"old")
        with pytest.raises(StoreError):
            write_atomically(disk / "record.json", b"x" * 100_000)
        assert (disk / "record.json").read_bytes() == b"old"
