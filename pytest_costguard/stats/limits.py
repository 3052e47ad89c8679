"""What is asked of a comparison, and how often it may be wrong: shared by every rule."""

from __future__ import annotations

from dataclasses import dataclass

SUITE_ALPHA = 0.01
"""P(a run fails though nothing got worse than allowed), shared among all its hypotheses."""
BETA = 0.05
"""P(unchanged is said of a true change of `catch`), for each hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is asked of one hypothesis: shares (0.02 is 2 %) and how many share the 1 %."""

    allow: float
    catch: float
    hypotheses: int = 1
    better: float | None = None
    """How much better is an improvement; None: as much as worse is allowed."""

    def __post_init__(self) -> None:
        if not 0 <= self.allow < self.catch:
            raise ValueError(f"catch ({self.catch}) must be above allow ({self.allow}), from 0 up")
        if self.hypotheses < 1:
            raise ValueError(f"hypotheses must be at least 1, got {self.hypotheses}")

    @property
    def improvement(self) -> float:
        """How much better a change must surely be to be called improved, a share."""
        return self.allow if self.better is None else self.better

    @property
    def alpha(self) -> float:
        """The error that this one hypothesis may make."""
        return SUITE_ALPHA / self.hypotheses
