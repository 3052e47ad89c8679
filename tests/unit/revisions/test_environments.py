"""The cache of environments: made once, complete or not there, never taken from who uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pytest_costguard.errors import RevisionError, StoreError
from pytest_costguard.revisions.claims import lock
from pytest_costguard.revisions.environments import (
    KEPT,
    EnvironmentCache,
    environment_digest,
    python_of,
)


def ignore(_):
    """Nobody waits here."""


@pytest.fixture
def cache(tmp_path):
    return EnvironmentCache(folder=tmp_path / "environments", patience_seconds=0.3)


def make(environment):
    """Make what looks like a virtual environment."""
    python = python_of(environment)
    python.parent.mkdir(parents=True)
    python.write_text("")


def touch(cache, digest, *, make=make):
    """Use an environment for a moment; return whether it was made now."""
    made = []
    with cache.environment(digest, make=lambda e: (make(e), made.append(e)), tell=ignore):
        return bool(made)


def kept(cache):
    """The digests of all that is kept."""
    return {path.name.rpartition("-")[0] for path in cache.folder.iterdir() if path.is_dir()}


def entry(cache, digest):
    (found,) = cache.folder.glob(f"{digest}-*")
    return found


def test_it_is_made_once(cache):
    assert touch(cache, "one")
    assert not touch(cache, "one")


def test_the_folder_to_make_is_not_there_yet_and_stays_where_it_is_made(cache):
    def check(environment):
        assert not environment.exists()
        make(environment)

    with cache.environment("one", make=check, tell=ignore) as environment:
        assert python_of(environment).exists()


def test_what_a_failed_command_has_begun_is_gone(cache):
    def fail(environment):
        make(environment)
        raise RevisionError("no", remedy="yes")

    with pytest.raises(RevisionError, match="no"):
        touch(cache, "one", make=fail)

    assert kept(cache) == set()
    assert touch(cache, "one")


def test_what_a_killed_run_has_begun_is_made_anew(cache):
    touch(cache, "one")
    begun = entry(cache, "one")
    (begun / "complete.json").unlink()

    assert touch(cache, "one")
    assert not begun.exists()


ORPHAN = """
import os, pathlib, signal, sys, time
os.kill(os.getppid(), signal.SIGKILL)
time.sleep(1)
place = pathlib.Path(sys.argv[1], "bin")
place.mkdir(parents=True, exist_ok=True)
for name in ("python", "late"):
    (place / name).write_text("")
"""
KILLED = """
import os, sys
from pathlib import Path
from pytest_costguard.revisions.commands import Errand, run
from pytest_costguard.revisions.environments import EnvironmentCache
folder, orphan = sys.argv[1:]
errand = Errand(whom="", remedy="", folder=Path.cwd(), environ=os.environ, values={})
def make(environment):
    run([(sys.executable, "-c", orphan, str(environment))], errand)
with EnvironmentCache(folder=Path(folder)).environment("one", make=make, tell=print):
    pass
"""


def test_the_command_of_a_killed_run_meets_nobody_in_its_folder(cache):
    words = [sys.executable, "-c", KILLED, str(cache.folder), ORPHAN]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    begun = entry(cache, "one")

    with cache.environment("one", make=make, tell=ignore) as environment:
        late = begun / "environment/bin/late"
        deadline = time.monotonic() + 30
        while not late.exists():
            assert time.monotonic() < deadline, "the command did not end"
            time.sleep(0.05)
        assert not (environment / "bin/late").exists()

    assert not touch(cache, "one"), "what the orphan has left counts for nothing"
    assert not begun.exists()


def test_an_environment_whose_interpreter_is_gone_is_made_anew(cache):
    touch(cache, "one")
    python = python_of(entry(cache, "one") / "environment")
    python.unlink()
    python.symlink_to("nowhere")

    assert touch(cache, "one")


def test_a_command_that_makes_nothing_is_refused(cache):
    with pytest.raises(RevisionError, match="left no interpreter") as caught:
        touch(cache, "one", make=ignore)

    assert "{python} -m venv {environment}" in caught.value.remedy
    assert kept(cache) == set()


def test_the_ones_used_last_are_kept(cache):
    names = [f"number-{i}" for i in range(KEPT + 2)]
    for age, name in enumerate(reversed(names)):
        touch(cache, name)
        then = 1e9 - age
        os.utime(entry(cache, name) / "complete.json", (then, then))

    touch(cache, names[0])

    # the last one used, whatever its age was, and the newest of the others
    assert kept(cache) == {names[0], *names[-(KEPT - 1) :]}


def test_one_that_is_in_use_is_not_removed(cache):
    with cache.environment("used", make=make, tell=ignore) as environment:
        os.utime(environment.parent / "complete.json", (1, 1))
        for i in range(KEPT + 1):
            touch(cache, f"number-{i}")
        assert python_of(environment).exists()

    touch(cache, "another")
    assert "used" not in kept(cache)


def test_two_runs_at_once_make_it_once(tmp_path):
    cache = EnvironmentCache(folder=tmp_path / "environments")
    begun, made, told = threading.Event(), [], []

    def slowly(environment):
        made.append(environment)
        begun.set()
        assert waited.wait(20)
        make(environment)

    waited = threading.Event()

    def tell(text):
        told.append(text)
        waited.set()

    def run(tell):
        with cache.environment("one", make=slowly, tell=tell) as environment:
            assert python_of(environment).exists()

    first = threading.Thread(target=run, args=(ignore,))
    first.start()
    assert begun.wait(20)
    run(tell)
    first.join(20)

    assert len(made) == 1
    assert told == [f"waiting for another run (process {os.getpid()}), which makes an environment"]


def test_a_run_that_makes_for_ever_is_named(cache):
    cache.folder.mkdir()
    path = cache.folder / "lock"
    path.write_text("4711")
    with path.open("r+") as file:
        assert lock(file)
        with pytest.raises(RevisionError, match=r"another run \(process 4711\)"):
            touch(cache, "one")


def test_the_lock_of_a_killed_run_holds_nobody_up(cache):
    cache.folder.mkdir()
    script = (
        "import os, pathlib, sys\n"
        "from pytest_costguard.revisions.claims import lock\n"
        "file = open(sys.argv[1], 'w')\n"
        "assert lock(file)\n"
        "file.write('4711'); file.flush()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(cache.folder / "lock")], check=False)

    assert touch(cache, "one")


def test_git_sees_none_of_it(cache, project):
    inside = EnvironmentCache(folder=project.folder / ".costguard/cache/environments")
    touch(inside, "one")

    assert project.git("status", "--porcelain", "--untracked-files=all") == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="could not be kept there") as caught:
        touch(EnvironmentCache(folder=tmp_path / "file" / "environments"), "one")

    assert "--costguard-base-python" in caught.value.remedy


def test_whatever_an_environment_is_made_of_changes_its_name(tmp_path, monkeypatch):
    def digest(commands=(("uv", "sync"),), dependencies="sha256:1", cache=tmp_path):
        return environment_digest(commands, dependencies=dependencies, cache=cache)

    found = {
        digest(),
        digest(commands=(("uv", "sync", "--frozen"),)),
        digest(commands=(("uv",), ("sync",))),
        digest(dependencies="sha256:2"),
        digest(dependencies=None),
        digest(cache=tmp_path / "elsewhere"),
    }
    monkeypatch.setattr(sys, "version", "3.99")
    found.add(digest())

    assert len(found) == 7
    assert all(len(name) == 16 for name in found)
    assert digest() == digest()
