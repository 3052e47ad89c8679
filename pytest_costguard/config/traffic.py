"""The traffic that a marker or a rule declares, and what a report keeps of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.config.profiles import is_constant, names_file, parse_profile
from pytest_costguard.config.quantities import parse_traffic
from pytest_costguard.cost.traffic import TrafficProfile
from pytest_costguard.records import Traffic, TrafficSteps

KEPT_STEPS = 2_016
"""A week in steps of 5 min. Of more, a report keeps the peak and the mean alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTraffic:
    """How much a workload serves, as one place says it; the file that it may name is not read yet.

    A worker, and a test that is run without measuring, know the marker and need no traffic.
    """

    text: str
    origin: str
    key: str

    def read(self, root: Path) -> Traffic:
        """Return the traffic, with the file's contents where it names one.

        Args:
            root: what a relative path begins at, the project's root directory.

        Raises:
            ConfigError: it is no traffic, or its file cannot be read.
        """
        origin = f"{self.origin} {self.key}"
        if is_constant(self.text):
            items = parse_traffic(self.text, origin=self.origin, key=self.key)
            return Traffic(items_per_month=items, text=self.text, origin=origin)
        profile = parse_profile(self.text, origin=self.origin, key=self.key, root=root)
        return Traffic(
            items_per_month=profile.items_a_month,
            peak_per_second=profile.peak,
            steps=_kept(profile),
            digest=_digest(profile),
            text=self.text,
            origin=origin,
        )


def declared_traffic(value: object, *, origin: str, key: str) -> DeclaredTraffic | None:
    """Return how much a workload serves; None where nothing was said.

    Raises:
        ConfigError: it is neither a traffic nor the name of a file with one.
    """
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        parse_traffic(value, origin=origin, key=key)
    found = DeclaredTraffic(text=text, origin=origin, key=key)
    if not names_file(text):
        found.read(Path())
    return found


def _kept(profile: TrafficProfile) -> TrafficSteps | None:
    if len(profile.items_per_second) > KEPT_STEPS:
        return None
    return TrafficSteps(
        step_seconds=profile.step_seconds, items_per_second=profile.items_per_second
    )


def _digest(profile: TrafficProfile) -> str:
    content = repr((profile.step_seconds, profile.items_per_second))
    return hashlib.sha256(content.encode()).hexdigest()
