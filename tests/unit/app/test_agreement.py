"""What counts as the expected output of `reference=`."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_costguard.app.agreement import agrees
from pytest_costguard.errors import WorkloadError

LOGITS = np.zeros((2, 3))
BOXES = np.ones((4,))


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ([LOGITS, BOXES], [LOGITS, BOXES]),
        ((LOGITS, BOXES), [LOGITS.tolist(), BOXES.tolist()]),
        ({"logits": LOGITS, "boxes": BOXES}, {"boxes": BOXES, "logits": LOGITS}),
        ([LOGITS], LOGITS),
        (LOGITS, [[LOGITS]]),
        ([0.5], 0.5),
        ([0.5], np.array([0.5])),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        (["a", "b"], ["a", "b"]),
        ("text", "text"),
        (1.000001, 1),
    ],
    ids=str,
)
def test_the_same_outputs_agree_whatever_holds_them(output, wanted):
    assert agrees(output, wanted, tolerance=1e-3)


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ([LOGITS, BOXES], [LOGITS, BOXES + 1]),
        ([LOGITS, BOXES], [LOGITS]),
        ([LOGITS, BOXES, BOXES], [LOGITS, BOXES]),
        ([LOGITS, BOXES], [BOXES, LOGITS]),
        ({"logits": LOGITS}, {"scores": LOGITS}),
        ("text", 1.0),
        (np.zeros(3), np.zeros(4)),
        ([1.0, 2.0], [1.0, 2.0, 3.0]),
    ],
    ids=str,
)
def test_another_value_shape_name_or_number_of_outputs_does_not_agree(output, wanted):
    assert not agrees(output, wanted, tolerance=1e-3)


def test_a_structure_that_cannot_be_compared_names_the_remedy():
    with pytest.raises(WorkloadError, match="a list with a ndarray") as caught:
        agrees(LOGITS, [LOGITS, BOXES], tolerance=1e-3)
    assert "quality=" in str(caught.value)
