"""From before to after: what changes of replicas and bill, by pairs or by two reports."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import pytest
from factories.judged import head, judged
from factories.judging import MACHINE, WORKLOAD, gates, measurement, regression, run, unit
from factories.money import quote, target

from pytest_costguard.app.plan_befores import base_of, report_before
from pytest_costguard.app.plan_changes import compare_plans
from pytest_costguard.app.plan_subjects import PlanTerms
from pytest_costguard.cost.queueing import Objective
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Against, WorkloadId
from pytest_costguard.reports.plan_change import render_change

SERVES = msgspec.structs.replace(target(), stands_for=True, workers_per_instance=1)
A_REPLICA = Decimal("262.80")
"""A month of 730 hours at 0.36 dollars."""
SPREAD = (0.003, 0.003, -0.003, -0.003, 0.001, -0.001)
"""Not in step with which side was started first."""


def reported(latency=0.001, *, serves=SERVES, **changes):
    now = msgspec.structs.replace(head(latency), **changes)
    return judged(now, target=serves, pricer=cost_of)


def compared(before, after, *, traffic="5000/s", **terms):
    found = report_before(before, after=after)
    return compare_plans(found, after, terms=PlanTerms(traffic=traffic, **terms))


def side_by_side(change, *, drift=0.0, held=None, samples=None):
    """A report whose head is slower by the logarithm `change` in each pair of units.

    All of head's units were measured in slower minutes, by `drift`, and so were base's.
    """
    pairs = list(enumerate(SPREAD))
    before = [unit(0.001 * math.exp(drift), index=k, samples=samples) for k, _ in pairs]
    after = [
        unit(0.001 * math.exp(drift + change + wobble), index=k, samples=samples and samples)
        for k, wobble in pairs
    ]
    against = Against(
        requested="main",
        found_as="branch main",
        run=run(measurement(before), run_id="r-base"),
        looks=(6, 10, 16, 24),
    )
    return judged(
        run(measurement(after)),
        against=against,
        gates=gates(regression()) if held is None else held,
        target=SERVES,
        pricer=cost_of,
    )


def of_base(report, *, traffic="5000/s", **terms):
    return compare_plans(
        base_of(report, origin="report.json"),
        report,
        terms=PlanTerms(traffic=traffic, **terms),
    )


def test_twice_the_time_is_twice_the_replicas_and_twice_the_bill():
    # 5,000 ÷ (1,000 * 70 %) are 7.14 replicas, and 14.3 of half as quick ones
    (one,) = compared(reported(0.001), reported(0.002)).workloads

    assert (one.replicas.before, one.replicas.after, one.replicas.change.estimate) == (8, 15, 7)
    assert one.exact.change.estimate == pytest.approx(7.143, abs=0.01)
    bill = one.static.bill
    assert (bill.before, bill.after, bill.change.usd) == (
        8 * A_REPLICA,
        15 * A_REPLICA,
        7 * A_REPLICA,
    )
    each = bill.after / Decimal(5000 * 730 * 3600) * 1000
    assert float(one.static.usd_per_1k.after) == pytest.approx(float(each), rel=1e-6)
    assert one.static.utilisation.before == pytest.approx(5 / 8, rel=0.01)
    assert one.static.utilisation.after == pytest.approx(10 / 15, rel=0.01)
    assert one.ratio.estimate == pytest.approx(0.5)
    assert not one.paired


def test_two_reports_are_bounded_by_the_worst_of_both_intervals():
    (one,) = compared(reported(0.001), reported(0.001)).workloads

    assert one.exact.change.estimate == 0
    assert one.exact.change.lower < 0 < one.exact.change.upper
    assert one.exact.change.lower == pytest.approx(-one.exact.change.upper)
    assert one.ratio.lower < 1 < one.ratio.upper


def test_side_by_side_the_change_is_that_of_the_pairs():
    report = side_by_side(0.10)
    (decided,) = report.verdicts[0].comparisons
    (one,) = of_base(report).workloads

    assert one.paired
    assert one.ratio.estimate == pytest.approx(1 / decided.ratio)
    assert one.ratio.lower == pytest.approx(1 / decided.upper)
    assert one.exact.before == pytest.approx(one.exact.after / decided.ratio)
    ends = [one.exact.after * (1 - 1 / end) for end in (decided.lower, decided.upper)]
    assert one.exact.change.lower == pytest.approx(ends[0])
    assert one.exact.change.upper == pytest.approx(ends[1])


def test_slower_minutes_hit_both_sides_and_are_no_change():
    quiet, slow = (of_base(side_by_side(0.0, drift=drift)).workloads[0] for drift in (0.0, 0.3))

    for one in (quiet, slow):
        assert one.exact.change.lower < 0 < one.exact.change.upper
        assert abs(one.exact.change.estimate) < 0.01


def test_pairs_count_where_no_rule_has_compared_them():
    (one,) = of_base(side_by_side(0.10, held={})).workloads

    assert one.paired
    assert one.ratio.estimate == pytest.approx(math.exp(-0.10), rel=0.002)
    assert one.ratio.lower < one.ratio.estimate < one.ratio.upper


def test_before_keeps_the_spread_of_its_own_requests():
    # Alike for a caller on average, but one request in fifty takes much longer now.
    even = [0.01] * 200
    spread = ([0.0098] * 49 + [0.0198]) * 4
    before = [unit(index=k, samples=even) for k in range(6)]
    after = [unit(index=k, samples=spread) for k in range(6)]
    against = Against(
        requested="main",
        found_as="branch main",
        run=run(measurement(before), run_id="r-base"),
        looks=(6, 10, 16, 24),
    )
    report = judged(
        run(measurement(after)),
        against=against,
        gates=gates(regression()),
        target=SERVES,
        pricer=cost_of,
    )
    (one,) = of_base(report, objectives=(Objective(quantile=0.95, seconds=0.02),)).workloads

    assert one.ratio.estimate == pytest.approx(1.0, abs=0.01)
    assert one.exact.after > one.exact.before


def test_autoscaled_months_are_compared_where_both_sides_can_be_started():
    terms = {"scaler": "HPA", "startup_seconds": 30.0, "traffic": "peak=9000/s,average=3000/s"}
    found = compared(reported(0.001), reported(0.002), **terms)
    (one,) = found.workloads

    assert one.autoscaled.bill.change.usd > 0
    assert one.autoscaled.bill.after < one.static.bill.after
    assert one.autoscaled.replicas.change.estimate == pytest.approx(
        one.autoscaled.replicas.after - one.autoscaled.replicas.before
    )
    assert found.autoscaled.change.usd == one.autoscaled.bill.change.usd


def test_all_together_is_the_sum_and_its_bounds():
    other = WorkloadId(nodeid="tests/test_other.py::test_other")

    def both(latency):
        units = [unit(latency * (1 + wobble), index=k) for k, wobble in enumerate(SPREAD)]
        return judged(
            run(measurement(units), measurement(units, workload=other)),
            target=SERVES,
            pricer=cost_of,
        )

    found = compared(both(0.001), both(0.002))

    assert found.static.change.usd == 2 * found.workloads[0].static.bill.change.usd
    assert found.static.change.upper == 2 * found.workloads[0].static.bill.change.upper
    assert "all together" in render_change(found)


def test_what_one_of_both_lacks_is_named_on_either_side():
    renamed = WorkloadId(nodeid="tests/test_new.py::test_new")
    units = [unit(index=k) for k in range(6)]
    after = judged(run(measurement(units, workload=renamed)), target=SERVES, pricer=cost_of)
    found = compared(reported(), after)

    reasons = {str(one.workload): one.reason for one in found.uncompared}
    assert reasons == {
        str(renamed): "it was not measured before",
        str(WORKLOAD): "it was measured before and not after",
    }
    assert (found.workloads, found.static) == ((), None)
    assert "not compared: it was not measured before" in render_change(found)


def test_a_change_of_price_is_no_change_and_is_said():
    dearer = msgspec.structs.replace(SERVES, quote=quote(usd_per_hour=Decimal("0.72")))
    found = compared(reported(), reported(serves=dearer))

    (one,) = found.workloads
    assert one.static.bill.change.usd == 0
    assert one.static.bill.before == 16 * A_REPLICA
    assert any("an hour cost USD 0.360 before" in note for note in found.notes)


def test_two_targets_have_each_their_own_price():
    moved = msgspec.structs.replace(SERVES, name="gpu", quote=quote(usd_per_hour=Decimal("0.72")))
    found = compared(reported(), reported(serves=moved))

    assert found.workloads[0].static.bill.change.usd == 8 * A_REPLICA
    assert any("before is on prod, after on gpu" in note for note in found.notes)


def test_another_machine_is_said_to_be_one():
    other = msgspec.structs.replace(MACHINE, cpu_model="EPYC")
    found = compared(reported(fingerprint=other), reported())

    assert any("cpu_model (EPYC before, Xeon after)" in note for note in found.notes)


def test_without_a_price_nothing_is_compared_and_it_says_why():
    found = compared(judged(head()), judged(head()))
    assert "it has no price" in found.uncompared[0].reason


def test_a_report_of_one_side_has_no_base():
    with pytest.raises(ConfigError, match=r"report\.json: it was not measured side by side"):
        base_of(reported(), origin="report.json")


def test_the_text_has_each_figure_before_and_after():
    terms = {"scaler": "HPA", "startup_seconds": 30.0}
    text = render_change(compared(reported(0.001), reported(0.002), **terms), width=90)

    assert "serves −50.0" in text
    (replicas,) = (line for line in text.splitlines() if "replicas at the peak" in line)
    assert replicas.split()[-3:] == ["8", "15", "+7"]
    assert "USD a month" in text
    assert "USD per 1k" in text
    assert "autoscaled (HPA):" in text
    assert "points" in text
    assert all(len(line) <= 90 for line in text.splitlines() if "note:" in line)
