"""The page about load says what the figures beside it say, and its plot shows them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.load.__main__ import DATA, LIMIT_MS, PAGE, PLOT, figures, plot
from benchmarks.load.drawing import Curve, Point, latency_over_rate
from benchmarks.load.page import page

CURVE = Curve(
    name="one at a time",
    points=tuple(Point(rate=rate, p50=rate, p99=5 * rate) for rate in (10.0, 20.0, 30.0)),
)


def test_the_page_is_made_of_the_figures_that_are_committed():
    assert PAGE.read_text(encoding="utf-8") == page(figures(DATA))


def test_so_is_the_plot():
    assert PLOT.read_text(encoding="utf-8") == plot(figures(DATA)["curve"]["found"])


@pytest.mark.parametrize(("limit_ms", "rate"), [(40.0, None), (50.0, 10.0), (149.0, 20.0)])
def test_the_highest_rate_is_the_last_before_the_limit_is_broken(limit_ms, rate):
    assert CURVE.highest(limit_ms=limit_ms) == rate


def test_a_curve_is_drawn_with_its_limit_and_its_name():
    drawn = latency_over_rate([CURVE], limit_ms=LIMIT_MS)

    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "one at a time" in drawn
    assert f"SLO {LIMIT_MS:g} ms" in drawn


def test_a_curve_is_read_back_as_it_was():
    assert Curve.from_json(CURVE.as_json()) == Curve(name=CURVE.name, points=tuple(CURVE.points))
