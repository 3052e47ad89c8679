"""Two plain plots as SVG texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pytest_costguard.reports import svg
from pytest_costguard.reports.svg import COLOURS, GRID, MARK, WIDTH

_LEFT, _RIGHT, _TOP = 90, 20, 30


def arrivals(
    curves: Mapping[str, Sequence[float]], *, title: str, seconds: float, goal: float
) -> str:
    """Draw the share of verdicts that have fallen by a time, one stair a curve.

    Args:
        curves: by its name, the seconds of each verdict that fell; infinite for those that did not.
        title: above the plot.
        seconds: where the axis ends.
        goal: where a line is drawn.
    """
    height, plot = 300, 200
    across = WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return _LEFT + across * min(value, seconds) / seconds

    def y(share: float) -> float:
        return _TOP + plot * (1 - share)

    parts = [svg.text(_LEFT, 18, title)]
    for share in (0.0, 0.5, 0.95, 1.0):
        parts += [svg.line(_LEFT, y(share), WIDTH - _RIGHT, y(share), GRID)]
        parts += [svg.text(_LEFT - 8, y(share) + 4, f"{100 * share:.0f} %", anchor="end")]
    ticks = 6
    for number in range(ticks + 1):
        value = seconds * number / ticks
        parts += [svg.text(x(value), _TOP + plot + 18, f"{value:g} s", anchor="middle")]
    parts += [svg.line(x(goal), _TOP, x(goal), _TOP + plot, MARK, dashed=True)]
    for values, colour in zip(curves.values(), COLOURS, strict=False):
        parts.append(_stair(values, x=x, y=y, end=seconds, colour=colour))
    for number, (name, colour) in enumerate(zip(curves, COLOURS, strict=False)):
        left = _LEFT + number * across / max(1, len(curves))
        parts += [svg.line(left, _TOP + plot + 42, left + 20, _TOP + plot + 42, colour, width=3)]
        parts += [svg.text(left + 26, _TOP + plot + 46, name)]
    return svg.picture(parts, height=height)


def bars(rows: Sequence[tuple[str, float, float, float]], *, title: str, goal: float) -> str:
    """Draw shares with their intervals, one row each.

    Args:
        rows: name, share, lower and upper bound, each from 0 to 1.
        title: above the plot.
        goal: where a line is drawn.
    """
    left, step = 390, 22
    across = WIDTH - left - 40
    height = _TOP + step * len(rows) + 40

    def x(share: float) -> float:
        return left + across * share

    parts = [svg.text(10, 18, title)]
    bottom = _TOP + step * len(rows)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [svg.line(x(tick), _TOP, x(tick), bottom, GRID)]
        parts += [svg.text(x(tick), bottom + 16, f"{100 * tick:.0f} %", anchor="middle")]
    parts += [svg.line(x(goal), _TOP, x(goal), bottom, MARK, dashed=True)]
    for number, (name, share, lower, upper) in enumerate(rows):
        middle = _TOP + step * (number + 0.5)
        parts += [svg.text(left - 10, middle + 4, name, anchor="end")]
        parts += [svg.line(x(lower), middle, x(upper), middle, COLOURS[0], width=3)]
        parts += [f'<circle cx="{x(share):.1f}" cy="{middle:.1f}" r="4" fill="{COLOURS[1]}"/>']
    return svg.picture(parts, height=height)


def _stair(
    values: Sequence[float],
    *,
    x: Callable[[float], float],
    y: Callable[[float], float],
    end: float,
    colour: str,
) -> str:
    ordered = sorted(value for value in values if value <= end)
    points = [(x(0.0), y(0.0))]
    for number, value in enumerate(ordered, start=1):
        points += [(x(value), points[-1][1]), (x(value), y(number / len(values)))]
    points.append((x(end), points[-1][1]))
    return svg.polyline(points, colour)
