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
        first, *rest = [
            f"{metric} is {_times(part.longer[metric], 'as long')}{_now(part, metric)}"
            for metric in _shown(part.longer)
        ]
        yield f"beside the others {part.name}'s {' and its '.join((first, *rest))}"
    elif shown := _shown(part.figures):
        now = [f"{metric} {_seconds(metric, part.figures[metric])}" for metric in shown]
        yield f"beside the others {part.name} has {' and '.join(now)}"
    if part.served_longer is not None:
        yield (
            f"serving a request of {part.name} takes {_times(part.served_longer, 'as long')},"
            " median; the rest is waiting"
        )
    error_rate = part.figures.get("error_rate")
    if error_rate is not None and error_rate.estimate > 0:
        failed = quantity(error_rate.estimate, scale_for("error_rate", ()))
        yield (
            f"{failed} % of {counted(part.requests, 'request')} of {part.name} had no answer in"
            " time beside the others"
        )


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


def _now(part: PartTogether, metric: str) -> str:
    seen = part.figures.get(metric)
    return "" if seen is None else f", {_seconds(metric, seen)}"


def _seconds(metric: str, seen: Interval) -> str:
    scale = scale_for(metric, (seen.estimate,))
    return f"{quantity(seen.estimate, scale)} {scale.unit}"


def _times(ratio: Interval, what: str) -> str:
    """Write `1.80 times as long (1.62 to 2.01)`; without its bounds where nothing bounds it."""
    text = f"{significant(ratio.estimate)} times {what}"
    if ratio.n < 2:
        return f"{text} (one unit, no interval)"
    return f"{text} ({significant(ratio.lower)} to {significant(ratio.upper)})"


def _capacity(found: Capacity) -> str:
    return (
        f"together they take {significant(found.rate)} requests a second under the SLO, where each"
        f" alone lets expect {significant(found.expected_rate)}: {_times(found.ratio, 'as many')}"
    )


def _peaks(metric: str, peaks: Peaks) -> str:
    values = (peaks.together_bytes, peaks.apart_bytes)
    scale = scale_for(metric, values)
    together, apart = (quantity(value, scale) for value in values)
    return (
        f"{METRICS[metric].title} is {together} {scale.unit} together, {apart} {scale.unit} in"
        " processes of their own"
    )
