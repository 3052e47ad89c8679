"""Traffic profiles as people write them: `3M/day`, `peak=120/s,average=30/s`, CSV, Prometheus."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from pytest_costguard.config.quantities import parse_traffic
from pytest_costguard.config.words import refusal
from pytest_costguard.cost.traffic import (
    HOURS_A_WEEK,
    SECONDS_A_MONTH,
    TrafficProfile,
    constant,
    daily,
    weekly,
)
from pytest_costguard.errors import ConfigError

_MOST_BYTES = 64 << 20
_MOST_STEPS = 2_000_000
_LEAST_RATE, _MOST_RATE = 1e-12, 1e12
_LONGEST_STEP_SECONDS = 366 * 86_400.0
_UNEVEN_SHARE = 0.01
"""By how much steps may differ in length: clocks of exporters are not exact."""
_HOW = (
    "write inferences and a time, like 3M/day; peak=120/s,average=30/s; or a file: CSV with the"
    " columns time,rate or hour,rate, or the JSON of a Prometheus query_range"
)


def names_file(text: str) -> bool:
    """Whether a text is the name of a file that holds a traffic, and no traffic itself."""
    return text.endswith((".csv", ".json")) and text.isprintable()


def is_constant(text: str) -> bool:
    """Whether a text is a rate that never changes, if it is a traffic at all."""
    return not names_file(text) and "=" not in text


def parse_profile(text: str, *, origin: str, key: str, root: Path | None = None) -> TrafficProfile:
    """Return the profile that a text or the file that it names describes; rates are a second's.

    Args:
        text: as it was written.
        origin: where it stands.
        key: its name there.
        root: what a relative path begins at; None: the current directory.

    Raises:
        ConfigError: it describes none; names the line where it is a file.
    """
    if names_file(text):
        try:
            return _from_file((root or Path()) / text, name=text)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {key}: {error.message}", remedy=error.remedy) from error
    if not is_constant(text):
        return _of_a_day(text, origin=origin, key=key)
    return constant(parse_traffic(text, origin=origin, key=key) / SECONDS_A_MONTH)


def _of_a_day(text: str, *, origin: str, key: str) -> TrafficProfile:
    said = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        said[name.strip()] = parse_traffic(value.strip(), origin=origin, key=key) / SECONDS_A_MONTH
    if said.keys() != {"peak", "average"}:
        raise refusal(text, "is no traffic profile", origin=origin, key=key, remedy=_HOW)
    if said["average"] > said["peak"]:
        raise refusal(
            text,
            "has an average above its peak",
            origin=origin,
            key=key,
            remedy="write the highest rate as peak",
        )
    try:
        return daily(peak=said["peak"], average=said["average"])
    except ValueError as error:
        raise refusal(
            text,
            f"is no day: {error}",
            origin=origin,
            key=key,
            remedy="write the day as a CSV file",
        ) from error


def _from_file(path: Path, *, name: str) -> TrafficProfile:
    text = _contents(path, name=name)
    read = _prometheus if name.endswith(".json") else _csv
    try:
        return read(text, name)
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{name}: {error}", remedy=_HOW) from error


def _contents(path: Path, *, name: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{name}: could not be read: {error.strerror or error}", remedy=_HOW
        ) from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            f"{name}: more than {_MOST_BYTES >> 20} MiB", remedy="export it in longer steps"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8: {error}", remedy=_HOW) from error


def _csv(text: str, name: str) -> TrafficProfile:
    rows = csv.reader(text.splitlines())
    header = [column.strip().lower() for column in next(rows, [])]
    if header not in (["time", "rate"], ["hour", "rate"]):
        raise ConfigError(
            f"{name}:1: the columns are {', '.join(header) or 'none'}, not time,rate or hour,rate",
            remedy=_HOW,
        )
    read = _moment if header[0] == "time" else _hour
    points = [
        (_cell(row, 0, read, at=f"{name}:{line}"), _cell(row, 1, _rate, at=f"{name}:{line}"))
        for line, row in enumerate(rows, 2)
        if row
    ]
    if header[0] == "time":
        return _regular(points, origin=name)
    hours = [hour for hour, _ in points]
    if hours != list(range(HOURS_A_WEEK)):
        raise ConfigError(
            f"{name}: the hours are not 0 to {HOURS_A_WEEK - 1}, each once and in order",
            remedy="begin with Monday's first hour, and write one line an hour of the week",
        )
    return weekly(tuple(rate for _, rate in points))


def _cell(row: Sequence[str], place: int, read: Callable[[str], float], *, at: str) -> float:
    try:
        if len(row) != 2:
            raise ValueError(f"{len(row)} columns, not 2")
        return read(row[place].strip())
    except ValueError as error:
        raise ConfigError(f"{at}: {error}", remedy=_HOW) from error


def _moment(text: str) -> float:
    """Return seconds since 1970 out of that number, or of a date and time in ISO 8601."""
    try:
        return _finite(text)
    except ValueError:
        moment = dt.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _hour(text: str) -> float:
    return float(int(text))


def _rate(text: str) -> float:
    rate = _finite(text)
    if rate and not _LEAST_RATE <= rate <= _MOST_RATE:
        raise ValueError(f"the rate {text!r} is negative, or less or more than anybody serves")
    return rate


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number")
    return number


def _prometheus(text: str, name: str) -> TrafficProfile:
    """Read the answer of `/api/v1/query_range`: one series of a rate, inferences a second."""
    try:
        answer = json.loads(text)
        series = answer["data"]["result"]
        kind = answer["data"]["resultType"]
        values = [one["values"] for one in series]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{name}: not the answer of a Prometheus query_range", remedy=_HOW) from (
            error
        )
    if kind != "matrix" or len(values) != 1 or not isinstance(values[0], list):
        raise ConfigError(
            f"{name}: {len(values)} series of the kind {kind}, where one series over time is meant",
            remedy="sum them in the query, like sum(rate(requests_total[5m]))",
        )
    points = []
    for number, point in enumerate(values[0], 1):
        at = f"{name}: value {number}"
        if not isinstance(point, list) or len(point) != 2:
            raise ConfigError(f"{at} is no pair of a time and a rate", remedy=_HOW)
        cells = [str(one) for one in point]
        points.append((_cell(cells, 0, _finite, at=at), _cell(cells, 1, _rate, at=at)))
    return _regular(points, origin=name)


def _regular(points: Sequence[tuple[float, float]], *, origin: str) -> TrafficProfile:
    """Return a profile of equal steps; a gap is an error, since nobody knows what was served."""
    if not 2 <= len(points) <= _MOST_STEPS:
        raise ConfigError(
            f"{origin}: {len(points)} points, where 2 to {_MOST_STEPS:,} are needed", remedy=_HOW
        )
    step = points[1][0] - points[0][0]
    for number, (before, after) in enumerate(pairwise(time for time, _ in points), 2):
        if step <= 0 or abs(after - before - step) > _UNEVEN_SHARE * step:
            raise ConfigError(
                f"{origin}: point {number} comes {after - before:g} s after the one before it, and"
                f" the second {step:g} s after the first: a gap, or out of order",
                remedy="export it in equal steps, with 0 where nothing was served",
            )
    if step > _LONGEST_STEP_SECONDS:
        raise ConfigError(
            f"{origin}: the second point comes {step:g} s after the first, which is over a year",
            remedy="export it in shorter steps; times are seconds or dates in ISO 8601",
        )
    return TrafficProfile(step_seconds=step, items_per_second=tuple(rate for _, rate in points))
