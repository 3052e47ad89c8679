"""What is shown of a workload while it is measured: how far it is, and the change so far."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from factories.judging import WORKLOAD, block, gates, measurement, regression, unit

from pytest_costguard.app.standings import Standings, gates_by_workload
from pytest_costguard.stats.paired import USUAL_LOOKS


def served(*slowest):
    """A unit of forty requests of 1 ms for each of these, which the last one takes."""
    units = []
    for index, seconds in enumerate(slowest):
        each = [0.001] * 39 + [seconds]
        blocks = [block(one, requests=1) for one in each]
        units.append(unit(index=index, samples=each, blocks=blocks))
    return measurement(units)


def standing(*, base, head, metric="mean"):
    def side(measured):
        return SimpleNamespace(
            measurement=lambda _workload: measured, measurements=lambda: (measured,)
        )

    engine = SimpleNamespace(sides={"base": side(base), "head": side(head)}, collection=side(head))
    held = gates_by_workload(gates(regression(metric)))
    return Standings(gates=held, looks=USUAL_LOOKS).of(WORKLOAD, engine)


@pytest.mark.parametrize(("metric", "sign"), [("mean", "+"), ("throughput", "−")])
def test_what_keeps_a_verdict_back_is_the_change_that_is_shown(metric, sign):
    found = standing(
        base=served(*[0.001] * 6),
        head=served(*[0.009, 0.001, 0.006] * 2),
        metric=metric,
    )
    assert (found.decided, found.next_look, found.looked) == (False, 10, True)
    size = {"mean": "10.5", "throughput": "9.5"}[metric]
    assert found.words == f"{metric} {sign}{size} % after 6 of 10 units"


def test_what_is_decided_needs_no_words():
    found = standing(base=served(*[0.001] * 6), head=served(*[0.001] * 6))
    assert (found.decided, found.words) == (True, "")
