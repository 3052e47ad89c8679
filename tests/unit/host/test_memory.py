from __future__ import annotations

import mmap
import sys

import pytest

from pytest_costguard.host.memory import LIFETIME_METHOD, RESET_METHOD, PeakMemory
from pytest_costguard.host.process import OwnProcess, maxrss_bytes

MEBIBYTE = 2**20


def test_the_peak_is_the_high_water_mark_after_a_reset(tree, process):
    root = tree({"proc/self/status": "VmHWM:\t 2048 kB\n", "proc/self/clear_refs": ""})
    peak = PeakMemory(root, process=process)
    assert peak.reset()
    assert peak.read() == (2 * MEBIBYTE, RESET_METHOD)
    assert (root / "proc/self/clear_refs").read_text() == "5"


def test_a_mark_that_was_not_reset_says_so(tree, process):
    peak = PeakMemory(tree({"proc/self/status": "VmHWM:\t 2048 kB\n"}), process=process)
    assert not peak.reset()
    assert peak.read() == (2 * MEBIBYTE, LIFETIME_METHOD)


def test_without_proc_the_system_is_asked_for_the_lifetime_peak(tree, process):
    process.peak = 7 * MEBIBYTE
    peak = PeakMemory(tree({}), process=process)
    assert not peak.reset()
    assert peak.read() == (7 * MEBIBYTE, LIFETIME_METHOD)


def test_where_nothing_tells_there_is_no_figure(tree, process):
    assert PeakMemory(tree({"proc/self/status": "VmHWM: much\n"}), process=process).read() is None


def test_a_reset_that_fails_leaves_no_file_behind(tree, process):
    root = tree({})
    PeakMemory(root, process=process).reset()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(("platform", "size"), [("darwin", 4096), ("linux", 4096 * 1024)])
def test_maxrss_is_bytes_on_macos_and_kib_elsewhere(platform, size):
    assert maxrss_bytes(4096, platform=platform) == size


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_touching_64_mib_raises_the_peak_by_that_and_a_reset_forgets_it():
    peak = PeakMemory()
    peak.reset()
    before = peak.read()
    # Pages of its own, where the heap might hand out some that are resident already.
    with mmap.mmap(-1, 64 * MEBIBYTE) as held:
        for page in range(0, 64 * MEBIBYTE, mmap.PAGESIZE):
            held[page] = 1
        during = peak.read()
    peak.reset()
    after = peak.read()
    assert before is not None
    assert during is not None
    assert after is not None
    assert {before[1], during[1], after[1]} == {RESET_METHOD}
    assert 56 * MEBIBYTE < during[0] - before[0] < 72 * MEBIBYTE
    assert during[0] - after[0] > 56 * MEBIBYTE


def test_the_lifetime_peak_of_this_process_is_more_than_a_bare_interpreter_needs():
    assert (OwnProcess().lifetime_peak_bytes() or 0) > 5 * MEBIBYTE
