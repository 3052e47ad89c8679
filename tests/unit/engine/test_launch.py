from __future__ import annotations

from pathlib import Path

from pytest_costguard.engine.launch import Side, command_line

SIDE = Side(name="head", python="python", rootdir=Path("/r"), invocation_dir=Path("/r/sub"))


def test_the_users_addopts_do_not_reach_a_worker():
    assert "--override-ini=addopts=" in command_line(SIDE, files=(Path("/r/test_a.py"),))


def test_plugins_that_reorder_or_repeat_are_blocked():
    command = command_line(SIDE, files=(Path("/r/test_a.py"),))
    for plugin in ("randomly", "timeout", "rerunfailures"):
        assert f"no:{plugin}" in command


def test_files_come_after_the_end_of_options():
    command = command_line(SIDE, files=(Path("/r/-x.py"),))
    assert command[-2:] == ["--", str(Path("/r/-x.py"))]
