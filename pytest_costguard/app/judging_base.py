"""Base as it was measured beside head: what stands in a stored baseline's place."""

from __future__ import annotations

import dataclasses

import msgspec

from pytest_costguard.app.judging_comparisons import Terms, compare
from pytest_costguard.app.judging_history import History, Reference, reference
from pytest_costguard.app.judging_hypotheses import Pairs
from pytest_costguard.app.judging_pairs import compare_pair
from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.records import Against, Baseline, BaselineRun, Comparison, Regression, Run
from pytest_costguard.reports.ways import base_name
from pytest_costguard.stats.summary import reduce


def as_baseline(against: Against) -> Baseline:
    """Base as a series of one run: what is new, changed or relative to base reads it there."""
    run = against.run
    return Baseline(
        name="base",
        location="",
        runs=(
            BaselineRun(
                run_id=run.run_id,
                created=run.created,
                tool_version=run.tool_version,
                fingerprint=run.fingerprint,
                commit=run.commit,
                workloads=tuple(map(reduce, run.measurements)),
                whole_suite=run.whole_suite,
            ),
        ),
    )


def measured_beside(run: Run, against: Against) -> Reference:
    """Return base as the reference of a run that was measured side by side with it."""
    known = reference(run, as_baseline(against))
    assert known is not None, "a series of one run is a reference"
    return dataclasses.replace(known, name=base_name(against))


def compare_with(
    rule: Regression, *, measured: Subject, past: History, terms: Terms, pairs: Pairs | None
) -> Comparison:
    """Compare with the pairs of both sides where there are any, else with earlier runs.

    Both give the same figures of head and base; what is new, and quality, is said in one way.
    """
    if pairs is None or past.absence is not None or rule.metric == "quality":
        return compare(rule, subject=measured, history=past, terms=terms)
    head = measured.estimate(rule.metric)
    compared = compare_pair(rule, subject=measured, pairs=pairs)
    # Plain means of either side hold drift and disturbances that the pairs are free of, so base
    # is shown as what makes the ratio.
    base = head / compared.ratio if head is not None and compared.ratio else None
    return msgspec.structs.replace(compared, head=head, base=base)
