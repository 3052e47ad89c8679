"""The cache of environments: made once, complete or not there, never taken from who uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

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
    return {path.name for path in cache.folder.iterdir() if path.is_dir()}


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
    (cache.folder / "one/complete.json").unlink()
    (cache.folder / "one/environment/half").write_text("")

    assert touch(cache, "one")
    assert not (cache.folder / "one/environment/half").exists()


def test_an_environment_whose_interpreter_is_gone_is_made_anew(cache):
    touch(cache, "one")
    python = python_of(cache.folder / "one/environment")
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
        os.utime(cache.folder / name / "complete.json", (then, then))

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
