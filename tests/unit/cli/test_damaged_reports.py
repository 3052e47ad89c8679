"""Damaged files given to `plan` and `export` end in an error with file and remedy, never else."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pytest_costguard.cli.main import main

COMMANDS = [
    ("plan", "{bad}", "--traffic", "50/s"),
    ("plan", "{bad}", "--traffic", "50/s", "--json"),
    ("plan", "{good}", "--traffic", "50/s", "--compare", "{bad}"),
    ("export", "hpa", "{bad}", "--traffic", "50/s", "--deployment", "a"),
    ("export", "focus", "{bad}", "--traffic", "50/s"),
    ("export", "openmetrics", "{bad}"),
]
FILES = {
    "empty": b"",
    "not JSON": b"\x89PNG\r\n\x1a\n",
    "a list": b"[]",
    "a number": b"1e999",
    "null": b"null",
    "a text": b'"report"',
    "nested": b"[" * 100_000,
    "nested fields": b'{"kind": "report", "schema_version": 1, "run": ' + b'{"a":' * 50_000,
    "UTF-16": '{"kind": "report"}'.encode("utf-16"),
    "half a character": b'{"kind": "report\xc3"}',
    "NaN": b'{"kind": "report", "schema_version": NaN}',
    "another kind": b'{"kind": ["report"], "schema_version": 1}',
    "a huge version": b'{"kind": "report", "schema_version": 1' + b"0" * 5000 + b"}",
    "newer": b'{"kind": "report", "schema_version": 99}',
}
UNITS = ("run", "measurements", 0, "units")
FIELDS = [
    (UNITS, []),
    (UNITS, {}),
    ((*UNITS, 0, "blocks"), 7),
    ((*UNITS, 0, "latency_seconds", 0), "quick"),
    ((*UNITS, 0, "blocks", 0, "wall_seconds"), -1),
    ((*UNITS, 0, "blocks", 0, "wall_seconds"), 10**400),
    ((*UNITS, 0, "blocks", 0, "wall_seconds"), 5e-324),
    ((*UNITS, 0, "blocks", 0, "requests"), 10**400),
    ((*UNITS, 0, "latency_seconds", 0), 1e308),
    ((*UNITS, 0, "sensors", "wall_seconds"), 1e308),
    (("run",), []),
    (("run", "schema_version"), 2),
    (("verdicts", 0, "figures", "throughput", "confidence"), 1e308),
    (("run", "measurements", 0, "workload", "nodeid"), ""),
    (("verdicts", 0, "cost", "share"), "0"),
    (("verdicts", 0, "cost", "share"), "NaN"),
    (("verdicts", 0, "figures", "throughput", "estimate"), None),
    (("target", "quote", "usd_per_hour"), "Infinity"),
    (("target", "quote", "usd_per_hour"), "-3"),
    (("target", "quote", "usd_per_hour"), "1E308"),
    (("target", "quote", "discount"), "-1"),
    (("target", "workers_per_instance"), 0),
    (("target", "instance_share"), "2"),
]


def told(words, **paths):
    said = [word.format(**paths) for word in words]
    done = CliRunner().invoke(main, said)
    assert done.exception is None or isinstance(done.exception, SystemExit), said
    return done


@pytest.fixture
def bad(tmp_path):
    return tmp_path / "bad.json"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_report_is_told(words, name, report, bad):
    bad.write_bytes(FILES[name])

    done = told(words, bad=bad, good=report)

    assert done.exit_code == 12, done.output
    assert str(bad) in done.stderr
    assert "remedy:" in done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_report_that_was_cut_is_told(words, report, bad):
    bad.write_bytes(report.read_bytes()[:-1000])

    done = told(words, bad=bad, good=report)

    assert done.exit_code == 12, done.output
    assert f"{bad}: not sound JSON" in done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("path", "value"), FIELDS, ids=lambda one: str(one)[:60] if one is not None else "None"
)
def test_a_field_that_cannot_be_is_told_with_its_place(words, path, value, report, bad):
    damaged = json.loads(report.read_bytes())
    at = damaged
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    bad.write_text(json.dumps(damaged))

    done = told(words, bad=bad, good=report)

    assert done.exit_code == 12, done.output
    assert str(bad) in done.stderr
    assert "`$" in done.stderr
    assert "remedy:" in done.stderr


@pytest.mark.parametrize("estimate", [5e-324, 1e6])
@pytest.mark.parametrize(
    "words",
    [
        ("plan", "{bad}", "--traffic", "50/s"),
        ("explain-cost", "{bad}"),
        ("export", "openmetrics", "{bad}"),
    ],
    ids=" ".join,
)
def test_what_was_measured_counts_and_not_what_the_file_says_of_it(words, estimate, report, bad):
    damaged = json.loads(report.read_bytes())
    damaged["verdicts"][0]["figures"]["throughput"]["estimate"] = estimate
    bad.write_text(json.dumps(damaged))

    done = told(words, bad=bad)

    assert done.exit_code == 0, done.output
    assert done.output == told(words, bad=report).output


def test_a_folder_and_a_file_that_is_not_there_are_told(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        done = told(("plan", "{bad}", "--traffic", "50/s"), bad=path)
        assert done.exit_code == 13, done.output
        assert str(path) in done.stderr
