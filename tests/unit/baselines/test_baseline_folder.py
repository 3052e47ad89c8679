"""The store in a folder: what goes beyond the contract of every store."""

from __future__ import annotations

import datetime as dt
import os

import msgspec
import pytest
from contracts.store import StoreContract
from factories.baselines import NOON, baseline_run

from pytest_costguard.baselines.folder import FolderStore, record_files
from pytest_costguard.errors import RecordError, StoreError


class TestFolderStore(StoreContract):
    def make(self, where):
        return FolderStore(where / ".costguard")


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / ".costguard")


def test_a_run_is_one_compact_file_named_by_time_and_id(store):
    store.add("main", baseline_run("r1"))
    (path,) = store.folder("main").iterdir()
    assert path.name == "20250301T120000.000000Z-r1.json"
    assert path.read_bytes().count(b"\n") == 1


def test_the_time_in_the_name_is_utc_whatever_the_zone_of_the_run(store):
    berlin = dt.timezone(dt.timedelta(hours=1))
    for run_id, created in (("a", NOON.astimezone(berlin)), ("b", NOON.replace(tzinfo=None))):
        store.add("main", msgspec.structs.replace(baseline_run(run_id), created=created))
    assert {path.name[:22] for path in store.folder("main").iterdir()} == {"20250301T120000.000000"}


def test_runs_with_and_without_a_time_zone_can_be_ordered(store):
    store.add("main", msgspec.structs.replace(baseline_run("a"), created=dt.datetime(2026, 1, 1)))
    store.add("main", baseline_run("b"))
    assert [run.run_id for run in store.series("main")] == ["b", "a"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_at_the_end_of_the_calendar_breaks_nothing(store, text):
    created = dt.datetime.fromisoformat(text)
    store.add("main", msgspec.structs.replace(baseline_run(), created=created))
    assert store.series("main")[0].created == created


def test_the_folder_ignores_what_need_not_be_committed(store):
    store.add("main", baseline_run())
    lines = (store.root / ".gitignore").read_text().splitlines()
    assert lines[1:] == ["cache/", "reports/", "*.tmp"]


def test_a_gitignore_that_someone_changed_is_left_alone(store):
    store.root.mkdir()
    (store.root / ".gitignore").write_text("*\n")
    store.add("main", baseline_run())
    assert (store.root / ".gitignore").read_text() == "*\n"


def test_a_corrupt_file_is_named_and_never_skipped(store):
    store.add("main", baseline_run("a"))
    path = store.folder("main") / "20250101T000000.000000Z-b.json"
    path.write_text('{"kind": "baseline"')
    with pytest.raises(RecordError, match=r"20250101T000000\.000000Z-b\.json") as caught:
        store.series("main")
    assert "costguard baseline prune main --corrupt" in caught.value.remedy


@pytest.mark.parametrize("leads_to", ["nowhere", "itself"])
def test_a_run_that_is_a_link_to_nothing_is_named_and_never_skipped(store, leads_to):
    link = store.folder("main") / "20260101T000000.000000Z-r1.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(link.name if leads_to == "itself" else "nowhere.json")

    with pytest.raises(StoreError) as caught:
        store.series("main")

    assert str(link) in caught.value.message
    assert "remove the link" in caught.value.remedy


@pytest.mark.parametrize("place", ["", "baselines", "baselines/main"])
@pytest.mark.parametrize("leads_to", ["nowhere", "itself"])
def test_a_folder_that_is_a_link_to_nothing_is_named(tmp_path, place, leads_to):
    store = FolderStore(tmp_path / "store")
    link = store.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(link.name if leads_to == "itself" else "nowhere")

    with pytest.raises(StoreError) as caught:
        store.series("main")

    assert str(link) in caught.value.message
    assert "remove the link" in caught.value.remedy


def test_a_run_that_another_process_has_just_removed_is_no_error(store, monkeypatch):
    store.add("main", baseline_run())
    gone = store.folder("main") / "20260101T000000.000000Z-r2.json"
    listed = [*record_files(store.folder("main")), gone]
    monkeypatch.setattr("pytest_costguard.baselines.folder.record_files", lambda _: listed)

    assert store.series("main") == (baseline_run(),)


def test_a_copied_run_does_not_count_twice(store):
    store.add("main", baseline_run("a"))
    (path,) = store.folder("main").iterdir()
    path.with_name("20250301T120000.000000Z-b.json").write_bytes(path.read_bytes())
    with pytest.raises(RecordError, match="renamed or copied"):
        store.series("main")


def test_corrupt_files_can_be_discarded_and_the_sound_ones_stay(store):
    store.add("main", baseline_run("a"))
    broken = store.folder("main") / "broken.json"
    broken.write_text("[]")
    assert store.discard_corrupt("main") == (str(broken),)
    assert store.series("main") == (baseline_run("a"),)


def test_a_run_of_a_newer_version_is_not_discarded_as_corrupt(store):
    store.add("main", baseline_run("a"))
    (path,) = store.folder("main").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"schema_version":1', b'"schema_version":2'))
    assert store.discard_corrupt("main") == ()
    with pytest.raises(RecordError) as caught:
        store.series("main")
    assert "upgrade" in caught.value.remedy


def test_a_run_can_be_removed_from_a_series_with_a_corrupt_file(store):
    store.add("main", baseline_run("a"))
    (store.folder("main") / "broken.json").write_text("[]")
    assert store.remove("main", ["a"]) == ("a",)


def test_temporary_files_are_not_runs(store):
    store.add("main", baseline_run("a"))
    (store.folder("main") / ".1-2.tmp").write_text("half a ru")
    assert len(store.series("main")) == 1


def test_what_a_killed_writer_left_long_ago_is_swept_away(store):
    store.add("main", baseline_run("a"))
    old, fresh = (store.folder("main") / name for name in (".1-old.tmp", ".2-fresh.tmp"))
    old.touch()
    fresh.touch()
    os.utime(old, (1_000_000_000, 1_000_000_000))
    store.add("main", baseline_run("b"))
    assert (old.exists(), fresh.exists()) == (False, True)


def test_folders_that_are_not_baselines_are_not_names(store):
    store.add("main", baseline_run())
    (store.root / "baselines" / "empty").mkdir()
    (store.root / "baselines" / ".hidden").mkdir()
    (store.root / "baselines" / ".hidden" / "x.json").touch()
    assert store.names() == ("main",)


def test_a_file_in_place_of_the_folder_is_a_clear_error(store):
    store.root.write_text("in the way")
    with pytest.raises(StoreError, match="could not be written"):
        store.add("main", baseline_run())
    with pytest.raises(StoreError, match="could not be read"):
        store.names()
