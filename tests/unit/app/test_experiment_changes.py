"""What `costguard ab` says of a workload beyond one change: that not all of it changed alike."""

from __future__ import annotations

import pytest
from factories.judging import MACHINE, block, measurement, unit

from pytest_costguard.app.experiment_changes import Measured, workload_change
from pytest_costguard.app.targets import PricedSetup

REQUESTS = 40
JITTER = (1.0, 1.001, 1.001, 1.0)


def served(slowest, *, inputs=1):
    """Eight units of forty requests of 1 ms, of which the last takes this long on average."""
    units = []
    for index in range(8):
        each = [0.001] * (REQUESTS - 1) + [slowest * JITTER[index % 4]]
        blocks = [block(one, requests=1) for one in each]
        units.append(unit(index=index, samples=each, blocks=blocks))
    return measurement(units, input_count=inputs)


def notes(*, base, head):
    found = workload_change(
        Measured(base=base, head=head, seconds=8.0),
        metric="mean",
        precision=0.01,
        pricing=PricedSetup(target=None, problem="", digest=""),
        machine=MACHINE,
    )
    assert found is not None
    return found.notes


def test_few_requests_that_got_much_slower_are_told():
    (note,) = notes(base=served(0.001), head=served(0.009))
    assert note.startswith("requests change by different amounts: typically by 0.0 %, all of them")
    assert "together by +20.0 %" in note


def test_a_part_of_the_inputs_that_got_slower_is_told_as_such():
    several = {"inputs": REQUESTS}
    (note,) = notes(base=served(0.001, **several), head=served(0.009, **several))
    assert note.startswith("inputs change by different amounts: typically by 0.0 %")


@pytest.mark.parametrize("slowest", [0.001, 0.0012])
def test_what_differs_by_less_than_a_percent_is_not_worth_a_word(slowest):
    assert notes(base=served(0.001), head=served(slowest)) == ()
