"""Files that are the old ones or the new ones."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.errors import StoreError

TOO_LARGE = """
import resource, sys
from pathlib import Path
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.errors import StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path(sys.argv[1]), b"x" * 100_000)
except StoreError as error:
    sys.stdout.write(str(error))
"""


def test_a_new_file_is_made_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "c.json"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "c.json"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"c.json": b"new"}


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    ordinary, written = tmp_path / "ordinary", tmp_path / "written"
    ordinary.touch()
    write_atomically(written, b"")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")


def test_a_name_as_long_as_is_allowed_can_be_written(tmp_path):
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_name_too_long_is_a_clear_error(tmp_path):
    with pytest.raises(StoreError, match="could not be written") as caught:
        write_atomically(tmp_path / ("x" * 256), b"new")
    assert caught.value.remedy == "choose a shorter name"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_a_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(StoreError, match="could not be written") as caught:
        write_atomically(tmp_path / "file" / "c.json", b"new")
    assert "a file stands where a folder should be" in caught.value.remedy


def test_a_folder_in_place_of_the_file_is_a_clear_error_and_leaves_nothing(tmp_path):
    (tmp_path / "c.json").mkdir()
    with pytest.raises(StoreError, match="could not be written"):
        write_atomically(tmp_path / "c.json", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.json"]


def test_an_old_file_survives_a_disk_that_takes_no_more(tmp_path):
    path = tmp_path / "c.json"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE, str(path)], capture_output=True, text=True, check=True
    )
    assert f"{path}: could not be written" in done.stdout
    assert "free some space" in done.stdout
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"c.json": b"old"}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has /dev/full")
def test_a_full_device_is_a_clear_error_and_the_device_stays():
    with pytest.raises(StoreError) as caught:
        write_atomically(Path("/dev/full"), b"new")
    assert "free some space" in caught.value.remedy
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has /proc")
def test_a_place_where_nothing_can_be_made_is_a_clear_error():
    with pytest.raises(StoreError, match=r"/proc/costguard/c\.json"):
        write_atomically(Path("/proc/costguard/c.json"), b"new")
