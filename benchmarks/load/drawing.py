"""The plot of latency over the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_costguard.reports import svg
from pytest_costguard.reports.svg import COLOURS, GRID, MARK, WIDTH

_LEFT, _RIGHT, _TOP, _HEIGHT = 80, 20, 34, 260


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a window at one rate (requests a second) has shown, in milliseconds."""

    rate: float
    p50: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One way of serving, over its rates."""

    name: str
    points: tuple[Point, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Curve:
        """Return what `as_json` has made plain."""
        return cls(name=told["name"], points=tuple(Point(**one) for one in told["points"]))

    def highest(self, *, limit_ms: float) -> float | None:
        """Return the last rate before p99 first exceeds a limit; None where none keeps it."""
        kept = None
        for point in self.points:
            if point.p99 > limit_ms:
                break
            kept = point.rate
        return kept


def latency_over_rate(curves: Sequence[Curve], *, limit_ms: float) -> str:
    """Draw p99 (and, thin, p50) of each way over the rate, with a limit across; latency in decades.

    Args:
        curves: at least one, each with a point.
        limit_ms: the SLO on p99.
    """
    most_rate = max(point.rate for curve in curves for point in curve.points)
    values = [
        value for curve in curves for point in curve.points for value in (point.p50, point.p99)
    ]
    low = math.floor(math.log10(min(values)) * 3) / 3
    high = math.log10(max(values)) + 0.05
    across = WIDTH - _LEFT - _RIGHT

    def x(rate: float) -> float:
        return _LEFT + across * rate / most_rate

    def y(milliseconds: float) -> float:
        return _TOP + _HEIGHT * (high - math.log10(milliseconds)) / (high - low)

    parts = [svg.text(_LEFT, 18, "Latency over the rate: p99 (thick) and p50 (thin)")]
    for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000):
        if low <= math.log10(tick) <= high:
            parts += [svg.line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick), GRID)]
            parts += [svg.text(_LEFT - 8, y(tick) + 4, f"{tick} ms", anchor="end")]
    step = _round_step(most_rate)
    for number in range(int(most_rate / step) + 1):
        rate = step * number
        parts += [svg.text(x(rate), _TOP + _HEIGHT + 18, f"{rate:g}/s", anchor="middle")]
    parts += [svg.line(_LEFT, y(limit_ms), WIDTH - _RIGHT, y(limit_ms), MARK, dashed=True)]
    parts += [svg.text(_LEFT + 4, y(limit_ms) - 5, f"SLO {limit_ms:g} ms")]
    for number, (curve, colour) in enumerate(zip(curves, COLOURS, strict=False)):
        parts += [svg.polyline([(x(p.rate), y(p.p99)) for p in curve.points], colour, width=3)]
        parts += [svg.polyline([(x(p.rate), y(p.p50)) for p in curve.points], colour, width=1)]
        kept = curve.highest(limit_ms=limit_ms)
        if kept is not None:
            parts += [svg.line(x(kept), y(limit_ms), x(kept), _TOP + _HEIGHT, colour, dashed=True)]
        left = _LEFT + number * across / len(curves)
        below = _TOP + _HEIGHT + 42
        parts += [svg.line(left, below, left + 20, below, colour, width=3)]
        parts += [svg.text(left + 26, below + 4, curve.name)]
    return svg.picture(parts, height=_TOP + _HEIGHT + 60)


def _round_step(most: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that divides an axis in six at most."""
    power = 10 ** math.floor(math.log10(most / 6))
    return next(power * times for times in (1, 2, 5, 10) if most <= 6 * power * times)
