"""The page about load: goals, figures, and what they do not show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.load.clients import MEAN_MS, TRUE_P99
from benchmarks.load.coverage import COVERAGE_GOAL, FALSE_PASS_GOAL
from benchmarks.load.lateness import GOAL_P50, GOAL_P99, RATE
from benchmarks.load.searching import GOAL_ERROR, GOAL_SECONDS
from benchmarks.tables import table
from benchmarks.verdicts.proportions import Proportion

_REACHED: Mapping[bool | None, str] = {True: "yes", False: "**no**", None: "not sure"}
_ABSENT = "\N{EN DASH}"
_HEAD = """# What load says, and what sending it costs

Written by `python -m benchmarks.load page`; do not edit it by hand. Shares come with their exact
binomial 95 % intervals (Clopper and Pearson)."""
_LIMITS = """## What this does not show

- Coverage and search are played on queues with Poisson arrivals and independent service times, so
  that the truth is known. A real server's garbage collector, or a neighbour, is not in them.
- The search's seconds are those that its windows would have taken, the start of a server and its
  warm-up left out; both ways of searching would need those.
- Client and server share a machine of two cores, each pinned to one. What a client takes per
  request holds for the loopback and for small bodies.
- A window of 5 s holds 500 to 15,000 requests: p99 of the slow rates rests on five of them, which
  is what the differences of some percent are.
- Only ours tells how late it sends, so only ours can be called dishonest for it. CPU a request has
  the client's start in it: most of what AIPerf takes, whose dozen processes share the one core that
  every client has here, and much of Locust's at low rates.
- A closed-loop client (`wrk`, and `hey` and Locust where their connections are all waiting) does
  not send what was asked for while the server is slow, so its percentiles leave out what users
  would have felt; a server that never is slow, as here, does not show that."""


def page(found: Mapping[str, Any]) -> str:
    """Return the page from the parts that were measured."""
    sections = {
        "coverage": _coverage,
        "search": _search,
        "lateness": _lateness,
        "clients": _clients,
    }
    goals: list[tuple[str, str, bool | None]] = []
    bodies: list[str] = []
    for name, section in sections.items():
        if name in found:
            told, text = section(found[name]["found"])
            goals += told
            about = found[name]["about"]
            when = f"{about['day']}, {about['cores']} cores, Python {about['python']}."
            bodies.append(f"{text}\n\n{when}")
    rows = [(promise, measured, _REACHED[reached]) for promise, measured, reached in goals]
    head = table(("Goal", "Measured", "Reached"), rows, align="l l l")
    return "\n\n".join((_HEAD, head, *bodies, _LIMITS)) + "\n"


Told = tuple[list[tuple[str, str, bool | None]], str]


def _coverage(found: Sequence[Mapping[str, Any]]) -> Told:
    rows, goals = [], []
    for one in found:
        covered, bounded, passes, independent = (
            Proportion(hits=one[key][0], trials=one[key][1])
            for key in ("covered", "bounded", "false_passes", "independent")
        )
        runs = f"{one['processes']} x {one['requests']}"
        rows.append(
            (
                f"{one['utilisation']:.1f}",
                runs,
                str(covered),
                str(independent),
                f"{100 * bounded.share:.0f} %",
                str(passes),
            )
        )
        where = f"utilisation {one['utilisation']:.1f}, {runs} requests"
        goals.append(
            (
                f"{where}: the interval of p99 covers at least 90 %",
                str(covered),
                _at_least(covered, COVERAGE_GOAL),
            )
        )
        goals.append(
            (
                f"{where}: a limit at the truth is called kept in at most 2.5 %",
                str(passes),
                _at_most(passes, FALSE_PASS_GOAL),
            )
        )
    text = table(
        (
            "Utilisation",
            "Processes x requests",
            "Covered",
            "Covered as if independent",
            "Bounded above",
            "False passes",
        ),
        rows,
        align="r r r r r r",
    )
    return goals, f"## Percentiles of a queue: p99 of M/M/1\n\n{text}"


def _search(found: Sequence[Mapping[str, Any]]) -> Told:
    rows, goals = [], []
    for one in found:
        ratios = one["ratios"]
        within = Proportion(
            hits=sum(abs(ratio - 1) <= GOAL_ERROR for ratio in ratios), trials=len(ratios)
        )
        share = one["seconds"] / one["sweep_seconds"]
        rows.append(
            (
                one["server"],
                f"{one['truth']:.1f}/s",
                _percent(fmean(ratios) - 1),
                str(within),
                f"{one['seconds']:.0f} s",
                f"{one['sweep_seconds']:.0f} s",
                f"{share:.2f}",
                _percent(fmean(one["sweep_ratios"]) - 1),
            )
        )
        goals.append(
            (
                f"{one['server']}: the highest rate is within 5 % of the truth, averaged over runs",
                _percent(fmean(ratios) - 1),
                abs(fmean(ratios) - 1) <= GOAL_ERROR,
            )
        )
        goals.append(
            (
                f"{one['server']}: in a third of the seconds of a linear sweep",
                f"{share:.2f}",
                share <= GOAL_SECONDS,
            )
        )
    text = table(
        (
            "Server",
            "Truth",
            "Search: bias",
            "Runs within 5 %",
            "Seconds a run",
            "Linear sweep",
            "Ratio",
            "Sweep: bias",
        ),
        rows,
        align="l r r r r r r r",
    )
    return goals, (
        "## The search for the highest rate\n\n"
        f"{text}\n\nA run is six units that each search for themselves; the sweep has as many."
    )


def _lateness(found: Mapping[str, Mapping[str, float]]) -> Told:
    rows = [
        (
            name,
            f"{1e6 * one['p50']:.2g} µs",
            f"{1e6 * one['p99']:.0f} µs",
            f"{1e3 * one['largest']:.2f} ms",
            f"{100 * one['core_share']:.0f} %",
        )
        for name, one in found.items()
    ]
    ours = found["costguard"]
    goals: list[tuple[str, str, bool | None]] = [
        (
            f"at {RATE:g}/s requests are sent late by at most 5 µs (p50)",
            rows[0][1],
            ours["p50"] <= GOAL_P50,
        ),
        ("… and by at most 100 µs (p99)", rows[0][2], ours["p99"] <= GOAL_P99),
    ]
    text = table(
        ("Way to wait", "Late, p50", "Late, p99", "Largest", "Of a core"), rows, align="l r r r r"
    )
    return goals, f"## How late requests are sent, at {RATE:g} a second\n\n{text}"


def _clients(found: Sequence[Mapping[str, Any]]) -> Told:
    rows = [
        (
            one["client"],
            "as fast as it can" if one["asked"] is None else f"{one['asked']:g}/s",
            f"{one['rate']:.0f}/s",
            _ms(one["p50"]),
            _ms(one["p99"]),
            _ABSENT if one["p99"] is None else _percent(one["p99"] / TRUE_P99 - 1),
            _ABSENT if one["late_p99"] is None else f"{1e6 * one['late_p99']:.0f} µs",
            f"{1e6 * one['cpu_per_request']:.0f} µs",
            _ABSENT if one["asked"] is None else "yes" if one["honest"] else "no",
        )
        for one in found
    ]
    text = table(
        (
            "Client",
            "Asked",
            "Sent",
            "p50",
            "p99",
            "p99, off the truth",
            "Late, p99",
            "CPU a request",
            "Honest",
        ),
        rows,
        align="l r r r r r r r l",
    )
    best = dict(_highest(found))
    words = ", ".join(f"{client} {rate:g}/s" for client, rate in best.items())
    return [], (
        "## Load generators against the same server\n\n"
        f"Answers take {MEAN_MS:g} ms on average, exponentially: the true p99 is"
        f" {1e3 * TRUE_P99:.1f} ms, to which the loopback and the server's own timers add about a"
        f" millisecond.\n\n{text}\n\n*Honest*: at least 98 % of what was asked for was sent, and,"
        " of a client that tells, not later than 5 % of the median (p99). The highest honest rate"
        f" of those that were tried: {words}."
    )


def _highest(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for client in dict.fromkeys(one["client"] for one in found):
        rates = [one["asked"] for one in found if one["client"] == client and one["honest"]]
        if rates:
            yield client, max(rates)


def _ms(seconds: float | None) -> str:
    return _ABSENT if seconds is None else f"{1e3 * seconds:.1f} ms"


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %".replace("-", "\N{MINUS SIGN}")


def _at_least(found: Proportion, limit: float) -> bool | None:
    if found.lower >= limit:
        return True
    return False if found.upper < limit else None


def _at_most(found: Proportion, limit: float) -> bool | None:
    if found.upper <= limit:
        return True
    return False if found.lower > limit else None
