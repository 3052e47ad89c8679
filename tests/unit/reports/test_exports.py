"""What other tools read of a plan: sound by their own parsers and schemas."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import kubernetes_validate
import msgspec
import promql_parser
import pytest
import yaml
from factories.judged import head, judged
from factories.judging import WORKLOAD, budget, gates, measurement, run
from factories.loads import a_load, loaded
from factories.money import quote, target
from factories.reports import TARGET, hostile_names, regressed_and_over
from factories.tokens import written
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_costguard.app.plan_subjects import PlanTerms
from pytest_costguard.app.planning import plan_report
from pytest_costguard.cost.queueing import Objective
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Currency, Gates, Load, Probe, Traffic
from pytest_costguard.reports import focus, openmetrics
from pytest_costguard.reports.alerts import Series, alert_rules
from pytest_costguard.reports.manifests import (
    Deployment,
    horizontal_pod_autoscaler,
    scaled_object,
)

KUBERNETES = "1.31"
QUERY = 'sum(rate(http_requests_total{service="rerank"}[1m]))'


def plan(**changes):
    serves = msgspec.structs.replace(target(), stands_for=True, **changes)
    report = judged(head(labels={"team": "search", "a b": "=1+1"}), target=serves, pricer=cost_of)
    terms = PlanTerms(
        traffic="peak=900/s,average=300/s",
        scaler="HPA",
        startup_seconds=30.0,
        objectives=(Objective(quantile=0.95, seconds=0.05),),
    )
    return plan_report(report, terms=terms).plan


def planned():
    return plan().workloads[0]


def test_the_autoscaler_is_one_by_kubernetes_own_schema():
    text = horizontal_pod_autoscaler(planned(), Deployment(name="rerank"))
    content = yaml.safe_load(text)
    kubernetes_validate.validate(content, KUBERNETES, strict=True)
    (metric,) = content["spec"]["metrics"]
    told = metric["external"]["target"]["averageValue"]
    assert float(told.removesuffix("m")) / 1000 == pytest.approx(
        planned().target_per_second / planned().items_per_request, rel=1e-3
    )
    assert content["spec"]["minReplicas"] == 1
    assert content["spec"]["maxReplicas"] >= planned().replicas


def test_limits_that_are_given_are_the_autoscalers():
    text = horizontal_pod_autoscaler(planned(), Deployment(name="r", minimum=2, maximum=7))
    spec = yaml.safe_load(text)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 7)


def test_a_scaled_object_asks_prometheus_and_may_go_to_none():
    content = yaml.safe_load(
        scaled_object(planned(), Deployment(name="rerank", query=QUERY, minimum=0))
    )
    (trigger,) = content["spec"]["triggers"]
    assert trigger["metadata"]["query"] == QUERY
    assert float(trigger["metadata"]["threshold"]) > 0
    assert content["spec"]["minReplicaCount"] == 0
    assert content["spec"]["cooldownPeriod"] == 300


def test_a_scaled_object_without_a_query_is_refused():
    with pytest.raises(ConfigError, match="query"):
        scaled_object(planned(), Deployment(name="rerank"))


@pytest.mark.parametrize("name", ["", "Rerank", "-rerank", "a/b", "x" * 64])
def test_a_name_that_kubernetes_does_not_take_is_refused(name):
    with pytest.raises(ConfigError, match="name of a Deployment"):
        Deployment(name=name)


def test_the_rules_are_about_the_objective_and_the_cost():
    series = Series(requests='http_requests_total{service="rerank"}')
    (group,) = yaml.safe_load(alert_rules(planned(), series))["groups"]
    slo, cost = group["rules"]
    assert slo["expr"] == (
        "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"
        " > 0.05"
    )
    assert 'rate(http_requests_total{service="rerank"}[7d])' in cost["expr"]
    for rule in group["rules"]:
        promql_parser.parse(rule["expr"])
        assert {"alert", "expr", "for", "labels", "annotations"} == rule.keys()


def test_the_cost_of_a_steady_traffic_is_seen_within_an_hour():
    steady = planned()
    steady = msgspec.structs.replace(steady, average_per_second=steady.peak_per_second)

    (group,) = yaml.safe_load(alert_rules(steady, Series()))["groups"]

    assert "rate(http_requests_total[1h])" in group["rules"][1]["expr"]


@pytest.mark.parametrize("text", ["", "a b", "x{y", "up; drop", "x[5m]"])
def test_what_is_no_series_is_refused(text):
    with pytest.raises(ConfigError, match="is no series"):
        Series(requests=text)


def rows(made, **options):
    text = focus.render(made, month=dt.date(2027, 2, 11), **options)
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_has_every_mandatory_column_and_was_billed_to_nobody():
    made = plan()
    (row,) = rows(made, account="ml")
    assert set(focus.COLUMNS) <= row.keys()
    assert len(focus.COLUMNS) == 21
    assert (row["BilledCost"], row["BillingAccountId"]) == ("0", "ml")
    assert Decimal(row["EffectiveCost"]) == made.workloads[0].autoscaled.bill.usd.quantize(
        Decimal("0.000001")
    )
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2027-02-01T00:00:00Z",
        "2027-03-01T00:00:00Z",
    )
    assert row["x_Label_team"] == "search"


def test_a_label_is_no_formula():
    (row,) = rows(plan())
    assert row["x_Label_a_b"] == "'=1+1"


def test_the_list_cost_is_before_the_discount_and_both_are_in_the_currency():
    made = plan(
        quote=quote(discount=Decimal("0.25")),
        currency=Currency(code="EUR", per_usd=Decimal("0.5")),
    )
    (row,) = rows(made)
    assert row["BillingCurrency"] == "EUR"
    assert Decimal(row["ListCost"]) == pytest.approx(
        Decimal(row["EffectiveCost"]) / Decimal("0.75")
    )
    assert Decimal(row["EffectiveCost"]) == pytest.approx(made.workloads[0].autoscaled.bill.usd / 2)


def families(report):
    return {one.name: one for one in text_string_to_metric_families(openmetrics.render(report))}


def test_the_figures_are_read_by_prometheus_own_parser():
    found = families(regressed_and_over())
    latencies = found["costguard_latency_seconds"].samples
    assert {one.labels["bound"] for one in latencies} == {"estimate", "lower", "upper"}
    verdicts = [one for one in found["costguard_verdict"].samples if one.value == 1]
    assert "regressed" in {one.labels["verdict"] for one in verdicts}
    (failed,) = found["costguard_failed"].samples
    assert failed.value == 1


def test_what_load_shows_and_what_budgets_say_are_figures_too():
    units = [loaded(latencies=[0.02] * 590, unanswered=tuple(range(10)))] * 6
    held = gates(
        budget("error_rate", 0.5), budget("p99", 0.01, kind="slo"), budget("replicas", 3.0)
    )
    found = families(judged(run(a_load(units)), gates=held))

    errors = {one.labels["bound"]: one.value for one in found["costguard_error_ratio"].samples}
    assert errors["estimate"] == pytest.approx(10 / 600)
    said = {
        (one.labels["metric"], one.labels["kind"]): one.labels["verdict"]
        for one in found["costguard_budget_verdict"].samples
        if one.value == 1
    }
    assert said["error_rate", "budget"] == "within"
    assert said["p99", "slo"] in ("over", "inconclusive")
    limits = {one.labels["metric"]: one.value for one in found["costguard_budget_limit"].samples}
    assert limits == {"error_rate": 0.5, "p99": 0.01, "replicas": 3.0}


def test_figures_that_budgets_ask_for_are_told_once():
    held = {
        str(WORKLOAD): Gates(
            budgets=(budget("replicas", 3.0), budget("monthly_cost", 4000.0)),
            traffic=Traffic(items_per_month=5e9, text="5G/month", origin="marker"),
        )
    }
    serves = msgspec.structs.replace(TARGET, stands_for=True)
    found = families(judged(head(), gates=held, target=serves, pricer=cost_of))

    for name in ("costguard_replicas", "costguard_monthly_cost_usd"):
        bounds = [one.labels["bound"] for one in found[name].samples]
        assert sorted(bounds) == ["estimate", "lower", "upper"]


def test_a_highest_rate_is_told_with_its_interval():
    probe = Probe(rate=105.0, requests=400, late=(9,), passed=False, seconds=4.0)
    units = [loaded(latencies=[0.02] * 400, rate=rate, probes=(probe,)) for rate in (99.0, 101.0)]
    searched = a_load(units, load=Load(slo={"p99": 0.05}))
    found = families(judged(run(searched)))
    assert not {"costguard_latency_seconds", "costguard_error_ratio"} & {
        name for name, family in found.items() if family.samples
    }, "its windows were chosen"
    rates = found["costguard_highest_rate_requests_per_second"].samples
    assert [one.value for one in rates if one.labels["bound"] == "estimate"] == [100.0]
    assert len(rates) == 3


def test_tokens_have_families_of_their_own():
    units = [written(ttft=[0.1] * 4, gaps=[[0.01] * 3] * 4)] * 2
    serves = msgspec.structs.replace(TARGET, stands_for=True)
    found = families(judged(run(measurement(units)), target=serves, pricer=cost_of))

    def samples(name, **labels):
        return [
            one.value
            for one in found[f"costguard_{name}"].samples
            if labels.items() <= one.labels.items() and one.labels["bound"] == "estimate"
        ]

    assert samples("ttft_seconds", statistic="mean") == pytest.approx([0.1])
    assert samples("itl_seconds", statistic="p50") == pytest.approx([0.01])
    assert samples("tokens_per_second", kind="output") == pytest.approx([4 / 0.13])
    assert len(samples("cost_usd_per_1m_tokens")) == 3


def test_hostile_names_are_labels_and_nothing_else():
    found = families(hostile_names())
    assert all(name.startswith("costguard_") for name in found)
