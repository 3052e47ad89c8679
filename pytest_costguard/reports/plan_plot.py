"""A plan as a picture: what is asked for, and how many replicas there are for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pytest_costguard.reports import svg
from pytest_costguard.reports.numbers import significant

_LEFT, _RIGHT, _TOP, _PLOT, _BETWEEN = 70, 20, 44, 130, 96
_POINTS = 1_500
"""Of a line, at most: a year in steps of five minutes has a hundred thousand."""
_DAY = 86_400.0
_UNITS = ((7 * _DAY, "weeks", 7 * _DAY * 3), (_DAY, "days", _DAY * 2), (3600.0, "h", 0.0))
"""Seconds, name, and the length from which on an axis is written in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is shown of one workload; times in seconds from the beginning, each line in steps."""

    title: str
    seconds: float
    asked: Sequence[tuple[float, float]]
    """When a rate begins, and the rate: inferences a second."""
    replicas: Sequence[tuple[float, float]]
    """When a number of replicas begins, and the number; empty without an autoscaler."""
    static_replicas: int
    capacity_per_second: float
    """Of one replica."""


def render(tracks: Sequence[Track]) -> str:
    """Return an SVG file with a plot for each workload."""
    parts: list[str] = []
    for number, track in enumerate(tracks):
        parts += _plot(track, top=_TOP + number * (_PLOT + _BETWEEN))
    return svg.picture(parts, height=_TOP + len(tracks) * (_PLOT + _BETWEEN) - _BETWEEN + 56)


def _plot(track: Track, *, top: float) -> Iterator[str]:
    across = svg.WIDTH - _LEFT - _RIGHT
    highest = max(
        [track.static_replicas, 1]
        + [count for _, count in track.replicas]
        + [rate / track.capacity_per_second for _, rate in track.asked]
    )

    def x(seconds: float) -> float:
        return _LEFT + across * seconds / track.seconds

    def y(replicas: float) -> float:
        return top + _PLOT * (1 - replicas / highest)

    yield svg.text(_LEFT, top - 24, track.title)
    for tick in _ticks(highest):
        yield svg.line(_LEFT, y(tick), svg.WIDTH - _RIGHT, y(tick), svg.GRID)
        yield svg.text(_LEFT - 8, y(tick) + 4, significant(tick), anchor="end")
    unit, name = next((one, name) for one, name, from_ in _UNITS if track.seconds >= from_)
    for number in range(7):
        moment = track.seconds * number / 6
        told = f"{significant(moment / unit)} {name}" if number else "0"
        yield svg.text(x(moment), top + _PLOT + 16, told, anchor="middle")
    asked, autoscaled, static = svg.COLOURS[:3]
    demand = [(at, rate / track.capacity_per_second) for at, rate in track.asked]
    yield svg.polyline(_stairs(demand, end=track.seconds, x=x, y=y), asked, width=1)
    if track.replicas:
        yield svg.polyline(_stairs(track.replicas, end=track.seconds, x=x, y=y), autoscaled)
    level = y(track.static_replicas)
    yield svg.line(_LEFT, level, svg.WIDTH - _RIGHT, level, static, width=2, dashed=True)
    legend = [("replicas that the traffic fills", asked), ("static", static)]
    legend += [("autoscaled", autoscaled)] if track.replicas else []
    for number, (words, colour) in enumerate(legend):
        left = _LEFT + 230 * number
        yield svg.line(left, top + _PLOT + 36, left + 20, top + _PLOT + 36, colour, width=3)
        yield svg.text(left + 26, top + _PLOT + 40, words)


def _ticks(highest: float) -> tuple[float, ...]:
    """Return whole numbers of replicas, five of them or fewer."""
    step = max(1, round(highest / 4))
    return tuple(float(tick) for tick in range(0, int(highest) + 1, step))


def _stairs(
    points: Sequence[tuple[float, float]],
    *,
    end: float,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> list[tuple[float, float]]:
    """Return the corners of a line in steps."""
    thinned = _thinned(points)
    corners: list[tuple[float, float]] = []
    for (at, value), until in zip(
        thinned, [*(after for after, _ in thinned[1:]), end], strict=True
    ):
        corners += [(x(at), y(value)), (x(until), y(value))]
    return corners


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return no more points than a picture can show: of each stretch, the highest."""
    every = -(-len(points) // _POINTS)
    if every <= 1:
        return points
    return [
        (points[first][0], max(value for _, value in points[first : first + every]))
        for first in range(0, len(points), every)
    ]
