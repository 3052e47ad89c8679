"""Declared commands run without a shell, and say what went wrong."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.commands import Errand, run

ASK = "import os, pathlib, sys; pathlib.Path('said').write_text({})"


@pytest.fixture
def errand(tmp_path):
    def make(**changes):
        given = {
            "whom": "--costguard-build, on base",
            "folder": tmp_path,
            "environ": dict(os.environ),
            "values": {"python": sys.executable, "tree": "/the tree"},
            "remedy": "mend it",
        }
        return Errand(**{**given, **changes})

    return make


def said(tmp_path):
    return (tmp_path / "said").read_text()


def test_placeholders_are_filled_and_nothing_is_split_again(tmp_path, errand):
    script = ASK.format("repr(sys.argv[1:])")
    run([("{python}", "-c", script, "{tree}/x", "$HOME", "{other}")], errand())

    assert said(tmp_path) == "['/the tree/x', '$HOME', '{other}']"


def test_what_is_meant_for_this_python_is_not_handed_on(tmp_path, errand):
    ours = {
        **dict.fromkeys(
            ("PYTHONPATH", "PYTEST_ADDOPTS", "COSTGUARD_UNITS", "COV_CORE_SOURCE"), "x"
        ),
        "GIT_INDEX_FILE": "x",
        "VIRTUAL_ENV": "kept",
    }
    names = sorted(ours)
    script = ASK.format(f"repr([n for n in {names!r} if n in os.environ])")
    run([("{python}", "-c", script)], errand(environ={**os.environ, **ours}))

    assert said(tmp_path) == "['VIRTUAL_ENV']"


def test_a_failure_ends_it_and_shows_the_last_lines(tmp_path, errand):
    script = "for i in range(100): print('line', i)\nraise SystemExit(3)"
    later = ("{python}", "-c", ASK.format("''"))

    with pytest.raises(RevisionError) as caught:
        run([("{python}", "-c", script), later], errand())

    assert caught.value.message.startswith("--costguard-build, on base: `")
    assert "ended with status 3\n    line 80\n" in caught.value.message
    assert caught.value.message.endswith("    line 99")
    assert caught.value.remedy == "mend it"
    assert not (tmp_path / "said").exists()


def test_a_program_that_is_not_there_is_named(errand):
    with pytest.raises(RevisionError, match="no-such-program could not be started") as caught:
        run([("no-such-program",)], errand())

    assert "PATH" in caught.value.remedy


def test_a_command_that_hangs_is_stopped_with_what_it_started(tmp_path, errand):
    pid = tmp_path / "pid"
    script = (
        "import os, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c',"
        f" 'import time; time.sleep(600)']); open({str(pid)!r}, 'w').write(str(child.pid));"
        " time.sleep(600)"
    )
    with pytest.raises(RevisionError, match="was stopped after"):
        run([("{python}", "-c", script)], errand(limit_seconds=3))

    started = pid.read_text() if pid.exists() else ""  # it may have come to nothing before
    deadline = time.monotonic() + 30
    while started and _running(started):
        assert time.monotonic() < deadline, "what it started outlives it"
        time.sleep(0.05)


def _running(pid):
    """Whether a process is there, and is not merely waiting to be taken away."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
