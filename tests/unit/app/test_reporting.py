"""Reports are remade from what they hold, and nothing that they hold ends in a traceback."""

from __future__ import annotations

import pytest

from pytest_costguard.app.reporting import consistent
from pytest_costguard.errors import RecordError


@pytest.mark.parametrize("raised", [OverflowError, ZeroDivisionError, KeyError, ValueError])
def test_figures_that_contradict_each_other_are_told_with_the_file(raised):
    told = r"^r\.json: its figures contradict each other"
    with pytest.raises(RecordError, match=told), consistent("r.json"):
        raise raised("what nobody has measured")
