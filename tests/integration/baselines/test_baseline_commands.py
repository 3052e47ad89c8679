"""`costguard baseline …` and `costguard schema`, as a person types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from factories.baselines import EMBED, RERANK, XEON, baseline_run, failure, measurement, report, run
from factories.baselines import stored as workload

from pytest_costguard.app.stores import store_of
from pytest_costguard.baselines.reading import read_any
from pytest_costguard.cli.baseline import baseline
from pytest_costguard.cli.schema import schema, schema_text
from pytest_costguard.errors import RecordError, StoreError
from pytest_costguard.records import WorkloadId, to_json

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures"


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path)


@pytest.fixture
def typed(tmp_path):
    def typed(*arguments: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(
            baseline, ["--rootdir", str(tmp_path), *arguments], catch_exceptions=False
        )
        assert done.exit_code == exit_code, done.output
        return done.output

    return typed


def test_an_empty_store_says_how_to_begin(typed):
    assert "costguard baseline record --runs 8" in typed("list")


def test_the_list_has_a_line_for_each_name_and_hardware(typed, store):
    store.add("main", baseline_run("a"))
    store.add("main", baseline_run("b", hours=48))
    store.add("main", baseline_run("c", fingerprint=XEON))
    store.add("pr-7", baseline_run("d"))
    lines = [re.split(r"\s{2,}", line.strip()) for line in typed("list").splitlines() if line]
    epyc, xeon = "AMD EPYC 7763, 4 cores, 1 x NVIDIA L4", "Intel Xeon 8370C, 2 cores"
    commit = "0123456789 + changes"
    assert lines == [
        ["Name", "Hardware", "Runs", "Workloads", "First", "Last", "Commit"],
        ["main", epyc, "2", "1", "2025-03-01", "2025-03-03", commit],
        ["main", xeon, "1", "1", "2025-03-01", "2025-03-01", commit],
        ["pr-7", epyc, "1", "1", "2025-03-01", "2025-03-01", commit],
    ]


def test_the_list_with_a_corrupt_baseline_shows_the_others_and_fails(tmp_path, store):
    store.add("pr-7", baseline_run())
    store.add("main", baseline_run())
    (store.folder("main") / "broken.json").write_text("{")
    done = CliRunner().invoke(baseline, ["--rootdir", str(tmp_path), "list"])
    assert "pr-7" in done.output
    assert isinstance(done.exception, RecordError)


def test_a_baseline_is_shown_with_its_runs_and_figures(typed, store):
    store.add("main", baseline_run("a", workloads=(workload(mean=(0.004,)),)))
    store.add("main", baseline_run("b", hours=1, workloads=(workload(mean=(0.005,)),)))
    shown = typed("show")
    assert "main on AMD EPYC 7763, 4 cores, 1 x NVIDIA L4" in shown
    assert "2025-03-01 13:00" in shown
    assert "Mean latency (ms)" in shown
    (line,) = [line for line in shown.splitlines() if "test_rerank" in line]
    # 4 and 5 ms: mean 4.5 ms; 250 and 200 a second: 225; log(5/4) / sqrt(2) = 15.8 %.
    assert re.split(r"\s{2,}", line.strip()) == [str(RERANK), "2", "4.50", "225", "15.8 %"]


def test_foreign_names_are_shown_as_plain_text(typed, store):
    hostile = workload(WorkloadId(nodeid="[red]a[/red]\x1b[31mb"))
    store.add("main", baseline_run(workloads=(hostile,)))
    shown = typed("show")
    assert "[red]a[/red]" in shown
    assert "\x1b" not in shown


def test_showing_what_is_not_there_is_an_error(tmp_path):
    done = CliRunner().invoke(baseline, ["--rootdir", str(tmp_path), "show", "nix"])
    assert isinstance(done.exception, StoreError)


def test_promoting_tells_what_it_did(typed, store):
    store.add("pr-7", baseline_run())
    assert typed("promote", "pr-7") == "Promoted 1 run from 'pr-7' to 'main'.\n"
    assert len(store.series("main")) == 1


def test_pruning_tells_what_it_did(typed, store):
    for hour in range(3):
        store.add("main", baseline_run(f"r{hour}", hours=hour))
    assert typed("prune", "--keep", "1") == "Removed 2 runs from 'main'.\n"


def test_pruning_by_days(typed, store):
    store.add("main", baseline_run())
    assert typed("prune", "--older-than", "30") == "Removed 1 run from 'main'.\n"


def test_pruning_corrupt_files_names_them(typed, store):
    store.add("main", baseline_run())
    (store.folder("main") / "broken.json").write_text("{")
    assert "broken.json" in typed("prune", "--corrupt")
    assert len(store.series("main")) == 1


def test_importing_makes_a_baseline(typed, store):
    shown = typed("import", str(FIXTURES / "pytest_benchmark" / "version-5.json"))
    assert "Imported 3 workloads into 'main'" in shown
    assert len(store.series("main")) == 1


def test_the_published_schema_is_that_of_the_records():
    published = (ROOT / "docs" / "schema" / "records-v1.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run `costguard schema > docs/schema/records-v1.json`"


def test_the_schema_command_prints_the_published_schema():
    assert CliRunner().invoke(schema).output == schema_text()


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("name", ["run", "baseline", "report"])
def test_what_is_written_fits_the_schema(name):
    record = {
        "run": run(measurement(), failures=(failure(),)),
        "baseline": baseline_run(workloads=(workload(RERANK), workload(EMBED))),
        "report": report(),
    }[name]
    jsonschema.validate(json.loads(to_json(record)), json.loads(schema_text()))


@pytest.mark.parametrize("change", [{"kind": None}, {"schema_version": 2}, {"extra": 1}])
def test_the_schema_refuses_what_reading_refuses(change, tmp_path):
    fields = {**msgspec.to_builtins(baseline_run()), **change}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError):
        read_any(path)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fields, json.loads(schema_text()))
