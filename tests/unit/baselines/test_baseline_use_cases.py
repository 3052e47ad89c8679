"""Finding, saving, importing, promoting and pruning baselines in a project."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from factories.baselines import (
    EPYC,
    NOON,
    RERANK,
    XEON,
    baseline_run,
    failure,
    measurement,
    report,
    run,
)

from pytest_costguard.app import baselines
from pytest_costguard.app.stores import store_of
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.errors import ConfigError, RecordError, StoreError
from pytest_costguard.records import to_json

BENCHMARK = Path(__file__).parents[2] / "fixtures" / "pytest_benchmark" / "version-5.json"


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path)


def located(requested, rootdir, fingerprint=EPYC):
    return baselines.locate(
        requested, store=store_of(rootdir), rootdir=rootdir, fingerprint=fingerprint
    )


def written(path: Path, record) -> Path:
    write_atomically(path, to_json(record))
    return path


def test_none_is_no_baseline_and_no_complaint(tmp_path, store):
    store.add("main", baseline_run())
    assert located("none", tmp_path) == (None, "")


def test_auto_before_the_first_baseline_is_none_without_complaint(tmp_path):
    assert located("auto", tmp_path) == (None, "")


@pytest.mark.parametrize("requested", ["auto", "main"])
def test_auto_is_the_baseline_named_main(tmp_path, store, requested):
    store.add("main", baseline_run())
    found, problem = located(requested, tmp_path)
    assert (found.name, found.runs, problem) == ("main", (baseline_run(),), "")
    assert found.location == str(store.folder("main"))


def test_a_baseline_made_elsewhere_comes_without_runs_and_names_its_series(tmp_path, store):
    store.add("main", baseline_run())
    found, problem = located("auto", tmp_path, XEON)
    assert (found.runs, problem) == ((), "")
    assert "EPYC" in found.other_series[0]


def test_auto_with_a_corrupt_run_is_an_error_not_a_missing_baseline(tmp_path, store):
    store.add("main", baseline_run())
    (store.folder("main") / "broken.json").write_text("{")
    with pytest.raises(RecordError, match=r"broken\.json"):
        located("auto", tmp_path)


def test_a_name_that_is_missing_is_an_error_with_the_command_that_makes_it(tmp_path, store):
    store.add("main", baseline_run())
    with pytest.raises(StoreError, match=r"no baseline 'release'.*it has main") as caught:
        located("release", tmp_path)
    assert "costguard baseline record --name release --runs 8" in caught.value.remedy


@pytest.mark.parametrize("requested", ["old/run.json", "../run.json", "/nowhere/run.json"])
def test_a_path_that_is_missing_is_an_error(tmp_path, requested):
    with pytest.raises(StoreError, match="no such file or folder"):
        located(requested, tmp_path)


@pytest.mark.parametrize(
    "record", [baseline_run(), run(measurement()), report()], ids=["baseline", "run", "report"]
)
def test_a_path_may_be_a_baseline_run_a_run_or_a_report(tmp_path, record):
    path = written(tmp_path / "some.json", record)
    found, problem = located(str(path), tmp_path)
    assert problem == ""
    assert [one.workload for one in found.runs[0].workloads] == [RERANK]
    assert found.location == str(path)


def test_a_relative_path_is_found_from_the_project(tmp_path):
    written(tmp_path / "artifacts" / "some.json", baseline_run())
    found, _ = located("artifacts/some.json", tmp_path)
    assert found.runs == (baseline_run(),)


def test_a_name_in_the_store_comes_before_a_path(tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store.add("main", baseline_run("stored"))
    written(tmp_path / "main", baseline_run("file"))
    found, _ = located("main", tmp_path)
    assert [one.run_id for one in found.runs] == ["stored"]


def test_a_folder_of_files_is_a_series_in_which_each_run_counts_once(tmp_path):
    folder = tmp_path / "downloaded"
    written(folder / "1.json", baseline_run("a"))
    written(folder / "2.json", baseline_run("b", hours=1))
    written(folder / "run.json", run(measurement()))
    written(folder / "report.json", report())
    found, _ = located(str(folder), tmp_path)
    assert [one.run_id for one in found.runs] == ["a", "run-7", "b"]


def test_a_folder_without_files_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"no \.json file"):
        located("empty", tmp_path)


def test_a_file_in_which_nothing_was_measured_is_no_baseline_and_says_why(tmp_path):
    path = written(tmp_path / "some.json", run(failures=(failure(),)))
    found, problem = located(str(path), tmp_path)
    assert found is None
    assert "holds no measured workload" in problem


def test_a_file_of_pytest_benchmark_is_refused_with_the_command_that_imports_it(tmp_path):
    with pytest.raises(RecordError) as caught:
        located(str(BENCHMARK), tmp_path)
    assert "costguard baseline import" in caught.value.remedy


def test_a_saved_run_is_the_next_baseline(tmp_path):
    path = Path(baselines.save(run(measurement()), "main", store=store_of(tmp_path)))
    found, _ = located("auto", tmp_path)
    assert path.is_file()
    (kept,) = found.runs
    assert (kept.run_id, kept.commit, kept.lock_digest) == ("run-7", run().commit, "l0ck")
    assert kept.workloads[0].metrics["mean"] == (pytest.approx(0.004),)
    assert kept.workloads[0].calibration == (pytest.approx(0.0011),)
    assert "cost_per_1k" not in kept.workloads[0].metrics


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (run(), "nothing was measured"),
        (run(measurement(), complete=False), "interrupted"),
        (run(measurement(), failures=(failure(),)), "could not be measured: the model is gone"),
    ],
)
def test_an_unfit_run_is_not_saved_and_the_reason_is_said(tmp_path, unfit, reason):
    with pytest.raises(StoreError, match=reason):
        baselines.save(unfit, "main", store=store_of(tmp_path))
    assert not (tmp_path / ".costguard").exists()


@pytest.mark.parametrize(
    "part", [run(measurement(), complete=False), run(measurement(), failures=(failure(),))]
)
def test_a_partial_run_is_saved_where_that_is_allowed(tmp_path, part):
    assert Path(baselines.save(part, "main", store=store_of(tmp_path), partial=True)).is_file()


def test_nothing_is_never_a_baseline(tmp_path):
    with pytest.raises(StoreError, match="nothing was measured"):
        baselines.save(run(failures=(failure(),)), "main", store=store_of(tmp_path), partial=True)


def test_importing_twice_adds_one_run(tmp_path, store):
    for _ in range(2):
        baselines.import_file(BENCHMARK, "main", store=store_of(tmp_path))
    assert [one.source for one in store.series("main")] == ["pytest-benchmark"]


def test_our_own_runs_can_be_imported_too(tmp_path, store):
    path = written(tmp_path / "run.json", run(measurement()))
    baselines.import_file(path, "main", store=store_of(tmp_path))
    assert [one.run_id for one in store.series("main")] == ["run-7"]


def test_the_error_of_an_import_is_about_the_file_it_seems_to_be(tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text('{"kind": "run", "schema_version": 1}')
    theirs.write_text('{"benchmarks": []}')
    with pytest.raises(RecordError, match="run_id"):
        baselines.import_file(ours, "main", store=store_of(tmp_path))
    with pytest.raises(RecordError, match="not a file of pytest-benchmark"):
        baselines.import_file(theirs, "main", store=store_of(tmp_path))


def test_an_overview_has_a_series_for_each_name_and_hardware(tmp_path, store):
    store.add("main", baseline_run("a"))
    store.add("main", baseline_run("b", fingerprint=XEON))
    store.add("pr", baseline_run("c"))
    found = baselines.overview(store_of(tmp_path))
    assert [(one.name, one.runs[0].run_id) for one in found.series] == [
        ("main", "a"),
        ("main", "b"),
        ("pr", "c"),
    ]


def test_an_overview_shows_the_rest_beside_a_corrupt_name(tmp_path, store):
    store.add("pr", baseline_run("c"))
    store.add("main", baseline_run("a"))
    (store.folder("main") / "broken.json").write_text("{")
    found = baselines.overview(store_of(tmp_path))
    assert [one.name for one in found.series] == ["pr"]
    assert "broken.json" in str(found.problems[0])


def pruned(rootdir, **how):
    return baselines.prune("main", store=store_of(rootdir), now=NOON + dt.timedelta(days=9), **how)


def test_pruning_keeps_the_last_runs(tmp_path, store):
    for hour in range(4):
        store.add("main", baseline_run(f"r{hour}", hours=hour))
    assert pruned(tmp_path, keep=1).run_ids == ("r0", "r1", "r2")
    assert [one.run_id for one in store.series("main")] == ["r3"]


def test_pruning_by_age(tmp_path, store):
    store.add("main", baseline_run("old"))
    store.add("main", baseline_run("new", hours=24 * 8))
    assert pruned(tmp_path, older_than=dt.timedelta(days=5)).run_ids == ("old",)


def test_pruning_needs_to_be_told_what(tmp_path, store):
    store.add("main", baseline_run())
    with pytest.raises(ConfigError, match="not said what to remove"):
        pruned(tmp_path)


def test_pruning_corrupt_files_makes_the_series_readable(tmp_path, store):
    store.add("main", baseline_run())
    broken = store.folder("main") / "broken.json"
    broken.write_text("{")
    assert pruned(tmp_path, corrupt=True).files == (str(broken),)
    assert len(store.series("main")) == 1


def test_pruning_a_name_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="it is empty"):
        pruned(tmp_path, keep=1)


def test_the_project_is_the_nearest_folder_with_a_sign_of_one(tmp_path):
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "project" / "pyproject.toml").touch()
    assert baselines.project_root(inner) == (tmp_path / "project").resolve()
