"""Reading records: every way in which a file can be wrong ends in one clear error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from factories.baselines import baseline_run, failure, measurement, report, run
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.baselines import reading
from pytest_costguard.baselines.reading import decode_any, decode_record, read_any, read_record
from pytest_costguard.errors import RecordError, StoreError
from pytest_costguard.records import SCHEMA_VERSION, BaselineRun, Report, Run, to_json

FIXTURES = Path(__file__).parents[2] / "fixtures" / "records"
RECORDS = {
    "run": run(measurement(), failures=(failure(),)),
    "baseline": baseline_run(),
    "report": report(),
}
VALID = {name: msgspec.json.encode(record) for name, record in RECORDS.items()}
BASELINE = VALID["baseline"]


def refused(data: bytes, kind: type = BaselineRun) -> str:
    with pytest.raises(RecordError) as caught:
        decode_record(data, kind, origin="main.json")
    assert "main.json" in caught.value.message
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_as_it_was_written(name, tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(to_json(RECORDS[name]))
    assert read_record(path, type(RECORDS[name])) == RECORDS[name]
    assert read_any(path) == RECORDS[name]


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_files_of_every_version_are_still_read(name, version):
    assert read_any(FIXTURES / f"v{version}" / f"{name}.json") == RECORDS[name]


def test_every_older_version_has_a_migration():
    assert set(reading.MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_an_older_version_is_migrated_step_by_step(monkeypatch):
    monkeypatch.setattr(reading, "SCHEMA_VERSION", 3)
    steps = {
        1: lambda fields: {**fields, "tool_version": fields["tool_version"] + "+1"},
        2: lambda fields: {**fields, "tool_version": fields["tool_version"] + "+2"},
    }
    monkeypatch.setattr(reading, "MIGRATIONS", steps)
    assert decode_any(BASELINE, origin="x").tool_version == "0.1.0+1+2"


def test_another_kind_is_named():
    assert "this is a report, not a baseline run" in refused(VALID["report"])
    assert "this is a baseline run, not a run" in refused(BASELINE, Run)
    assert "this is a run, not a report" in refused(VALID["run"], Report)


def test_a_newer_version_is_refused_with_the_upgrade_as_remedy():
    text = refused(BASELINE.replace(b'"schema_version":1', b'"schema_version":99'))
    assert "schema version 99" in text
    assert "pip install --upgrade" in text


def test_a_newer_version_of_another_form_is_refused_as_newer_not_as_corrupt():
    assert "newer" in refused(b'{"kind":"baseline","schema_version":2,"series":[]}')


@pytest.mark.parametrize("version", [b"0", b"-1", b"1.0", b"true", b'"1"', b"null", b"[1]"])
def test_what_is_no_version_is_refused(version):
    data = BASELINE.replace(b'"schema_version":1', b'"schema_version":' + version)
    assert "`$.schema_version`" in refused(data)


def test_a_missing_version_is_refused():
    assert "`$.schema_version`" in refused(BASELINE.replace(b'"schema_version":1,', b""))


@pytest.mark.parametrize("data", [b'{"benchmarks": []}', b'{"kind": "thing"}', b'{"kind": 3}'])
def test_foreign_json_is_told_from_ours(data):
    assert "not a file of pytest-costguard" in refused(data)


@pytest.mark.parametrize("data", [b"", b" ", b"{", BASELINE[:-1], BASELINE[: len(BASELINE) // 2]])
def test_a_truncated_file_is_refused(data):
    assert "truncated" in refused(data)


@pytest.mark.parametrize("data", [b"\0" * 100, b"<html>", b"\xff\xfe{\0", b"{}{}", b"'kind'"])
def test_what_is_not_json_is_refused(data):
    assert "not sound JSON" in refused(data)


def test_the_place_of_a_wrong_value_is_named():
    assert "`$.fingerprint.cores`" in refused(BASELINE.replace(b'"cores":4', b'"cores":"four"'))


def test_an_unknown_key_is_refused():
    assert "`core`" in refused(BASELINE.replace(b'"cores":4', b'"cores":4,"core":4'))


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1e999", b"-1", b"null", b'"1"'])
def test_a_stored_figure_that_no_clock_can_give_is_refused(value):
    refused(BASELINE.replace(b'"mean":[0.004', b'"mean":[' + value))


@pytest.mark.parametrize("value", [b"NaN", b"-0.5", b"0"])
def test_a_time_that_no_clock_can_give_is_refused_in_a_run(value):
    data = VALID["run"].replace(b'"wall_seconds":0.04,', b'"wall_seconds":' + value + b",")
    assert "wall_seconds" in refused(data, Run) or "malformed" in refused(data, Run)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("key", [b"kind", b"schema_version", b"workloads", b"extra"])
def test_absurd_nesting_is_refused(opening, key):
    refused(b'{"kind":"baseline","schema_version":1,"' + key + b'":' + opening * 200_000)


@pytest.mark.parametrize("digits", [400, 5_000, 100_000])
@pytest.mark.parametrize("name", ["schema_version", "peak_bytes", "requests"])
def test_absurd_numbers_are_refused(name, digits):
    number = b"9" * digits
    refused(VALID["run"].replace(f'"{name}":'.encode(), f'"{name}":'.encode() + number, 1), Run)


def test_a_file_above_the_size_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "SIZE_LIMIT_BYTES", 100)
    path = tmp_path / "huge.json"
    path.write_bytes(BASELINE)
    with pytest.raises(RecordError, match=r"huge\.json: larger than"):
        read_any(path)


def test_a_missing_file_and_a_folder_are_store_errors(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        read_any(tmp_path / "none.json")
    # Windows does not even open a folder.
    with pytest.raises(StoreError, match=r"this is a folder|could not be read"):
        read_any(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path):
    pipe = tmp_path / "report.json"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="this is a pipe") as caught:
        read_any(pipe)
    assert "write what comes out of" in caught.value.remedy


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices among the files")
def test_a_device_is_refused_unread():
    with pytest.raises(StoreError, match="this is a device"):
        read_any(Path("/dev/zero"))


def test_a_byte_order_mark_is_a_clear_error():
    refused(b"\xef\xbb\xbf" + BASELINE)


def survives(data: bytes) -> None:
    """Either a record that is equal after writing and reading it again, or a RecordError."""
    try:
        record = decode_any(data, origin="x")
    except RecordError:
        return
    assert decode_any(msgspec.json.encode(record), origin="x") == record


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["baseline", "run", "report", "1e999999", "2025-01-01", "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(tree: object, path: tuple = ()) -> list[tuple]:
    inner = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


TREES = {name: json.loads(data) for name, data in VALID.items()}
PLACES = [(name, place) for name, tree in TREES.items() for place in places(tree)]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_record_or_a_record_error(data):
    survives(data)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_gives_a_record_or_a_record_error(tree):
    survives(json.dumps(tree).encode())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_at_any_place_gives_a_record_or_a_record_error(where, value):
    name, place = where
    survives(json.dumps(replaced(TREES[name], place, value)).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(VALID)), st.data())
def test_any_damage_to_the_bytes_gives_a_record_or_a_record_error(name, data):
    valid = VALID[name]
    start = data.draw(st.integers(0, len(valid)))
    length = data.draw(st.integers(0, 20))
    survives(valid[:start] + data.draw(st.binary(max_size=5)) + valid[start + length :])
