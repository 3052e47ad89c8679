"""Why a workload was not measured, as a worker tells it: in words, with the remedy."""

from __future__ import annotations

import traceback

from pytest_costguard.engine.protocol import Refused
from pytest_costguard.errors import CostguardError, PortInUse
from pytest_costguard.records import WorkloadId
from pytest_costguard.workloads.accelerators import out_of_device_memory


def refusal_of(workload: WorkloadId, error: BaseException) -> Refused:
    """Return what a worker says of a workload, or of a whole test, that has raised."""
    known = error if isinstance(error, CostguardError) else None
    return Refused(
        workload=workload,
        reason=known.message if known else f"it raised {_in_short(error)}",
        remedy=known.remedy if known else _remedy(error),
        details="\n".join(getattr(error, "__notes__", ())) if known else _traceback(error),
        needs_the_machine=_needed_alone(error),
    )


def _needed_alone(error: BaseException) -> str:
    """Say what both sides cannot have at once, where that may be why it has raised; or ""."""
    if isinstance(error, PortInUse):
        return "both sides need the same port"
    if out_of_device_memory(type(error).__name__, _in_short(error)):
        return "the device's memory does not hold both sides"
    return ""


def _remedy(error: BaseException) -> str:
    if type(error).__name__ in ("CancelledError", "Cancelled"):  # asyncio's and trio's
        return "measuring takes seconds: lift the test's own time limit under --costguard"
    return "run the test without --costguard to debug it"


def _traceback(error: BaseException) -> str:
    """The traceback, whatever the exception's own words do."""
    try:
        return "".join(traceback.format_exception(error))[-20_000:]
    except Exception:  # noqa: BLE001  # the user's own __str__ may do anything
        return "".join(traceback.format_tb(error.__traceback__))[-20_000:]


def _in_short(error: BaseException) -> str:
    try:
        text = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001  # the user's own __str__ may do anything
        text = ["(its text cannot be made)"]
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
