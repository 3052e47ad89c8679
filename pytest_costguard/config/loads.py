"""Open-loop load as a test declares it: rate, arrivals, what serves, and the SLO it is held to."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_costguard.config.calls import parse_call
from pytest_costguard.config.quantities import (
    parse_count,
    parse_duration,
    parse_number,
    parse_rate,
)
from pytest_costguard.config.words import refusal, require_table
from pytest_costguard.errors import ConfigError
from pytest_costguard.measure.arrivals import mean_rate
from pytest_costguard.records import QUANTILES, Arrivals, Load

LOAD_OPTIONS = (
    "rate",
    "slo",
    "arrivals",
    "seed",
    "workers",
    "connections",
    "timeout",
    "max_batch_size",
    "max_batch_delay",
    "cache",
    "popularity",
)
"""What `measure` takes for `server` and `max_rate`, beside what every scenario takes."""
_OF_THIS_PROCESS = ("workers", "max_batch_size", "max_batch_delay", "cache")
USUAL_CONNECTIONS = 64
_TIMEOUT_SECONDS = 10.0
_MOST_TRACE_BYTES = 64 << 20
_MOST_ARRIVALS = 50_000
_SHOWN = 40
_MOST_WORKERS = 1024
_SEEDS = 2**63
_MOST_BURSTY = 1000
"""Of a thousand requests there is then one burst: more is no rate any more."""
_LOWEST_RATE, _HIGHEST_RATE = 1e-3, 1e6


def parse_load(
    options: Mapping[str, Any], *, searched: bool, is_endpoint: bool, origin: str
) -> Load:
    """Return the load that the arguments of a call of `measure` declare.

    Args:
        options: those of `LOAD_OPTIONS` that were given.
        searched: whether the rate is to be found, rather than given.
        is_endpoint: whether a server in a process of its own is sent to.
        origin: the test, for errors.

    Raises:
        ConfigError: one is missing, does not fit, or has no meaning here.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if is_endpoint:
        _refuse(given, _OF_THIS_PROCESS, "is the server's own to decide", origin)
    else:
        _refuse(given, ("connections",), "has no meaning without a server", origin)
    arrivals = _arrivals(given, origin=origin)
    slo = _slo(given.get("slo"), origin=origin)
    if searched and not slo:
        raise ConfigError(
            f"{origin}: scenario='max_rate' needs the SLO that the rate must keep",
            remedy='give measure() slo={"p99": "50ms"}: the slo= of a marker is what a test is held'
            " to, and this one is searched for",
        )
    if searched:
        _refuse(given, ("rate",), "is what max_rate searches for", origin)
    workers = "connections" if is_endpoint else "workers"
    return Load(
        rate=None if searched else _rate(given.get("rate"), arrivals, origin=origin),
        arrivals=arrivals,
        workers=1 if is_endpoint else _count(given.get(workers, 1), workers, origin),
        connections=_count(given.get(workers, USUAL_CONNECTIONS), workers, origin)
        if is_endpoint
        else 0,
        timeout_seconds=_read(given, "timeout", parse_duration, _TIMEOUT_SECONDS, origin=origin),
        max_batch_size=_read(given, "max_batch_size", parse_count, 1, origin=origin),
        max_batch_delay_seconds=_read(given, "max_batch_delay", parse_duration, 0.0, origin=origin),
        cache_entries=_read(given, "cache", parse_count, 0, origin=origin),
        popularity=_popularity(given.get("popularity"), origin=origin),
        slo=slo,
    )


_DECIMAL_COMMA = re.compile(r"\s*\d+,\d+\s*")


def read_trace(path: Path, *, origin: str) -> tuple[float, ...]:
    """Return the arrivals that a file holds, one in a line: seconds, ascending, from the first on.

    Blank lines, lines that begin with # and a first line of text are passed over; of several
    columns the first one counts.

    Raises:
        ConfigError: it cannot be read, holds no ascending numbers, or fewer than two.
    """
    times: list[float] = []
    lines = _lines(path, origin=origin)
    told = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if told and all(map(_DECIMAL_COMMA.fullmatch, told)):
        raise ConfigError(
            f"{origin}: {path}: {told[0][:_SHOWN]!r} is a number with a decimal comma, or two"
            " columns",
            remedy="write decimal points; above columns write a heading, like seconds,size",
        )
    for number, line in enumerate(lines, start=1):
        text = line.partition(",")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            seconds = float(text)
        except ValueError:
            if not times:
                continue  # the heading
            seconds = math.nan
        if not math.isfinite(seconds) or (times and seconds < times[-1]):
            raise ConfigError(
                f"{origin}: {path}, line {number}: {text[:_SHOWN]!r} is no arrival after the last"
                " one",
                remedy="write one arrival a line, in seconds and ascending, like 12.25",
            )
        times.append(seconds)
    if len(times) < 2 or times[-1] == times[0]:
        raise ConfigError(
            f"{origin}: {path} holds {len(times)} arrivals, and no time between them",
            remedy="write at least two arrivals, one a line, in seconds and ascending",
        )
    if len(times) > _MOST_ARRIVALS:
        raise ConfigError(
            f"{origin}: {path} holds {len(times):,} arrivals, and a report would hold them all",
            remedy=f"take a part of it: {_MOST_ARRIVALS:,} arrivals at most",
        )
    return tuple(seconds - times[0] for seconds in times)


def _lines(path: Path, *, origin: str) -> list[str]:
    try:
        if path.stat().st_size > _MOST_TRACE_BYTES:
            raise ConfigError(
                f"{origin}: {path} is larger than {_MOST_TRACE_BYTES >> 20} MiB",
                remedy="take a part of the trace: an hour is enough",
            )
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{origin}: the trace {path} cannot be read: {error}",
            remedy="give arrivals= a file with one arrival a line, in seconds",
        ) from error


def _rate(value: object, arrivals: Arrivals, *, origin: str) -> float:
    if value is not None:
        rate = parse_rate(value, origin=origin, key="rate")
        if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
            raise refusal(
                value,
                "is no rate that can be sent",
                origin=origin,
                key="rate",
                remedy=f"write requests a second, from {_LOWEST_RATE:g} to {_HIGHEST_RATE:,.0f}",
            )
        return rate
    if arrivals.kind == "trace":
        rate = mean_rate(arrivals.trace_seconds)
        if _LOWEST_RATE <= rate <= _HIGHEST_RATE:
            return rate
        raise ConfigError(
            f"{origin}: the trace holds {rate:.3g} arrivals a second",
            remedy=f"from {_LOWEST_RATE:g} to {_HIGHEST_RATE:,.0f} can be sent, in seconds;"
            " rate= sends a trace at another mean rate",
        )
    raise ConfigError(
        f"{origin}: scenario='server' needs the rate at which requests arrive",
        remedy="give measure() rate=100 (requests a second), or write scenario='server(100)'",
    )


def _arrivals(given: Mapping[str, Any], *, origin: str) -> Arrivals:
    value = given.get("arrivals", "poisson")
    seed = given.get("seed", 0)
    sound = isinstance(seed, int) and not isinstance(seed, bool) and abs(seed) < _SEEDS
    if not sound:
        raise refusal(seed, "is no seed", origin=origin, key="seed", remedy="give a whole number")
    if isinstance(value, Path) or str(value).endswith((".csv", ".txt")):
        trace = read_trace(Path(value), origin=origin)
        return Arrivals(kind="trace", seed=seed, trace_seconds=trace)
    found = parse_call(value)
    name, number = (found.name, found.number) if found else ("", None)
    if name in ("poisson", "constant") and number is None:
        return Arrivals(kind="poisson" if name == "poisson" else "constant", seed=seed)
    if name == "gamma" and number is not None:
        burstiness = parse_number(number, origin=origin, key="arrivals")
        if 0 < burstiness <= _MOST_BURSTY:
            return Arrivals(kind="gamma", burstiness=burstiness, seed=seed)
    raise refusal(
        value,
        "is no way to arrive",
        origin=origin,
        key="arrivals",
        remedy="write poisson, constant, gamma(4) (the number is the burstiness: 1 is poisson,"
        f" above it bursts, up to {_MOST_BURSTY}), or the path of a trace: arrivals.csv",
    )


def _slo(value: object, *, origin: str) -> dict[str, float]:
    if value is None:
        return {}
    found = {}
    for metric, limit in require_table(value, origin=origin, key="slo").items():
        if metric not in QUANTILES:
            raise refusal(
                metric,
                "is no percentile",
                origin=origin,
                key="slo",
                remedy=f"hold one of {', '.join(QUANTILES)} to a limit",
            )
        found[str(metric)] = parse_duration(limit, origin=origin, key=f"slo.{metric}")
    return found


def _popularity(value: object, *, origin: str) -> float:
    if value is None:
        return 0.0
    found = parse_call(value)
    if found is None or found.name != "zipf" or not found.number:
        raise refusal(
            value,
            "is no popularity",
            origin=origin,
            key="popularity",
            remedy="write zipf(1.1): the first inputs are asked for most, as a cache would see it",
        )
    return parse_number(found.number, origin=origin, key="popularity")


def _count(value: object, key: str, origin: str) -> int:
    count = parse_count(value, origin=origin, key=key)
    if count > _MOST_WORKERS:
        raise refusal(
            value,
            "is more than one process can serve",
            origin=origin,
            key=key,
            remedy=f"write at most {_MOST_WORKERS}",
        )
    return count


def _read(
    given: Mapping[str, Any],
    key: str,
    parse: Callable[..., Any],
    usual: float,
    *,
    origin: str,
) -> Any:
    return parse(given[key], origin=origin, key=key) if key in given else usual


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], why: str, origin: str) -> None:
    for name in names:
        if name in given:
            raise ConfigError(f"{origin}: {name}= {why}", remedy=f"leave {name}= out")
