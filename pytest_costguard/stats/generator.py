"""Whether the load that was sent is the load that was asked for, and what it changed if not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pytest_costguard.records import LATE_SHARE, MEANS, QUANTILES, Load, Measurement, OpenLoop
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.lateness import (
    MEAN,
    NOT_MOVED,
    SECONDS_AN_ANSWER,
    Moved,
    figures_moved,
)
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.stats.samples import answered, series_of, told_series
from pytest_costguard.stats.words import share_in_words

_MISSED_RATE = 0.02
_MOST_CHANGED = 0.01
"""By which share of a figure lateness may have raised it: from here on it is told, and counts where
no bound is known."""
_USUAL_TAIL = 0.01
_RARE_FAILURES = 0.001
_FAR_MORE = 10.0
"""From so many times the 99th percentile on the greatest lateness is what is told."""
_FIGURES = {
    MEAN: "the mean latency",
    MEANS["ttft"]: "the mean time to first token",
    SECONDS_AN_ANSWER: "the throughput",
}
_OF_RATE = frozenset({"throughput", "cost_per_1k"})
_OF_SEARCH = _OF_RATE | {"max_rate"}
_COUNTED = frozenset({"error_rate", "goodput", "max_rate"})
"""What is counted beyond a limit: one request can be there by its lateness alone."""


def generator_fault(
    measurement: Measurement,
    metric: str = "",
    *,
    against: float = 0.0,
    moved: Mapping[str, Moved] | None = None,
) -> str:
    """Say why the load was not what was asked for, by no fault of the server's; "" if it was.

    Lateness is in the latency, so what matters is how much of it it can be: how far it can have
    moved the figure, where that is known (`stats.lateness`). Where it is not, lateness is nothing
    below a twentieth of the median, or of a limit that is longer, as rarely as the figure looks.

    Args:
        measurement: of an open loop, or of anything else.
        metric: what is to be decided; "": whatever can be.
        against: a limit in seconds; 0.0: none. A search is held against its SLO.
        moved: how far lateness can have moved each figure, where the measurement itself does not
            tell it: it is a part of a mixture.
    """
    loops = list(loops_of(measurement))
    if not any(loop.lateness_seconds for loop in loops):
        return ""
    if missed := missed_rate(measurement):
        return missed
    searches = [loop for loop in loops if loop.probes]
    # Of answers that come in pieces, what a person waits for first has a say of its own.
    streams = "ttft" in told_series(measurement)
    asked = ["", MEANS["ttft"]] if streams and not metric and not searches else [metric]
    for one in asked:
        if late := _lateness(measurement, one, against=against, known=moved):
            return f"{late}: it needs a core of its own"
    if unended := _unended(searches):
        return f"the search for the highest rate has not come to its end: {unended}"
    limited = sum(_limited_by_generator(loop) for loop in searches)
    if 2 * limited > len(searches) > 0:
        return "the load generator could not send faster in time: the server may take more"
    return ""


def sent_late(measurement: Measurement, metric: str = "", *, against: float = 0.0) -> bool:
    """Whether requests were late by more than counts, where no bound says what that has changed.

    Args:
        measurement: of an open loop, or of anything else.
        metric: what is to be decided. Of a tail it is looked at what was a tenth as rare.
        against: a limit in seconds; 0.0: none.
    """
    loops = list(loops_of(measurement))
    typical = _typical(measurement, metric)
    late = _lateness_of_all(measurement)
    if typical is None or not late:
        return False
    load = measurement.declaration.scenario.load
    searched = _limit_on_waiting(load) if loops[0].probes else None
    allowed = max(typical, against) if searched is None else searched
    if _share_of_mean(measurement, metric, against=against) > _MOST_CHANGED:
        return True
    return percentile(late, _looked_at(metric)) > LATE_SHARE * allowed


def _share_of_mean(measurement: Measurement, metric: str, *, against: float) -> float:
    """Return the mean lateness as a share of a mean, or of its limit; 0.0 of any other figure."""
    if metric not in (MEANS["latency"], MEANS["ttft"]):
        return 0.0
    samples, late = _samples(measurement, metric), _lateness_of_all(measurement)
    return mean(late) / max(mean(samples), against) if samples and late else 0.0


def _looked_at(metric: str) -> float:
    """Return the quantile of lateness that a figure cannot bear."""
    if metric == "error_rate":
        return 1 - _RARE_FAILURES
    tail = 1 - QUANTILES[metric].q if metric in QUANTILES else 1.0
    return 1 - min(_USUAL_TAIL, tail / 10)


def moved_by_lateness(measurement: Measurement, metric: str) -> Moved | None:
    """Return how far lateness may have moved a figure, so that a verdict may stand all the same.

    Args:
        measurement: of an open loop, or of anything else.
        metric: what is to be decided.

    Returns:
        Nothing moved where requests were sent in time. None where there is no bound, or the load
        was at fault for more than lateness.
    """
    loops, fault = list(loops_of(measurement)), generator_fault(measurement, metric)
    if fault and metric in _OF_SEARCH and loops[0].probes:
        # A window that kept its SLO with lateness in it keeps it without: the server may take more.
        return None if _unended(loops) else Moved(figure=1 / loops[0].rate, less=1.0, more=0.0)
    if metric in _COUNTED or missed_rate(measurement):
        return None if fault else NOT_MOVED
    found = (figures_moved(measurement) or {}).get(_figure_of(metric))
    return NOT_MOVED if found is None and not fault else found


def may_be_lateness(measurement: Measurement, metric: str) -> str:
    """Say that a verdict about a figure stands and falls with what lateness may have done to it."""
    return f"{_told_of_all(measurement)}, and that may be what decides about {_name(metric)}"


def loops_of(measurement: Measurement) -> Iterator[OpenLoop]:
    """Yield what load has shown, of each unit that was under it."""
    return (unit.open_loop for unit in measurement.units if unit.open_loop is not None)


def _lateness_of_all(measurement: Measurement) -> list[float]:
    return [seconds for loop in loops_of(measurement) for seconds in loop.lateness_seconds]


def _unended(loops: list[OpenLoop]) -> str:
    """Return why most searches ended before their end; "" if they did not."""
    ended = [loop.search_ended for loop in loops if loop.search_ended]
    return ended[0] if 2 * len(ended) > len(loops) else ""


def missed_rate(measurement: Measurement) -> str:
    """Say that fewer requests a second were sent than were asked for; "" if they were not."""
    loops = list(loops_of(measurement))
    if not loops:
        return ""
    asked, sent = loops[0].rate, min(loop.dispatched_rate for loop in loops)
    if loops[0].probes or sent >= (1 - _MISSED_RATE) * asked:
        return ""
    return f"the load generator sent {sent:.3g} requests a second instead of {asked:.3g}"


def _limit_on_waiting(load: Load | None) -> float | None:
    """Return the lowest limit of an SLO that lateness alone can break; None: it has none."""
    limits = [
        seconds
        for metric, seconds in (load.slo if load else {}).items()
        if QUANTILES[metric].series in ("latency", "ttft")
    ]
    return min(limits, default=None)


def _lateness(
    measurement: Measurement, metric: str, *, against: float, known: Mapping[str, Moved] | None
) -> str:
    moved = {} if metric in _COUNTED else known or figures_moved(measurement) or {}
    if moved and not metric:
        metric = max(moved, key=lambda name: _changed(moved[name], against=against))
    figure = metric if metric in moved else _figure_of(metric)
    if figure in moved:
        return _told_change(measurement, figure, moved[figure], against=against)
    if not sent_late(measurement, metric, against=against):
        return ""
    if (share := _share_of_mean(measurement, metric, against=against)) > _MOST_CHANGED:
        of_mean = f"{share_in_words(share)} of {_name(metric)}"
        return f"{_told(measurement, metric)}, on average by {of_mean}"
    searches = any(loop.probes for loop in loops_of(measurement))
    of_limit = searches or against > (_typical(measurement, metric) or 0.0)
    of = "of the limit" if of_limit else f"of the median {_title(metric)}"
    return f"{_told(measurement, metric)}, more than {LATE_SHARE * 100:g} % {of}"


def _told(measurement: Measurement, metric: str = "") -> str:
    """Say how late requests were: by the percentile that counts, or at most where that is more."""
    late, looked_at = _lateness_of_all(measurement), _looked_at(metric)
    usual, most = percentile(late, looked_at), max(late)
    if most <= _FAR_MORE * usual:
        return f"the load generator was late by {usual * 1e3:.3g} ms (p{looked_at * 100:g})"
    return f"the load generator was late by up to {most * 1e3:.3g} ms"


def _told_of_all(measurement: Measurement) -> str:
    """Say how late requests were, those of the ramp where they were far later than the others."""
    loops, typical = list(loops_of(measurement)), _typical(measurement, "") or 0.0
    most = max((late for loop in loops for late in loop.lateness_seconds), default=0.0)
    if most <= _MOST_CHANGED * typical and not all(one.ramp_lateness_seconds for one in loops):
        return "how late the requests before a window were sent is not in the report"
    before = max((late for loop in loops for late in loop.ramp_lateness_seconds), default=0.0)
    if before <= _FAR_MORE * most:
        return _told(measurement)
    return f"the load generator was late by up to {before * 1e3:.3g} ms before a window began"


def _name(metric: str) -> str:
    figure = _figure_of(metric) or metric
    return _FIGURES.get(figure, figure)


def _figure_of(metric: str) -> str:
    """Return the figure of the latencies that a metric rests on; "": on none of them."""
    if metric in _OF_RATE:
        return SECONDS_AN_ANSWER
    if metric == MEANS["latency"]:
        return MEAN
    return metric if metric in QUANTILES else ""


def _typical(measurement: Measurement, metric: str) -> float | None:
    """Return the median of what a metric is a figure of; None where nothing was answered."""
    samples = _samples(measurement, metric)
    return percentile(samples, 0.5) if samples else None


def _samples(measurement: Measurement, metric: str) -> list[float]:
    """Return what a metric is a figure of: of TTFT its own, of all else latencies; seconds."""
    series = series_of(metric)
    return [
        seconds
        for unit in measurement.units
        for seconds in answered(unit, series if series == "ttft" else "latency")
    ]


def _told_change(measurement: Measurement, name: str, moved: Moved, *, against: float) -> str:
    changed = _changed(moved, against=against)
    if changed <= _MOST_CHANGED:
        return ""
    told = _told_of_all(measurement)
    of = "the limit" if against > moved.figure else _FIGURES.get(name, name)
    if math.isinf(moved.figure):
        return f"{told}, which with what waited behind it can be why {name} is no answer"
    if math.isinf(changed):
        return f"{told}, and what {_FIGURES.get(name, name)} would have been in time is not known"
    share = "all" if changed >= 1 else share_in_words(changed)
    return f"{told}, which with what waited behind it can be {share} of {of}"


def _changed(moved: Moved, *, against: float) -> float:
    """Return by which share of itself, or of a limit, lateness can have changed a figure."""
    if math.isinf(moved.figure):
        return math.inf if moved.less else 0.0
    return max(moved.less, moved.more) * moved.figure / max(moved.figure, against)


def _title(metric: str) -> str:
    return "time to first token" if series_of(metric) == "ttft" else "latency"


def _limited_by_generator(loop: OpenLoop) -> bool:
    """Whether the lowest rate that broke the SLO did so while the generator was late."""
    broken = [probe for probe in loop.probes if not probe.passed]
    return bool(broken) and min(broken, key=lambda probe: probe.rate).sent_late
