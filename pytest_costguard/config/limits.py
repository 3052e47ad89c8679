"""Budgets, SLOs and regression rules, from what markers, files and the command line say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from pytest_costguard.config.model import BudgetKind, DeclaredGates, Limit
from pytest_costguard.config.quantities import (
    parse_count,
    parse_duration,
    parse_energy,
    parse_money,
    parse_number,
    parse_percent,
    parse_rate,
    parse_size,
)
from pytest_costguard.config.words import refusal, require_known, require_table
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import METRICS, OF_CAPACITY, TOKEN_COSTS, Regression
from pytest_costguard.records.metrics import MetricUnit

CATCH_FOR_ALLOW = 2.5
"""A single number means `allow`; `catch` is then this many times as much."""

OF_BASELINE = "of baseline"

_PARSERS: Mapping[MetricUnit, Callable[..., float]] = {
    "s": parse_duration,
    "1/s": parse_rate,
    "req/s": parse_rate,
    "tok/s": parse_rate,
    "%": parse_percent,
    "B": parse_size,
    "J": parse_energy,
    "replicas": parse_count,
    "": parse_number,
}
_NOT_COMPARED: Mapping[str, tuple[str, str]] = {
    "cost_per_1k": (
        "cost follows the mean latency through the price",
        "gate the regression of mean, and give cost_per_1k a budget",
    ),
    "error_rate": (
        "an error rate of zero has no ratio to another",
        'give it a budget: budget={"error_rate": "0.1%"}',
    ),
    "monthly_cost": (
        "a month's cost follows the throughput, and in whole replicas at a time",
        'gate the regression of mean, and give it a budget: budget={"monthly_cost": "$3000"}',
    ),
    "replicas": (
        "replicas follow the throughput, and are whole",
        'gate the regression of mean, and give them a budget: budget={"replicas": 4}',
    ),
    **{
        cost: (
            f"cost follows {rate} through the price",
            f"gate the regression of {rate}, and give {cost} a budget",
        )
        for cost, rate in TOKEN_COSTS.items()
    },
}
"""Metrics without a rule of regression: why, and what to do instead."""


def parse_gates(
    *, budget: object, slo: object, regression: object, origin: str, path: str
) -> DeclaredGates:
    """Return the gates of one place: its `budget`, `slo` and `regression` tables, None if absent.

    Args:
        budget: Metric to limit, or to None or "off".
        slo: The same, judged as an SLO.
        regression: Metric to a percentage, to `{"allow", "catch"}`, or to None or "off".
        origin: Where the tables stand.
        path: Path of the tables in that place, "" where they are at its top.

    Raises:
        ConfigError: an unknown metric, or a limit that does not fit its metric.
    """
    limits: dict[tuple[BudgetKind, str], Limit | None] = {}
    tables: tuple[tuple[BudgetKind, object], ...] = (("budget", budget), ("slo", slo))
    for kind, table in tables:
        limits |= {
            (kind, metric): parse_limit(metric, value, kind=kind, origin=origin, key=key)
            for metric, value, key in _by_metric(table, origin=origin, at=_join(path, kind))
        }
    at = _join(path, "regression")
    regressions = {
        metric: parse_regression(metric, value, origin=origin, key=key)
        for metric, value, key in _by_metric(regression, origin=origin, at=at)
    }
    return DeclaredGates(limits=limits, regressions=regressions)


def parse_limit(
    metric: str, value: object, *, kind: BudgetKind, origin: str, key: str
) -> Limit | None:
    """Return the limit that `value` sets for a known metric; None where it says "off".

    Raises:
        ConfigError: the value does not fit the metric's unit, or the metric not the kind.
    """
    if _is_off(value):
        return None
    if kind == "slo" and metric in OF_CAPACITY:
        raise ConfigError(
            f"{origin}: {key}: {METRICS[metric].title} is no level of service",
            remedy=f'give it a budget: budget={{"{metric}": …}}',
        )
    currency = ""
    amount: float | Decimal
    relative = isinstance(value, str) and value.strip().endswith(OF_BASELINE)
    if relative:
        amount = _of_baseline(metric, value, origin=origin, key=key)
    elif METRICS[metric].unit == "USD":
        amount, currency = parse_money(value, origin=origin, key=key)
    else:
        amount = _PARSERS[METRICS[metric].unit](value, origin=origin, key=key)
    bound: Literal["at most", "at least"] = (
        "at most" if METRICS[metric].better == "lower" else "at least"
    )
    return Limit(
        metric=metric,
        amount=amount,
        currency=currency,
        bound=bound,
        relative=relative,
        kind=kind,
        origin=f"{origin} {key}",
        text=str(value).strip(),
    )


def parse_regression(metric: str, value: object, *, origin: str, key: str) -> Regression | None:
    """Return the rule that `value` sets for a known metric; None where it says "off".

    Raises:
        ConfigError: no percentage, `catch` is not above `allow`, or the metric is not compared.
    """
    if _is_off(value):
        return None
    if metric in _NOT_COMPARED:
        why, remedy = _NOT_COMPARED[metric]
        raise ConfigError(f"{origin}: {key}: {why}", remedy=remedy)
    catch = None
    if isinstance(value, Mapping):
        require_known(value, ("allow", "catch"), origin=origin, at=key)
        if "allow" not in value:
            raise refusal(value, "has no allow", origin=origin, key=key, remedy=_BOTH)
        allow = parse_percent(value["allow"], origin=origin, key=f"{key}.allow")
        if "catch" in value:
            catch = parse_percent(value["catch"], origin=origin, key=f"{key}.catch")
    else:
        allow = parse_percent(value, origin=origin, key=key)
    return regression(metric, allow=allow, catch=catch, origin=f"{origin} {key}")


_BOTH = 'write both, catch above allow, like {"allow": "2%", "catch": "5%"}'


def regression(metric: str, *, allow: float, catch: float | None, origin: str) -> Regression:
    """Return a rule from two fractions; without `catch` it is 2.5 times `allow`.

    Raises:
        ConfigError: `catch` is not above `allow`.
    """
    sure = CATCH_FOR_ALLOW * allow if catch is None else catch
    if not allow < sure < float("inf"):
        raise ConfigError(
            f"{origin}: catch ({sure:.4g}) is not above allow ({allow:.4g})", remedy=_BOTH
        )
    return Regression(metric=metric, allow=allow, catch=sure, origin=origin)


def parse_limit_pairs(pairs: tuple[str, ...], *, origin: str, key: str) -> DeclaredGates:
    """Return the budgets of `METRIC=LIMIT` texts; of two for one metric the last wins.

    Raises:
        ConfigError: no `=`, an unknown metric, or a limit that does not fit its metric.
    """
    limits: dict[tuple[BudgetKind, str], Limit | None] = {}
    for pair in pairs:
        metric, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            raise refusal(
                pair, "has no '='", origin=origin, key=key, remedy="write METRIC=LIMIT: p99=50ms"
            )
        require_known((metric,), METRICS, origin=f"{origin}: {key}", at="")
        limits["budget", metric] = parse_limit(
            metric, text, kind="budget", origin=origin, key=f"{key} {metric}"
        )
    return DeclaredGates(limits=limits)


def _by_metric(table: object, *, origin: str, at: str) -> list[tuple[str, object, str]]:
    """Return metric, value and path for each entry of a table, whose keys must be metrics."""
    if table is None:
        return []
    entries = require_table(table, origin=origin, key=at)
    require_known(entries, METRICS, origin=origin, at=at)
    return [(str(metric), value, f"{at}.{metric}") for metric, value in entries.items()]


def _of_baseline(metric: str, value: object, *, origin: str, key: str) -> float:
    """Return the fraction of `"99% of baseline"`, which only quality can be held to."""
    if metric != "quality":
        rule = f'a regression rule does that for {metric}: regression={{"{metric}": "2%"}}'
        remedy = _NOT_COMPARED[metric][1] if metric in _NOT_COMPARED else rule
        raise refusal(value, "is relative to the baseline", origin=origin, key=key, remedy=remedy)
    return parse_percent(str(value).strip().removesuffix(OF_BASELINE), origin=origin, key=key)


def _is_off(value: object) -> bool:
    """Whether a value turns its gate off. YAML reads a bare `off` as False."""
    return value is None or value is False or (isinstance(value, str) and value.strip() == "off")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
