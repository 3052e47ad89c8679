"""Whether this process holds a device that computes, by what it has opened."""

from __future__ import annotations

import pytest

from pytest_costguard.host.process import holds_device


@pytest.mark.parametrize(
    ("opened", "held"),
    [
        ("/dev/nvidia-uvm", True),
        ("/dev/kfd", True),
        ("/dev/dri/renderD128", True),
        ("/dev/nvidiactl", False),  # NVML was asked, nothing computes
        ("/dev/null", False),
    ],
)
def test_a_device_is_held_by_what_is_open(tmp_path, opened, held):
    folder = tmp_path / "proc/self/fd"
    folder.mkdir(parents=True)
    (folder / "3").symlink_to(opened)
    (folder / "4").symlink_to("/dev/null")
    assert holds_device(tmp_path) is held


def test_a_system_without_such_a_folder_holds_none(tmp_path):
    assert not holds_device(tmp_path)
