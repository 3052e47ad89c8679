"""Two plain plots as SVG texts, in colours that the colour-blind can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

_WIDTH, _LEFT, _RIGHT, _TOP = 760, 90, 20, 30
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE = 'font-family="sans-serif" font-size="12"'


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
    across = _WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return _LEFT + across * min(value, seconds) / seconds

    def y(share: float) -> float:
        return _TOP + plot * (1 - share)

    parts = [_text(_LEFT, 18, title)]
    for share in (0.0, 0.5, 0.95, 1.0):
        parts += [_line(_LEFT, y(share), _WIDTH - _RIGHT, y(share), "#dddddd")]
        parts += [_text(_LEFT - 8, y(share) + 4, f"{100 * share:.0f} %", anchor="end")]
    ticks = 6
    for number in range(ticks + 1):
        value = seconds * number / ticks
        parts += [_text(x(value), _TOP + plot + 18, f"{value:g} s", anchor="middle")]
    parts += [_line(x(goal), _TOP, x(goal), _TOP + plot, "#888888", dashed=True)]
    for values, colour in zip(curves.values(), _COLOURS, strict=False):
        parts.append(_stair(values, x=x, y=y, end=seconds, colour=colour))
    for number, (name, colour) in enumerate(zip(curves, _COLOURS, strict=False)):
        left = _LEFT + number * across / max(1, len(curves))
        parts += [_line(left, _TOP + plot + 42, left + 20, _TOP + plot + 42, colour, width=3)]
        parts += [_text(left + 26, _TOP + plot + 46, name)]
    return _svg(parts, height=height)


def bars(rows: Sequence[tuple[str, float, float, float]], *, title: str, goal: float) -> str:
    """Draw shares with their intervals, one row each.

    Args:
        rows: name, share, lower and upper bound, each from 0 to 1.
        title: above the plot.
        goal: where a line is drawn.
    """
    left, step = 390, 22
    across = _WIDTH - left - 40
    height = _TOP + step * len(rows) + 40

    def x(share: float) -> float:
        return left + across * share

    parts = [_text(10, 18, title)]
    bottom = _TOP + step * len(rows)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [_line(x(tick), _TOP, x(tick), bottom, "#dddddd")]
        parts += [_text(x(tick), bottom + 16, f"{100 * tick:.0f} %", anchor="middle")]
    parts += [_line(x(goal), _TOP, x(goal), bottom, "#888888", dashed=True)]
    for number, (name, share, lower, upper) in enumerate(rows):
        middle = _TOP + step * (number + 0.5)
        parts += [_text(left - 10, middle + 4, name, anchor="end")]
        parts += [_line(x(lower), middle, x(upper), middle, _COLOURS[0], width=3)]
        parts += [f'<circle cx="{x(share):.1f}" cy="{middle:.1f}" r="4" fill="{_COLOURS[1]}"/>']
    return _svg(parts, height=height)


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
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {_STYLE}>{escape(words)}</text>'


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1, dashed: bool = False
) -> str:
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{colour}" stroke-width="{width}"{dashes}/>'
    )


def _svg(parts: Sequence[str], *, height: float) -> str:
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}"'
        f' width="{_WIDTH}" height="{height:.0f}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{inner}\n</svg>\n'
    )
