"""Ports: free ones, whether somebody answers, and keeping one for a server."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from pytest_costguard.host.ports import LOOPBACK, Claim, answers, free_port

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")


def test_a_free_port_is_one_on_which_nobody_answers():
    port = free_port()
    assert 1024 <= port < 65_536
    assert not answers(LOOPBACK, port)


def test_a_port_that_is_listened_to_answers():
    with socket.create_server((LOOPBACK, 0)) as server:
        assert answers(LOOPBACK, server.getsockname()[1])


@posix
def test_a_port_is_kept_for_one_and_free_again_when_that_one_gives_it_up(tmp_path):
    folder = tmp_path / "ports"
    first = Claim.on(8080, folder=folder)
    assert first is not None
    assert Claim.on(8080, folder=folder) is None
    other = Claim.on(8081, folder=folder)
    assert other is not None
    other.close()
    first.close()
    again = Claim.on(8080, folder=folder)
    assert again is not None
    again.close()
    assert list(folder.iterdir()) == []


@posix
def test_a_port_stays_kept_as_long_as_a_process_that_has_inherited_it_is_there(tmp_path):
    claim = Claim.on(8080, folder=tmp_path)
    inherited = os.dup(claim.descriptor)
    os.close(claim.descriptor)  # the process that has claimed it is killed
    assert Claim.on(8080, folder=tmp_path) is None
    os.close(inherited)
    again = Claim.on(8080, folder=tmp_path)
    assert again.descriptor is not None
    again.close()


@posix
def test_where_nothing_can_be_kept_a_port_is_nobodys(tmp_path):
    (tmp_path / "file").write_text("")
    assert Claim.on(8080, folder=tmp_path / "file") == Claim(port=8080)
