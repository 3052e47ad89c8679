"""A plan as Kubernetes objects: an autoscaler whose target comes from the measured goodput."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from pytest_costguard.errors import ConfigError
from pytest_costguard.records import PlannedWorkload
from pytest_costguard.reports.escaping import plain

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_KEDA_POLLING, _KEDA_COOLDOWN = 30, 300
_NOTE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is scaled, and by which metric it is."""

    name: str
    """Of the Deployment, and of the autoscaler that is made for it."""
    metric: str = "requests_per_second"
    """HPA: the name of the external metric, requests a second in all."""
    query: str = ""
    """KEDA: the PromQL query of requests a second in all."""
    server: str = "http://prometheus.monitoring.svc:9090"
    """KEDA: Prometheus' address."""
    minimum: int = 1
    maximum: int | None = None
    """None: twice what the peak needs."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a Deployment",
                remedy="use up to 63 small letters, digits and dashes",
            )

    def most(self, planned: PlannedWorkload) -> int:
        """Return the most replicas: as given, else room for twice the planned peak."""
        return self.maximum or max(2 * planned.replicas, self.minimum)


def horizontal_pod_autoscaler(planned: PlannedWorkload, deployment: Deployment) -> str:
    """Return a HorizontalPodAutoscaler (autoscaling/v2) as YAML."""
    return _yaml(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": _metadata(planned, deployment),
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": deployment.name,
                },
                "minReplicas": max(1, deployment.minimum),
                "maxReplicas": deployment.most(planned),
                "metrics": [
                    {
                        "type": "External",
                        "external": {
                            "metric": {"name": deployment.metric},
                            "target": {
                                "type": "AverageValue",
                                "averageValue": _milli(_requests(planned)),
                            },
                        },
                    }
                ],
            },
        }
    )


def scaled_object(planned: PlannedWorkload, deployment: Deployment) -> str:
    """Return a KEDA ScaledObject (keda.sh/v1alpha1) as YAML.

    Raises:
        ConfigError: no query says how many requests there are.
    """
    if not deployment.query:
        raise ConfigError(
            "a ScaledObject needs the query that counts requests a second",
            remedy="give --query, like 'sum(rate(http_requests_total{service=\"rerank\"}[1m]))'",
        )
    return _yaml(
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": _metadata(planned, deployment),
            "spec": {
                "scaleTargetRef": {"name": deployment.name},
                "pollingInterval": _KEDA_POLLING,
                "cooldownPeriod": _KEDA_COOLDOWN,
                "minReplicaCount": deployment.minimum,
                "maxReplicaCount": deployment.most(planned),
                "triggers": [
                    {
                        "type": "prometheus",
                        "metadata": {
                            "serverAddress": deployment.server,
                            "query": deployment.query,
                            "threshold": f"{_requests(planned):.6g}",
                        },
                    }
                ],
            },
        }
    )


def _metadata(planned: PlannedWorkload, deployment: Deployment) -> dict[str, Any]:
    told = (
        f"{_requests(planned):.4g} requests a second for each replica, from the measured goodput of"
        f" {planned.workload}: {planned.sizing}"
    )
    if deployment.most(planned) < planned.replicas:
        told += f"; at most {deployment.most(planned)}, and the peak needs {planned.replicas}"
    return {
        "name": deployment.name,
        "annotations": {"costguard/target": plain(told, limit=_NOTE_LIMIT)},
    }


def _requests(planned: PlannedWorkload) -> float:
    """Return the requests a second that a replica is to have."""
    return planned.target_per_second / planned.items_per_request


def _milli(value: float) -> str:
    """Write a Kubernetes quantity: in thousandths, so that fractions are kept."""
    return f"{max(1, round(Decimal(repr(value)) * 1000))}m"


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
