"""A process and all that it has started, on a machine that is a folder of files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pytest_costguard.host.process_tree import ProcessTree, parse_process


def stat(pid, *, parent, group, state="S", ticks=(0, 0, 0, 0), started=5, name="serve (v2)"):
    utime, stime, cutime, cstime = ticks
    return (
        f"{pid} ({name}) {state} {parent} {group} {group} 0 -1 4194304 1 2 3 4"
        f" {utime} {stime} {cutime} {cstime} 20 0 3 0 {started} 1000 200 18446744073709551615\n"
    )


def machine(tree, *lines):
    return tree({f"proc/{line.split()[0]}/stat": line for line in lines})


def pids(found):
    return sorted(one.pid for one in found)


def test_a_line_of_proc_is_read_past_a_name_with_spaces_and_brackets():
    one = parse_process(stat(7, parent=3, group=6, ticks=(100, 50, 20, 30), state="R", started=99))
    assert (one.pid, one.parent, one.group, one.started) == (7, 3, 6, 99)
    assert one.cpu_seconds == pytest.approx(2.0)
    assert one.alive


@pytest.mark.parametrize("text", [None, "", "7 (serve) S 1", "x (serve) " + "S " * 30])
def test_what_is_no_such_line_is_no_process(text):
    assert parse_process(text) is None


def test_one_that_has_ended_and_waits_is_not_alive():
    assert not parse_process(stat(7, parent=3, group=6, state="Z")).alive


def test_it_is_the_process_its_descendants_and_its_group_without_the_guard(tree):
    root = machine(
        tree,
        stat(1, parent=0, group=1),
        stat(10, parent=1, group=10),  # the guard, which leads the group
        stat(11, parent=1, group=10),  # the server
        stat(12, parent=11, group=10),
        stat(13, parent=12, group=13),  # with a session of its own
        stat(14, parent=13, group=13),
        stat(15, parent=1, group=10),  # its parent has ended
        stat(16, parent=1, group=16),  # somebody else
    )
    found = ProcessTree(11, group=10, without=10, root=root).processes()
    assert pids(found) == [11, 12, 13, 14, 15]


def test_where_nothing_tells_there_is_no_process(tree):
    assert ProcessTree(11, group=10, root=tree({})).processes() == ()


def test_the_peak_is_reset_and_read_for_each_process(tree):
    root = tree({"proc/11/clear_refs": "", "proc/11/status": "VmHWM:\t 2048 kB\n"})
    found = ProcessTree(11, group=10, root=root)
    assert found.reset_peak(11)
    assert (root / "proc/11/clear_refs").read_text() == "5"
    assert found.peak_bytes(11) == 2 * 2**20
    assert not found.reset_peak(12)
    assert found.peak_bytes(12) is None
    assert not (root / "proc/12").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_signal_reaches_the_process_that_was_seen_and_no_later_one_of_its_number():
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        tree = ProcessTree(process.pid, group=os.getpgrp())
        (seen,) = [one for one in tree.processes() if one.pid == process.pid]
        later = type(seen)(
            pid=seen.pid,
            state="S",
            parent=seen.parent,
            group=seen.group,
            cpu_seconds=0.0,
            started=seen.started + 1,
        )
        tree.send([later], signal.SIGKILL)
        assert process.poll() is None
        tree.send([seen], signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
        tree.send([seen], signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
