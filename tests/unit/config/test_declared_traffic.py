"""The traffic of markers and rules: one line, or a file of the project; and what is kept of it."""

from __future__ import annotations

import pytest

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.gates import gates_for, parse_marker
from pytest_costguard.config.traffic import KEPT_STEPS, declared_traffic
from pytest_costguard.cost.traffic import recorded_peak, recorded_profile
from pytest_costguard.errors import ConfigError

NODE = "tests/test_rerank.py::test_rerank"


def traffic_of(folder, said, toml=""):
    (folder / "pyproject.toml").write_text(toml)
    settings = resolve(cli={}, environ={}, rootdir=folder)
    return gates_for(NODE, settings, parse_marker(said, nodeid=NODE)).traffic


def day(folder, *rates, name="day.csv"):
    lines = "".join(f"{300 * number},{rate}\n" for number, rate in enumerate(rates))
    (folder / name).write_text(f"time,rate\n{lines}")


def test_a_rate_that_never_changes_has_no_steps(tmp_path):
    found = traffic_of(tmp_path, {"traffic": "120/s"})
    assert (found.peak_per_second, found.steps, found.digest) == (None, None, "")
    assert recorded_peak(found) == pytest.approx(120.0)


def test_peak_and_average_are_kept_as_the_day_that_they_are(tmp_path):
    found = traffic_of(tmp_path, {"traffic": "peak=120/s,average=30/s"})
    assert found.peak_per_second == pytest.approx(120.0)
    assert recorded_profile(found).average == pytest.approx(30.0, rel=1e-3)
    assert found.text == "peak=120/s,average=30/s"


def test_a_file_is_looked_for_in_the_root_directory(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "traffic").mkdir()
    day(tmp_path, 1, 5, 3, name="traffic/day.csv")
    rule = '[[tool.costguard.rules]]\nworkload = "tests/*"\ntraffic = "traffic/day.csv"\n'

    by_marker = traffic_of(tmp_path, {"traffic": "traffic/day.csv"})
    by_rule = traffic_of(tmp_path, {}, rule)

    for found in (by_marker, by_rule):
        assert found.steps.items_per_second == (1.0, 5.0, 3.0)
        assert (found.steps.step_seconds, found.peak_per_second) == (300.0, 5.0)
        assert found.items_per_month == pytest.approx(3.0 * 730 * 3600)
    assert by_marker.digest == by_rule.digest != ""


def test_of_more_steps_than_a_report_keeps_the_peak_and_the_mean_are_left(tmp_path):
    day(tmp_path, *range(KEPT_STEPS + 1))
    found = traffic_of(tmp_path, {"traffic": "day.csv"})
    assert found.steps is None
    assert recorded_peak(found) == KEPT_STEPS
    assert recorded_profile(found) is None


def test_what_a_rules_file_holds_is_part_of_the_configurations_digest(tmp_path):
    rule = '[[tool.costguard.rules]]\nworkload = "tests/*"\ntraffic = "day.csv"\n'
    (tmp_path / "pyproject.toml").write_text(rule)
    digests = []
    for rates in ((1, 2, 3), (3, 2, 1)):
        day(tmp_path, *rates)
        digests.append(resolve(cli={}, environ={}, rootdir=tmp_path).digest)
    assert digests[0] != digests[1]


def test_a_marker_is_understood_without_its_file(tmp_path):
    assert parse_marker({"traffic": "gone.csv"}, nodeid=NODE).traffic.text == "gone.csv"
    with pytest.raises(ConfigError, match=rf"marker of {NODE}: traffic: gone\.csv: could not"):
        traffic_of(tmp_path, {"traffic": "gone.csv"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,rate\n0,1\n300,-2\n600,1\n", r"day\.csv:3: the rate '-2' is negative"),
        ("time,rate\n0,1\n300,1\n900,1\n", r"day\.csv: point 3 comes 600 s after.*a gap"),
        ("when,rate\n", r"day\.csv:1: the columns are"),
    ],
)
def test_a_file_that_is_no_traffic_names_who_declares_it_and_the_line(tmp_path, text, told):
    (tmp_path / "day.csv").write_text(text)
    with pytest.raises(ConfigError, match=rf"marker of {NODE}: traffic: {told}") as caught:
        traffic_of(tmp_path, {"traffic": "day.csv"})
    assert caught.value.remedy

    rule = '[[tool.costguard.rules]]\nworkload = "tests/*"\ntraffic = "day.csv"\n'
    with pytest.raises(ConfigError, match=rf"pyproject\.toml: tool\.costguard\.rules\[0\].*{told}"):
        traffic_of(tmp_path, {}, rule)


@pytest.mark.parametrize("value", ["", " ", 5, "lots", "-1/s", "peak=1/s", "a\n.csv", True])
def test_what_is_no_traffic_is_refused_at_once(value):
    with pytest.raises(ConfigError, match="marker: traffic"):
        declared_traffic(value, origin="marker", key="traffic")
