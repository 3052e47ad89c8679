"""What several workloads on one machine do to each other, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_costguard.records import (
    METRICS,
    Capacity,
    Interval,
    PartTogether,
    Peaks,
    Report,
    Together,
)
from pytest_costguard.reports.numbers import counted, quantity, scale_for, significant

_TOLD = ("p50", "p99")
"""Of the percentiles; where the last is not known, the highest one that is takes its place."""


def together_told(report: Report, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the sentences about every mixture of a report; none where there is no mixture."""
    return tuple(
        f"{labels[str(verdict.workload)]}: {sentence}"
        for verdict in report.verdicts
        if verdict.together is not None
        for sentence in _sentences(verdict.together)
    )


def parts_of_mixtures(report: Report) -> frozenset[str]:
    """Return the parts of every mixture, as the workloads that they are alone."""
    return frozenset(
        str(verdict.workload.alone(part.name))
        for verdict in report.verdicts
        if verdict.together is not None
        for part in verdict.together.parts
    )


def _sentences(together: Together) -> Iterator[str]:
    for part in together.parts:
        yield from _of_part(part)
    if together.capacity is not None:
        yield _capacity(together.capacity)
    else:
        yield from _unknown(together.parts)
    for metric, peaks in together.peaks.items():
        yield _peaks(metric, peaks)


def _of_part(part: PartTogether) -> Iterator[str]:
    if part.longer:
        yield _longer(part)
    elif shown := _shown(part.figures):
        now = [f"{metric} {_seconds(metric, part.figures[metric])}" for metric in shown]
        yield f"beside the others {part.name} has {' and '.join(now)}"
    error_rate = part.figures.get("error_rate")
    if error_rate is not None and error_rate.estimate > 0:
        failed = quantity(error_rate.estimate, scale_for("error_rate", ()))
        yield (
            f"{failed} % of {counted(part.requests, 'request')} of {part.name} had no answer in"
            " time beside the others"
        )


def _longer(part: PartTogether) -> str:
    first, *rest = [
        _times(part.longer[metric], now=part.figures.get(metric), metric=metric)
        for metric in _shown(part.longer)
    ]
    told = f"beside the others {part.name}'s {first.replace(' times', ' times as long', 1)}"
    told = "".join((told, *(f", its {other}" for other in rest)))
    if part.served_longer is None:
        return told
    served = _bounded(part.served_longer)
    return f"{told}; serving itself takes {served}, the rest is waiting"


def _unknown(parts: Sequence[PartTogether]) -> Iterator[str]:
    """Say of which parts it is not known what the others do to them, and why; one reason once."""
    reasons: dict[str, list[str]] = {}
    for part in parts:
        if not part.longer:
            reason = part.reason or next(iter(part.unsupported.values()), "too few requests")
            reasons.setdefault(reason, []).append(part.name)
    for reason, names in reasons.items():
        yield f"what the others do to {' and '.join(names)} is not known: {reason}"


def _shown(figures: Mapping[str, Interval]) -> list[str]:
    known = [metric for metric in figures if metric != "error_rate"]
    return [metric for metric in _TOLD if metric in known] or known[-1:]


def _seconds(metric: str, seen: Interval) -> str:
    scale = scale_for(metric, (seen.estimate,))
    return f"{quantity(seen.estimate, scale)} {scale.unit}"


def _times(ratio: Interval, *, now: Interval | None, metric: str) -> str:
    """Write `p99 is 1.80 times (1.62 to 2.01; 23.1 ms)`."""
    value = "" if now is None else _seconds(metric, now)
    return f"{metric} is {_bounded(ratio, and_then=value)}"


def _bounded(ratio: Interval, *, and_then: str = "") -> str:
    """Write `1.80 times (1.62 to 2.01)`; without bounds where nothing bounds it."""
    bounds = f"{significant(ratio.lower)} to {significant(ratio.upper)}"
    told = "; ".join(filter(None, (bounds if ratio.n > 1 else "one unit, no interval", and_then)))
    return f"{significant(ratio.estimate)} times ({told})"


def _capacity(found: Capacity) -> str:
    return (
        f"together they take {significant(found.rate)} requests a second under the SLO, where each"
        f" alone lets expect {significant(found.expected_rate)}: {_bounded(found.ratio)} as many"
    )


def _peaks(metric: str, peaks: Peaks) -> str:
    values = (peaks.together_bytes, peaks.apart_bytes)
    scale = scale_for(metric, values)
    together, apart = (quantity(value, scale) for value in values)
    return (
        f"{METRICS[metric].title} is {together} {scale.unit} together, {apart} {scale.unit} in"
        " processes of their own"
    )
