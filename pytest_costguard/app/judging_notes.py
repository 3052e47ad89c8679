"""Which of what was noted while a workload was measured a reader must know. Pure."""

from __future__ import annotations

from pytest_costguard.records import Measurement
from pytest_costguard.records.notes import FACTS


def noted(head: Measurement, *, base: Measurement | None) -> tuple[str, ...]:
    """Return what was noted of a workload, and on base where it was not on head; no facts."""
    on_base = () if base is None else base.notes
    return (
        *(note for note in head.notes if note not in FACTS),
        *(f"on base, {note}" for note in on_base if note not in {*FACTS, *head.notes}),
    )
