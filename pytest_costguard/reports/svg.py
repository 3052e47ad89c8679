"""The strokes of plain plots as SVG text, in colours that the colour-blind can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

WIDTH = 760
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GRID, MARK = "#dddddd", "#888888"
_FONT = 'font-family="sans-serif" font-size="12"'


def text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    """Return words at a place; `anchor` says which end of them is there."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {_FONT}>{escape(words)}</text>'


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1, dashed: bool = False
) -> str:
    """Return a straight line."""
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{colour}" stroke-width="{width}"{dashes}/>'
    )


def polyline(points: Iterable[tuple[float, float]], colour: str, *, width: int = 2) -> str:
    """Return a line through points."""
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def picture(parts: Sequence[str], *, height: float) -> str:
    """Return the whole file: what was drawn, on white, so that it can be read in dark mode too."""
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' width="{WIDTH}" height="{height:.0f}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{inner}\n</svg>\n'
    )
