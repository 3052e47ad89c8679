"""A plan as Prometheus alert rules: the SLO, and what 1,000 inferences cost in truth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from pytest_costguard.errors import ConfigError
from pytest_costguard.records import PlannedWorkload
from pytest_costguard.reports.escaping import plain

_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}]*\})?")
_OBJECTIVE = re.compile(r"p(?P<percent>[0-9.]+) within (?P<milliseconds>[0-9.e+-]+) ms")
_MARGIN = 1.2
"""How much dearer than planned is worth a look."""
_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The series in Prometheus that tell what is served."""

    requests: str = "http_requests_total"
    """A counter of requests, with a selector where it counts more than this workload's."""
    latency: str = "http_request_duration_seconds_bucket"
    """The buckets of a histogram of their latency."""
    replicas: str = "kube_deployment_status_replicas"
    """A gauge of the replicas."""

    def __post_init__(self) -> None:
        for text in (self.requests, self.latency, self.replicas):
            if not _SELECTOR.fullmatch(text):
                raise ConfigError(
                    f"{text!r} is no series",
                    remedy='write a name and a selector, like http_requests_total{service="a"}',
                )


def alert_rules(planned: PlannedWorkload, series: Series) -> str:
    """Return a file of Prometheus alert rules for one workload, as YAML."""
    rules = [*_slo(planned, series), _cost(planned, series)]
    return yaml.safe_dump(
        {"groups": [{"name": "costguard", "rules": rules}]},
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


def _slo(planned: PlannedWorkload, series: Series) -> list[dict[str, Any]]:
    found = _OBJECTIVE.fullmatch(planned.objective)
    if found is None:
        return []
    quantile = float(found["percent"]) / 100
    seconds = float(found["milliseconds"]) / 1000
    rate = f"sum by (le) (rate({series.latency}[5m]))"
    return [
        {
            "alert": "CostguardLatencyObjective",
            "expr": f"histogram_quantile({quantile:g}, {rate}) > {seconds:g}",
            "for": "10m",
            "labels": {"severity": "page"},
            "annotations": {
                "summary": _plain(f"{planned.workload} misses its objective: {planned.objective}")
            },
        }
    ]


def _cost(planned: PlannedWorkload, series: Series) -> dict[str, Any]:
    month = planned.autoscaled or planned.static
    limit = float(month.usd_per_1k) * _MARGIN
    # What was planned is an average: at night the same replicas serve less, and each is dearer.
    swings = planned.peak_per_second > planned.average_per_second
    over = "7d" if swings else "1h"
    served = f"sum(rate({series.requests}[{over}])) * 3600 * {planned.items_per_request:.6g}"
    spent = f"sum(avg_over_time({series.replicas}[{over}])) * {float(planned.usd_per_hour):.6g}"
    return {
        "alert": "CostguardCostPer1k",
        "expr": f"{spent} / ({served}) * 1000 > {limit:.6g}",
        "for": "1h",
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": _plain(
                f"1,000 inferences of {planned.workload} cost over {_MARGIN:g} times what was"
                f" planned (USD {float(month.usd_per_1k):.3g})"
            )
        },
    }


def _plain(text: str) -> str:
    """Return a text that Prometheus does not take for a template."""
    return plain(text, limit=_LIMIT).replace("{{", "{ {").replace("}}", "} }")
