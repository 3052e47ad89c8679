"""What a test's `costguard` markers say, stacked ones included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_costguard.errors import ConfigError

if TYPE_CHECKING:
    from pytest_costguard.config.gates import MarkerSettings

MEASURES = "costguard"
"""The marker, and the fixture."""


def measures(item: pytest.Item) -> bool:
    """Whether a test declares that it measures, and is not skipped by a marker."""
    if item.get_closest_marker("skip") is not None:
        return False
    named = MEASURES in getattr(item, "fixturenames", ())
    return named or item.get_closest_marker(MEASURES) is not None


def marked(item: pytest.Item) -> MarkerSettings:
    """Return what all markers of a test say together.

    Raises:
        UsageError: one of them says something that is not understood.
    """
    from pytest_costguard.config.gates import parse_marker, stack_markers

    path, line, _ = item.location
    parsed = []
    for marker in item.iter_markers(MEASURES):
        if marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: @pytest.mark.costguard takes keywords only, got {marker.args!r}"
            )
        try:
            parsed.append(
                parse_marker(
                    marker.kwargs,
                    nodeid=item.nodeid,
                    location=f"{path}:{(line or 0) + 1}",
                    of_test=any(marker is own for own in item.own_markers),
                )
            )
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from error
    return stack_markers(parsed)


def marked_slo(item: pytest.Item) -> dict[str, object]:
    """Return the `slo=` of all markers of a test as it was written; the closest one wins."""
    written: dict[str, object] = {}
    for marker in item.iter_markers(MEASURES):
        table = marker.kwargs.get("slo")
        written = {**(table if isinstance(table, dict) else {}), **written}
    return written
