"""What every store of baselines must keep: inherit, implement `make`, and name the class Test…

class TestFolderStore(StoreContract):
    def make(self, where): return FolderStore(where)
"""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.baselines import EMBED, EPYC, RERANK, XEON, baseline_run, stored

from pytest_costguard.baselines.store import Store
from pytest_costguard.errors import ConfigError, StoreError


class StoreContract:
    """The suite; a class that inherits from it opens a store in an empty folder of the test's."""

    def make(self, where: Path) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return self.make(tmp_path)

    def test_an_empty_store_has_no_names_and_no_runs(self, store):
        assert (store.names(), store.series("main")) == ((), ())

    def test_a_run_comes_back_as_it_was_added(self, store):
        store.add("main", baseline_run())
        assert store.series("main") == (baseline_run(),)

    def test_another_process_would_see_what_was_added(self, store, tmp_path):
        store.add("main", baseline_run())
        assert self.make(tmp_path).series("main") == (baseline_run(),)

    def test_adding_says_where_the_run_lies(self, store):
        assert "r1" in store.add("main", baseline_run("r1"))

    def test_names_are_sorted_and_only_those_with_runs(self, store):
        for name in ("pr-2", "main"):
            store.add(name, baseline_run(name))
        store.add("gone", baseline_run())
        store.remove("gone", ["r1"])
        assert store.names() == ("main", "pr-2")

    def test_a_series_is_in_the_order_of_time_not_of_adding(self, store):
        for run_id, hours in (("b", 2.0), ("c", 1.0), ("a", 3.0)):
            store.add("main", baseline_run(run_id, hours=hours))
        assert [run.run_id for run in store.series("main")] == ["c", "b", "a"]

    def test_runs_of_the_same_moment_are_both_kept(self, store):
        store.add("main", baseline_run("a"))
        store.add("main", baseline_run("b"))
        assert [run.run_id for run in store.series("main")] == ["a", "b"]

    def test_adding_a_run_twice_keeps_one(self, store):
        store.add("main", baseline_run())
        store.add("main", baseline_run())
        assert len(store.series("main")) == 1

    def test_removing_takes_the_named_runs_only_and_tells_which(self, store):
        for run_id in ("a", "b", "c"):
            store.add("main", baseline_run(run_id))
        assert sorted(store.remove("main", ["c", "a", "unknown"])) == ["a", "c"]
        assert [run.run_id for run in store.series("main")] == ["b"]

    def test_an_id_that_ends_like_another_is_not_confused_with_it(self, store):
        for run_id in ("1", "x-1", "2025-1"):
            store.add("main", baseline_run(run_id))
        store.remove("main", ["1"])
        assert sorted(run.run_id for run in store.series("main")) == ["2025-1", "x-1"]

    def test_ids_are_known_without_reading_a_run(self, store):
        for run_id in ("a", "x-b"):
            store.add("main", baseline_run(run_id))
        assert store.run_ids("main") == {"a", "x-b"}
        assert store.run_ids("other") == frozenset()

    def test_nothing_sound_is_discarded(self, store):
        store.add("main", baseline_run())
        assert store.discard_corrupt("main") == ()
        assert len(store.series("main")) == 1

    def test_every_name_has_a_place_that_says_where_the_store_is(self, store):
        assert "main" in store.place("main")
        assert store.location

    def test_removing_from_a_name_that_is_not_there_removes_nothing(self, store):
        assert store.remove("main", ["a"]) == ()

    def test_promoting_replaces_the_runs_of_the_same_hardware(self, store):
        store.add("main", baseline_run("old"))
        store.add("pr", baseline_run("new", hours=1))
        assert store.promote("pr", "main") == ("new",)
        assert [run.run_id for run in store.series("main")] == ["new"]

    def test_promoting_keeps_the_source(self, store):
        store.add("pr", baseline_run("new"))
        store.promote("pr", "main")
        assert store.series("pr") == store.series("main") == (baseline_run("new"),)

    def test_promoting_keeps_runs_on_other_hardware(self, store):
        store.add("main", baseline_run("other", fingerprint=XEON))
        store.add("pr", baseline_run("new", fingerprint=EPYC, hours=1))
        store.promote("pr", "main")
        assert [run.run_id for run in store.series("main")] == ["other", "new"]

    def test_promoting_keeps_the_workloads_that_were_not_measured_again(self, store):
        both = (stored(RERANK), stored(EMBED))
        store.add("main", baseline_run("old", workloads=both))
        store.add("pr", baseline_run("new", hours=1, workloads=(stored(RERANK),)))
        store.promote("pr", "main")
        left = {run.run_id: [one.workload for one in run.workloads] for run in store.series("main")}
        assert left == {"old": [EMBED], "new": [RERANK]}

    def test_promoting_twice_is_promoting_once(self, store):
        store.add("main", baseline_run("old"))
        store.add("pr", baseline_run("new", hours=1))
        store.promote("pr", "main")
        store.promote("pr", "main")
        assert [run.run_id for run in store.series("main")] == ["new"]

    def test_promoting_from_nothing_is_an_error_and_changes_nothing(self, store):
        store.add("main", baseline_run())
        with pytest.raises(StoreError, match="no baseline 'pr'"):
            store.promote("pr", "main")
        assert len(store.series("main")) == 1

    def test_promoting_to_itself_is_an_error(self, store):
        store.add("main", baseline_run())
        with pytest.raises(ConfigError, match="both source and target"):
            store.promote("main", "main")

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".",
            "..",
            "a..b",
            "../up",
            "a/b",
            "a\\b",
            ".hidden",
            "-x",
            "a b",
            "ä",
            "a\n",
            "x" * 101,
        ],
    )
    def test_a_name_that_could_lead_elsewhere_is_refused(self, store, name):
        with pytest.raises(ConfigError, match="cannot be the name"):
            store.add(name, baseline_run())

    @pytest.mark.parametrize("run_id", ["", "a/b", "../x", "a\0b", "x" * 151])
    def test_a_run_id_that_could_lead_elsewhere_is_refused(self, store, run_id):
        with pytest.raises(StoreError, match="run id"):
            store.add("main", baseline_run(run_id))
