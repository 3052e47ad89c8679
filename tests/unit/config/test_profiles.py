"""Traffic as people write it: one line, a week by hours, a series over time, Prometheus' answer."""

from __future__ import annotations

import json
import re

import pytest

from pytest_costguard.config.profiles import parse_profile
from pytest_costguard.errors import ConfigError


def parsed(text):
    return parse_profile(str(text), origin="command line", key="--traffic")


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def prometheus(*values, kind="matrix", series=1):
    result = [{"metric": {}, "values": [list(one) for one in values]}] * series
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


def test_a_rate_is_constant():
    profile = parsed("2592000/day")
    assert profile.items_per_second == (pytest.approx(30.0),)


def test_peak_and_average_are_a_day():
    profile = parsed("peak=120/s, average=2400/min")
    assert profile.peak == pytest.approx(120.0)
    assert profile.average == pytest.approx(40.0, rel=1e-3)


def test_a_week_has_a_line_an_hour(tmp_path):
    lines = "".join(f"{hour},{hour / 10}\n" for hour in range(168))
    profile = parsed(written(tmp_path, "week.csv", f"hour,rate\n{lines}"))
    assert (profile.step_seconds, profile.peak) == (3600.0, 16.7)


@pytest.mark.parametrize(
    "times", [("0", "300", "600"), ("2026-03-01T00:00Z", "2026-03-01T00:05Z", "2026-03-01T00:10Z")]
)
def test_a_series_over_time_has_equal_steps(tmp_path, times):
    text = "\ufefftime, rate\r\n" + "".join(f"{time},{n}\r\n" for n, time in enumerate(times))
    profile = parsed(written(tmp_path, "traffic.csv", text))
    assert (profile.step_seconds, profile.items_per_second) == (300.0, (0.0, 1.0, 2.0))


def test_the_answer_of_prometheus_is_read(tmp_path):
    text = prometheus((1700000000, "1.5"), (1700000060.002, "2"), (1700000120, "0"))
    profile = parsed(written(tmp_path, "range.json", text))
    assert profile.items_per_second == (1.5, 2.0, 0.0)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "", "a.csv:1: the columns are none"),
        ("a.csv", "when,what\n", "a.csv:1: the columns are when, what"),
        ("a.csv", "time,rate\n0,1\n300,-2\n600,1\n", "a.csv:3: the rate '-2' is negative"),
        ("a.csv", "time,rate\n0,1\n300,nan\n600,1\n", "a.csv:3: 'nan' is no number"),
        ("a.csv", "time,rate\n0,1\nsoon,1\n", "a.csv:3: "),
        ("a.csv", "time,rate\n0,1,2\n", "a.csv:2: 3 columns"),
        ("a.csv", "time,rate\n0,1\n300,1\n900,1\n", "point 3 comes 600 s after"),
        ("a.csv", "time,rate\n0,1\n0,1\n", "a gap, or out of order"),
        ("a.csv", "time,rate\n0,1\n", "1 points"),
        ("a.csv", "time,rate\n0,1\n1e308,2\n", "1e+308 s after the first, which is over a year"),
        (
            "a.csv",
            "time,rate\n0,5e-324\n300,0\n",
            "the rate '5e-324' is negative, or less",
        ),
        ("a.csv", "time,rate\n0,0\n300,0\n", "without any traffic"),
        ("a.csv", "hour,rate\n0,1\n2,1\n", "the hours are not 0 to 167"),
        ("a.csv", "hour,rate\nnoon,1\n", "a.csv:2: "),
        ("a.json", "{}", "not the answer of a Prometheus"),
        ("a.json", "[1", "not the answer of a Prometheus"),
        ("a.json", prometheus((0, "1"), (60, "2"), series=2), "2 series"),
        ("a.json", prometheus((0, "1"), (60, "2"), kind="vector"), "kind vector"),
        ("a.json", prometheus((0, "1"), (60, "NaN"), (120, "1")), "value 2: 'NaN'"),
        ("a.json", prometheus((0,), (60, "2")), "value 1 is no pair"),
    ],
)
def test_what_is_no_profile_names_the_place_and_the_remedy(tmp_path, name, text, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        parsed(written(tmp_path, name, text))
    assert str(tmp_path) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "peak=1/s",
        "peak=1/s,least=0.1/s",
        "peak=1/s,average=2/s",
        "-1/s",
        "0.0000000000001/s",
    ],
)
def test_a_line_that_is_no_traffic_is_refused(text):
    with pytest.raises(ConfigError, match="--traffic"):
        parsed(text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.csv: could not be read"):
        parsed(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        parsed(path)
