"""Judge a run: from measurements, a stored baseline, gates and a price to a report. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from functools import partial

import msgspec

from pytest_costguard.app.judging_acceptance import with_acceptance
from pytest_costguard.app.judging_base import compare_with, measured_beside
from pytest_costguard.app.judging_budgets import judge_budget
from pytest_costguard.app.judging_comparisons import Terms
from pytest_costguard.app.judging_escalation import (
    Reconsidered,
    reconsidered,
    steps_that_alarm,
)
from pytest_costguard.app.judging_history import (
    History,
    Reference,
    history,
    missing_workloads,
    reference,
)
from pytest_costguard.app.judging_hypotheses import Pairs, decide_pairs
from pytest_costguard.app.judging_load import fitting
from pytest_costguard.app.judging_messages import failing_messages
from pytest_costguard.app.judging_month import monthly_change
from pytest_costguard.app.judging_notes import noted
from pytest_costguard.app.judging_outcome import outcome_of
from pytest_costguard.app.judging_scenario import own_gates
from pytest_costguard.app.judging_subject import Pricer, Subject, subject
from pytest_costguard.app.judging_together import counted_once, mixtures_of
from pytest_costguard.app.judging_tokens import token_warnings
from pytest_costguard.app.plan_mixtures import PartOfTraffic, parts_of_traffic
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import (
    OF_CAPACITY,
    Against,
    Baseline,
    Currency,
    Escalation,
    FailOn,
    Gates,
    Interval,
    Measurement,
    Report,
    Run,
    Target,
    Together,
    WorkloadVerdict,
)
from pytest_costguard.reports.load_facts import failures_told
from pytest_costguard.stats.backlog import steady_state_fault
from pytest_costguard.stats.generator import generator_fault


def judge(
    *,
    run: Run,
    baseline: Baseline | None,
    gates: Mapping[str, Gates],
    target: Target | None,
    target_problem: str,
    fail_on: Collection[FailOn],
    runner_spread: float | None,
    baseline_requested: str,
    baseline_problem: str,
    whole_suite: bool,
    now: dt.date,
    against: Against | None = None,
    escalation: Escalation | None = None,
    pricer: Pricer = cost_of,
) -> Report:
    """Decide about everything that the run is held to, and say how it ends.

    Every gate, a regression rule or a budget on one metric of one workload, is a hypothesis;
    the run's 1 % of false alarms is shared equally among them, so that it holds for the suite.

    Args:
        run: what was measured.
        baseline: the series to compare with; None where there is none.
        gates: by `str(workload)`; a workload without an entry is only reported.
        target: what serves the workloads and its price; None where it is not known.
        target_problem: why there is no target.
        fail_on: what fails the run; failures to measure always do.
        runner_spread: declared relative spread from run to run on this runner.
        baseline_requested: what the user asked for: a name, a path, `auto` or `none`.
        baseline_problem: why there is no baseline though one was asked for.
        whole_suite: whether all tests were selected, so that an absent workload is missing.
        now: today, for the age of prices.
        against: base, where it was measured side by side: then it is compared with that.
        escalation: what the baseline left in doubt and was measured again side by side.
        pricer: turns throughput into cost.
    """
    known = _known(run, baseline, against)
    parts = parts_of_traffic(run.measurements)
    held = {
        str(one.workload): fitting(
            own_gates(
                _own(gates.get(str(one.workload), Gates()), parts.get(one.workload)),
                one,
                run.measurements,
            ),
            one,
        )
        for one in run.measurements
    }
    terms = Terms(
        hypotheses=hypotheses(held.values()) * steps_that_alarm(escalation),
        runner_spread=runner_spread,
    )
    if against is not None:
        terms = terms.beside(against)
    pairs = (
        None if against is None else decide_pairs(run, against, held, hypotheses=terms.hypotheses)
    )
    examined = partial(
        subject,
        fingerprint=run.fingerprint,
        target=target,
        target_problem=target_problem,
        today=now,
        pricer=pricer,
    )
    second = (
        {}
        if escalation is None
        else reconsidered(run, escalation, held, hypotheses=terms.hypotheses, subject=examined)
    )
    mixtures = mixtures_of(run.measurements)
    verdicts = tuple(
        _workload_verdict(
            examined(measurement),
            past=_history(measurement, known, run=run),
            gates=held[str(measurement.workload)],
            terms=terms,
            pairs=pairs,
            second=second.get(measurement.workload),
            together=mixtures.get(measurement.workload),
            fail_on=fail_on,
        )
        for measurement in run.measurements
    )
    verdicts = counted_once(verdicts, mixtures)
    missing = missing_workloads(run, known) if whole_suite else ()
    if against is not None:
        missing = (*missing, *(one for one in against.only_base if one not in missing))
    return Report(
        run=run,
        baseline=baseline,
        baseline_requested=baseline_requested,
        baseline_problem=baseline_problem,
        against=against,
        escalation=escalation,
        target=target,
        target_problem=target_problem,
        fail_on=tuple(cause for cause in FailOn if cause in fail_on),
        runner_spread=runner_spread,
        gates=dict(gates),
        verdicts=verdicts,
        missing=missing,
        outcome=outcome_of(
            run=run,
            verdicts=verdicts,
            missing=missing,
            fail_on=fail_on,
            unjudged=_unjudged(known, requested=baseline_requested, problem=baseline_problem),
            code_unloaded=against is not None and bool(against.unloaded),
            currency=_currency(target),
        ),
    )


def _own(gates: Gates, part: PartOfTraffic | None) -> Gates:
    """Return what a workload is held to: a part of a mixture has its own part of the traffic."""
    return gates if part is None else part.of_gates(gates)


def expecting(report: Report, failures: Mapping[str, str]) -> Report:
    """Return the report of a run in which some tests failed as they were expected to.

    Args:
        report: of the same run, whatever it expects so far.
        failures: the reason by the test's node id.
    """
    known = _known(report.run, report.baseline, report.against)
    return msgspec.structs.replace(
        report,
        expected_failures=dict(failures),
        outcome=outcome_of(
            run=report.run,
            verdicts=report.verdicts,
            missing=report.missing,
            fail_on=report.fail_on,
            unjudged=_unjudged(
                known, requested=report.baseline_requested, problem=report.baseline_problem
            ),
            code_unloaded=report.against is not None and bool(report.against.unloaded),
            currency=_currency(report.target),
            expected=failures,
        ),
    )


def hypotheses(gates: Iterable[Gates]) -> int:
    """Return among how many gates a run's error is shared."""
    return max(1, sum(len(one.regressions) + len(one.budgets) for one in gates))


def _currency(target: Target | None) -> Currency:
    return Currency() if target is None else target.currency


def _known(run: Run, baseline: Baseline | None, against: Against | None) -> Reference | None:
    return reference(run, baseline) if against is None else measured_beside(run, against)


def _unjudged(known: Reference | None, *, requested: str, problem: str) -> str:
    if known is not None:
        return ""
    if problem:
        return f"nothing was compared: {problem}"
    return "nothing was compared" if requested == "none" else "no baseline yet"


def _history(measurement: Measurement, known: Reference | None, *, run: Run) -> History | None:
    return None if known is None else history(measurement, known, fingerprint=run.fingerprint)


def _figures(measured: Subject, gates: Gates) -> dict[str, Interval]:
    """Return what is shown of a workload, with replicas and a month where a budget asks for them.

    The arithmetic of fleets needs numpy, which nothing else of a session does.
    """
    found = dict(measured.figures())
    if not OF_CAPACITY.isdisjoint(budget.metric for budget in gates.budgets):
        from pytest_costguard.app.judging_capacity import capacity_figures

        found.update(capacity_figures(measured, gates))
    return found


def _workload_verdict(
    measured: Subject,
    *,
    past: History | None,
    gates: Gates,
    terms: Terms,
    pairs: Pairs | None,
    second: Reconsidered | None,
    together: Together | None,
    fail_on: Collection[FailOn],
) -> WorkloadVerdict:
    comparisons = (
        ()
        if past is None
        else tuple(
            compare_with(rule, measured=measured, past=past, terms=terms, pairs=pairs)
            for rule in gates.regressions
        )
    )
    if second is not None:
        comparisons = second.comparisons(comparisons, terms=terms)
    comparisons = tuple(map(with_acceptance, comparisons))
    references = (past, None if second is None else second.past)
    changed = next((one for one in references if one is not None and one.inputs_changed), None)
    budgets = tuple(
        judge_budget(
            budget,
            subject=measured,
            history=past,
            gates=gates,
            alpha=terms.alpha,
        )
        for budget in gates.budgets
    )
    return WorkloadVerdict(
        workload=measured.measurement.workload,
        comparisons=comparisons,
        budgets=budgets,
        figures=_figures(measured, gates),
        unsupported=dict(measured.unsupported),
        cost=measured.cost,
        monthly=monthly_change(comparisons, cost=measured.cost, traffic=gates.traffic),
        inputs_changed=changed is not None,
        failing=failing_messages(
            subject=measured,
            history=past,
            beside=None if second is None else second.past,
            changed=changed,
            comparisons=comparisons,
            budgets=budgets,
            fail_on=fail_on,
        ),
        warnings=(
            *_warnings(measured, past=past, pairs=pairs),
            *(second.warnings(known=measured.measurement) if second is not None else ()),
        ),
        together=together,
    )


def _warnings(measured: Subject, *, past: History | None, pairs: Pairs | None) -> tuple[str, ...]:
    found = [*past.warnings] if past is not None else []
    workload = measured.measurement.workload
    found += noted(measured.measurement, base=None if pairs is None else pairs.base.get(workload))
    if told := failures_told(measured.measurement):
        found.append(told)
    measurement = measured.measurement
    found += filter(None, (generator_fault(measurement), steady_state_fault(measurement)))
    if measured.slowing_down:
        found.append(f"it got {measured.slowing_down:.0%} slower within a unit".replace("%", " %"))
    return (*found, *token_warnings(measured.measurement))
