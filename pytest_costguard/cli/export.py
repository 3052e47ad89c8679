"""`costguard export`: a report, or the plan that rests on it, for other tools."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_costguard.cli.plan_options import (
    figures_of,
    names_of,
    plan_options,
    require_some,
    terms_of,
)

if TYPE_CHECKING:
    from pytest_costguard.records import Plan, PlannedWorkload, Report

_FORMS = ("hpa", "keda", "alerts", "focus", "openmetrics")


@click.command(short_help="A report or its plan for other tools.")
@click.argument("form", metavar="FORM", type=click.Choice(_FORMS))
@click.argument("report_path", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.argument("workloads", metavar="[WORKLOAD...]", nargs=-1)
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="In place of the terminal."
)
@click.option("--deployment", metavar="NAME", help="hpa, keda: the Deployment that is scaled.")
@click.option(
    "--metric",
    default="requests_per_second",
    show_default=True,
    help="hpa: the external metric, requests a second in all.",
)
@click.option("--query", default="", help="keda: the PromQL query of requests a second in all.")
@click.option(
    "--server",
    default="http://prometheus.monitoring.svc:9090",
    show_default=True,
    help="keda: Prometheus' address.",
)
@click.option(
    "--requests",
    default="http_requests_total",
    show_default=True,
    help="alerts: the counter of requests.",
)
@click.option(
    "--latency",
    default="http_request_duration_seconds_bucket",
    show_default=True,
    help="alerts: the buckets of the histogram of their latency.",
)
@click.option(
    "--replicas",
    default="kube_deployment_status_replicas",
    show_default=True,
    help="alerts: the gauge of replicas.",
)
@click.option("--month", metavar="YYYY-MM", help="focus: the month; by default the next one.")
@click.option("--account", default="forecast", show_default=True, help="focus: billed to.")
@plan_options
def export(
    *,
    form: str,
    report_path: Path,
    workloads: tuple[str, ...],
    output: Path | None,
    **given: Any,
) -> None:
    """Write a report, or the plan that rests on it (`costguard plan`), for other tools.

    hpa, keda: an autoscaler whose target is what a replica was measured to serve. alerts:
    Prometheus rules on the SLO and on what 1,000 inferences cost. focus: the forecast of a month
    as rows of FOCUS 1.2, by label. openmetrics: the report's figures. The first three are of one
    WORKLOAD.

    \b
    Examples:
      costguard export hpa report.json --traffic peak=200/s,average=60/s --deployment rerank
      costguard export alerts report.json test_rerank --slo p95=50ms > rules.yaml
      costguard export focus report.json --month 2027-01 --output forecast.csv
      costguard export openmetrics report.json
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from msgspec.structs import replace

    from pytest_costguard.app.planning import plan_report
    from pytest_costguard.app.reporting import read_remade
    from pytest_costguard.baselines.files import write_atomically

    own = {key: given.pop(key) for key in [*given] if key in _OF_FORMS}
    report = read_remade(report_path)
    if form == "openmetrics":
        with figures_of(report_path):
            text = _openmetrics(report)
    else:
        chosen = names_of(report, workloads, origin=str(report_path))
        terms = terms_of(**given)
        with figures_of(report_path):
            plan = plan_report(report, terms=terms, chosen=chosen).plan
            # What is left out would look like nothing.
            require_some(
                replace(plan, workloads=()) if plan.unplanned else plan,
                origin=str(report_path),
                or_else="; or name what to export, behind the report"
                * bool(plan.workloads and not workloads),
            )
            text = _WRITERS[form](plan, {**given, **own, "form": form})
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode())


_OF_FORMS = frozenset(
    {
        *("deployment", "metric", "query", "server"),
        *("requests", "latency", "replicas", "month", "account"),
    }
)


def _openmetrics(report: Report) -> str:
    from pytest_costguard.reports.openmetrics import render

    return render(report)


def _manifest(plan: Plan, given: Mapping[str, Any]) -> str:
    from pytest_costguard.reports.manifests import (
        Deployment,
        horizontal_pod_autoscaler,
        scaled_object,
    )

    if not given["deployment"]:
        raise click.UsageError("give --deployment, the name of what is scaled")
    hpa = given["form"] == "hpa"
    fewest = given["minimum"]
    deployment = Deployment(
        name=given["deployment"],
        metric=given["metric"],
        query=given["query"],
        server=given["server"],
        minimum=int(hpa) if fewest is None else fewest,
        maximum=given["maximum"],
    )
    render = horizontal_pod_autoscaler if hpa else scaled_object
    return render(_the_one(plan), deployment)


def _alerts(plan: Plan, given: Mapping[str, Any]) -> str:
    from pytest_costguard.reports.alerts import Series, alert_rules

    series = Series(
        requests=given["requests"], latency=given["latency"], replicas=given["replicas"]
    )
    return alert_rules(_the_one(plan), series)


def _focus(plan: Plan, given: Mapping[str, Any]) -> str:
    from pytest_costguard.reports.focus import render

    return render(plan, month=_month(given["month"]), account=given["account"])


_WRITERS: Mapping[str, Callable[[Plan, Mapping[str, Any]], str]] = {
    "hpa": _manifest,
    "keda": _manifest,
    "alerts": _alerts,
    "focus": _focus,
}


def _the_one(plan: Plan) -> PlannedWorkload:
    from pytest_costguard.errors import ConfigError

    if len(plan.workloads) > 1:
        names = ", ".join(str(one.workload) for one in plan.workloads[:5])
        raise ConfigError(
            f"{len(plan.workloads)} workloads are planned, and this is about one: {names}",
            remedy="name it: costguard export FORM REPORT.json WORKLOAD",
        )
    return plan.workloads[0]


def _month(text: str | None) -> dt.date:
    from pytest_costguard.errors import ConfigError

    if text is None:
        return (dt.datetime.now(tz=dt.UTC).date().replace(day=1) + dt.timedelta(days=32)).replace(
            day=1
        )
    try:
        first = dt.date.fromisoformat(f"{text}-01")
        first + dt.timedelta(days=32)  # a calendar has a month after it
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"--month={text!r} is no month", remedy="write year and month, like 2027-01"
        ) from error
    return first
