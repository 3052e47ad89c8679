"""Baselines by an address: any file system that fsspec knows."""

from __future__ import annotations

import sys

import pytest
from contracts.store import StoreContract
from factories.baselines import baseline_run

from pytest_costguard.app.stores import opened
from pytest_costguard.baselines.folder import FolderStore
from pytest_costguard.baselines.object_store import ObjectFiles
from pytest_costguard.baselines.run_store import RunStore
from pytest_costguard.errors import ConfigError, RecordError, StoreError

fsspec = pytest.importorskip("fsspec")


class TestObjectsInMemory(StoreContract):
    def make(self, where):
        return RunStore(ObjectFiles(f"memory://{where.name}-{id(self)}"))

    @pytest.fixture(autouse=True)
    def _empty(self):
        yield
        fsspec.filesystem("memory").store.clear()


class TestObjectsInAFolder(StoreContract):
    def make(self, where):
        return RunStore(ObjectFiles(f"local://{where}/shared"))


def test_an_address_of_files_is_a_folder(tmp_path):
    store = opened(f"file://{tmp_path}/shared", rootdir=tmp_path, environ={})
    assert isinstance(store, FolderStore)
    store.add("main", baseline_run())
    assert (tmp_path / "shared" / "baselines" / "main").is_dir()


def test_a_scheme_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match="nowhere://x"):
        ObjectFiles("nowhere://x")


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError) as caught:
        ObjectFiles("s3://bucket")
    assert "pytest-costguard[stores]" in caught.value.remedy


def test_a_corrupt_object_names_its_place(tmp_path):
    store = RunStore(ObjectFiles(f"local://{tmp_path}/shared"))
    store.add("main", baseline_run())
    (tmp_path / "shared" / "baselines" / "main" / "broken.json").write_text("{")
    with pytest.raises(RecordError, match=r"local://.*main/broken\.json"):
        store.series("main")


def test_whatever_a_client_raises_names_the_place(monkeypatch, tmp_path):
    files = ObjectFiles(f"local://{tmp_path}/shared")

    def refuse(*_, **__):
        raise RuntimeError("the token has expired")

    monkeypatch.setattr(files._system, "pipe_file", refuse)
    with pytest.raises(StoreError, match=r"local://.*the token has expired"):
        RunStore(files).add("main", baseline_run())


@pytest.mark.parametrize(
    "address", ["s3://", "s3:///", "memory://", "://", "file://", "file://host/folder"]
)
def test_an_address_without_a_place_is_refused(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no place|no host"):
        opened(address, rootdir=tmp_path, environ={})
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_an_address_is_in_nothing_that_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = opened("local://user:secret@kept", rootdir=tmp_path, environ={})
    assert (store.location, store.place("main")) == ("local://…@kept", "local://…@kept: main")
    for address in ("ftp://user:secret@127.0.0.1:9/x", "nowhere://user:secret@x"):
        with pytest.raises((ConfigError, StoreError)) as caught:
            opened(address, rootdir=tmp_path, environ={}).names()
        assert "secret" not in str(caught.value)
