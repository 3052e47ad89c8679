"""Ending a server: with all that it started, however its parent or itself ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from factories.processes import alive
from factories.servers import asked, command, pids_of

from pytest_costguard.host.ports import Claim, answers, free_port
from pytest_costguard.host.server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def until(happened, *, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*options, port, **more):
        server = ServerProcess.start(
            command(*options, port=port),
            environ=dict(os.environ),
            cwd=None,
            output=tmp_path / "server.log",
            stop_seconds=1.0,
            **more,
        )
        started.append(server)
        return server

    yield begin
    for server in started:
        server.process.kill()
        server.process.wait()


def ready(port):
    until(lambda: answers("127.0.0.1", port))
    return pids_of(port)


def test_it_is_ended_with_its_children(start):
    port = free_port()
    server = start("--child", "1", port=port)
    pids = ready(port)
    assert len(pids) == 2
    server.stop(seconds=10)
    assert not any(map(alive, pids))
    assert server.process.returncode == -signal.SIGTERM
    assert server.guard.process.returncode == -signal.SIGKILL


def test_one_that_ignores_sigterm_is_killed_when_its_time_is_up(start):
    port = free_port()
    server = start("--stubborn", port=port)
    ready(port)
    server.stop(seconds=0.1)
    assert server.process.returncode == -signal.SIGKILL


@linux
@pytest.mark.parametrize("outsider", ["mild", "stubborn"])
def test_a_child_that_has_left_its_group_is_ended_too(start, outsider):
    port = free_port()
    server = start("--outsider", outsider, port=port)
    pids = ready(port)
    server.stop(seconds=1.0)
    assert not any(map(alive, pids))


def test_one_that_has_ended_by_itself_is_cleared_up(start, tmp_path):
    server = start("--exit", "3", port=1)
    assert server.ended_within(60) == 3
    assert not server.alive()
    server.stop(seconds=1)
    assert (tmp_path / "server.log").read_text() == "serving a model on 1\n"


def test_a_program_that_is_not_there_leaves_no_guard(tmp_path):
    with pytest.raises(FileNotFoundError):
        ServerProcess.start(
            ["no-such-program"],
            environ=dict(os.environ),
            cwd=None,
            output=tmp_path / "server.log",
            stop_seconds=1.0,
        )


PARENT = """
    import os, sys, time
    from pathlib import Path
    from pytest_costguard.host.ports import Claim
    from pytest_costguard.host.server_process import ServerProcess
    folder = Path(sys.argv[1])
    claim = Claim.on(8080, folder=folder / "ports")
    (folder / "own").mkdir()
    server = ServerProcess.start(
        sys.argv[2:],
        environ=dict(os.environ),
        cwd=None,
        output=folder / "own" / "server.log",
        stop_seconds=0.3,
        keeps=[claim.descriptor],
    )
    time.sleep(600)
"""


@pytest.mark.parametrize("behaviour", [(), ("--stubborn",)], ids=["mild", "stubborn"])
def test_where_its_parent_is_killed_the_guard_ends_it_and_only_then_frees_its_port(
    tmp_path, behaviour
):
    pidfile, port = tmp_path / "pids", free_port()
    server = command("--child", "1", "--pidfile", str(pidfile), *behaviour, port=port)
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path), *server]
    )
    try:
        until(lambda: answers("127.0.0.1", port))
        pids = json.loads(pidfile.read_text())
        assert asked(port, "/infer", b"abc") == b"3"
        assert Claim.on(8080, folder=tmp_path / "ports") is None
    finally:
        parent.kill()
        parent.wait()
    assert not any(map(alive, pids))
    claims = []
    until(lambda: claims.append(Claim.on(8080, folder=tmp_path / "ports")) or claims[-1])
    claims[-1].close()
    assert not (tmp_path / "own").exists()
