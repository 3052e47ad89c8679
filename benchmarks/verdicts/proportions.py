"""Shares of counted trials, each with its exact binomial interval."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """So many of so many trials, with the interval of Clopper and Pearson (Biometrika 26, 404)."""

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials:
            raise ValueError(f"hits must be from 0 to {self.trials}, got {self.hits}")

    @property
    def share(self) -> float:
        """Hits over trials; NaN where there were none."""
        return self.hits / self.trials if self.trials else float("nan")

    @property
    def lower(self) -> float:
        """The true share is above it with 97.5 %."""
        if self.hits == 0:
            return 0.0
        return float(beta.ppf((1 - CONFIDENCE) / 2, self.hits, self.trials - self.hits + 1))

    @property
    def upper(self) -> float:
        """The true share is below it with 97.5 %."""
        if self.hits == self.trials:
            return 1.0
        return float(beta.ppf((1 + CONFIDENCE) / 2, self.hits + 1, self.trials - self.hits))

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(hits=self.hits + other.hits, trials=self.trials + other.trials)

    def __str__(self) -> str:
        if not self.trials:
            return "no trials"
        bounds = f"{100 * self.lower:.1f} to {100 * self.upper:.1f} %"
        return f"{self.hits} of {self.trials} ({bounds})"
