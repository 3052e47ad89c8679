"""How far the measuring is, in words."""

from __future__ import annotations

from pytest_costguard.engine.coordinator import Progress


def in_words(progress: Progress) -> str:
    """Return where the measuring is, and about how long to its end or to the next look."""
    if progress.stage == "memory":
        text = (
            "costguard: memory and cold start of workloads that shared a process, each alone,"
            f" {progress.unit + 1}/{progress.units}"
        )
    else:
        text = f"costguard: unit {progress.unit + 1}/{progress.units}"
    left = progress.remaining_seconds
    if left is None:
        return text
    until = "left" if progress.until == "end" else "to the next look"
    return f"{text}, about {duration(left)} {until}"


def duration(seconds: float) -> str:
    """Return a length of time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
