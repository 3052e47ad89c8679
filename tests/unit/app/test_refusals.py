"""Why a workload was not measured, as a worker tells it."""

from __future__ import annotations

import pytest

from pytest_costguard.app.refusals import refusal_of
from pytest_costguard.errors import PortInUse, ServerError
from pytest_costguard.records import WorkloadId

WORKLOAD = WorkloadId(nodeid="test_it.py::test")


class OutOfMemoryError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "needs"),
    [
        (PortInUse("port 8080 is in use", remedy="stop it"), "both sides need the same port"),
        (OutOfMemoryError("20 GiB"), "the device's memory does not hold both sides"),
        (ServerError("it ended", remedy="see why"), ""),
        (ValueError("no"), ""),
    ],
)
def test_what_both_sides_cannot_have_at_once_is_named(error, needs):
    assert refusal_of(WORKLOAD, error).needs_the_machine == needs


def test_an_error_of_ours_keeps_its_words_and_any_other_its_traceback():
    ours = refusal_of(WORKLOAD, ServerError("it ended", remedy="see why"))
    assert (ours.reason, ours.remedy, ours.details) == ("it ended", "see why", "")
    ours = ServerError("it answered 500", remedy="see why")
    ours.add_note("The server said last: no weights")
    assert refusal_of(WORKLOAD, ours).details == "The server said last: no weights"
    theirs = refusal_of(WORKLOAD, ValueError("no"))
    assert theirs.reason == "it raised ValueError: no"
    assert "ValueError: no" in theirs.details
