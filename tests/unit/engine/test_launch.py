from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_costguard.engine.launch import Side, command_line, start
from pytest_costguard.errors import WorkerError

DESCRIPTORS = Path("/proc/self/fd")
SIDE = Side(name="head", python="python", rootdir=Path("/r"), invocation_dir=Path("/r/sub"))


def test_the_users_addopts_do_not_reach_a_worker():
    assert "--override-ini=addopts=" in command_line(SIDE, files=(Path("/r/test_a.py"),))


def test_plugins_that_reorder_or_repeat_are_blocked():
    command = command_line(SIDE, files=(Path("/r/test_a.py"),))
    for plugin in ("randomly", "timeout", "rerunfailures", "flaky", "pytest-retry"):
        assert f"no:{plugin}" in command


@pytest.mark.parametrize(
    "plugin", ["timeout", "pytest_timeout", "flaky", "flaky.flaky_pytest_plugin"]
)
def test_a_plugin_is_blocked_by_entry_point_and_by_module(plugin):
    command = command_line(SIDE, files=(Path("/r/test_a.py"),))
    assert f"no:{plugin}" in command


def test_files_come_after_the_end_of_options():
    command = command_line(SIDE, files=(Path("/r/-x.py"),))
    assert command[-2:] == ["--", str(Path("/r/-x.py"))]


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors by /proc")
def test_a_worker_that_cannot_be_started_leaves_nothing_open(tmp_path):
    side = dataclasses.replace(
        SIDE, python=str(tmp_path / "no-python"), rootdir=tmp_path, invocation_dir=tmp_path
    )
    before = sorted(DESCRIPTORS.iterdir())
    with pytest.raises(WorkerError, match="no-python"):
        start(side, files=(), nodeids=(), threads=1, thread_variables={}, settings={})
    assert sorted(DESCRIPTORS.iterdir()) == before
