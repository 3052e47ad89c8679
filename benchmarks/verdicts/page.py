"""The page: tables, plots, goals, and in plain words what they do not show."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import table
from benchmarks.verdicts import live, peer_runs, recording, sections, stored_runs
from benchmarks.verdicts.entries import (
    CONDITIONS,
    Batch,
    Circumstances,
    Condition,
    Entry,
    LiveRun,
    PeerRun,
    StoredRun,
    identity_of,
    of_this_method,
)
from benchmarks.verdicts.goals import goals, suite_of_ten
from benchmarks.verdicts.series import Key, RecordedUnit, series

_REACHED: Mapping[bool | None, str] = {True: "yes", False: "**no**", None: "not sure"}
_HEAD = """# How often a verdict is wrong, and how long it takes

Written by `python -m benchmarks.verdicts page`; do not edit it by hand. Shares come with their
exact binomial 95 % intervals (Clopper and Pearson). *Quiet* is this tool alone on the machine;
*burners* is beside two processes with random phases of arithmetic, memory traffic and rest. The
injected changes are real work of the same kind: head runs 102, 103, 105 or 110 equal layers where
base runs 100."""
_LIMITS = """## What this does not show

- One machine, five workloads that are bound by the processor or its memory, one thread each. No
  GPU, no I/O, no several threads, no open-loop load.
- Every change hits all inputs and all requests alike, but for those called *seldom slower*, where
  such were recorded. A change of a part of the inputs is judged by the total, whose power is not
  measured here.
- The sum over all requests is in the verdicts where it was recorded or every block is kept (short
  requests at 0, 3 and 5 %); elsewhere the rule is replayed without it.
- Units of a batch share their pair of processes among the levels, so a bad pair shows at all
  levels; each level is judged by itself. A suite's workloads are recorded one after the other, not
  in one run.
- *Consecutive* verdicts use each unit once, so their intervals hold as far as units are
  independent: the autocorrelations above tell. *Drawn* suites use the same units again and again:
  they say little about events that are rarer than one in the number of recorded units, and their
  share has no interval of its own.
- The rows *all* add up workloads that are not alike, and those that are decided sooner have more
  verdicts: they are no share of one kind of work. Read the rows above them.
- A share of 0 in some hundred is no proof of 1 in 1,000: read the upper bounds.
- Paired seconds are warm-up and timed blocks of both sides. Wall seconds of replayed verdicts add
  the start of the processes and an equal share of the rest, since the levels of a batch have it in
  common; the live runs are what a user waits.
- Peak memory never changes here and counts as a hypothesis only; live, it is judged.
- At a limit of 5 %, a change of exactly 5 % is called by a rule without an error of its own in
  about half of the cases at best: the peers' power at 5 % is not their fault alone.
- asv is represented by its rule on pytest-benchmark's timings, not by its own runs;
  github-action-benchmark by its ratio on pytest-benchmark's figures, as it is fed in practice.
- Neighbouring verdicts of the stored rule share seven of eight baseline runs, all of one day: its
  interval is too narrow, and tomorrow's spread is not in it. Its runs here have fewer units than
  the plugin's six."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Everything that was recorded of one machine."""

    batches: Mapping[Condition, Sequence[Batch]]
    peers: Mapping[Condition, Sequence[PeerRun]]
    stored: Mapping[Condition, Sequence[StoredRun]]
    live: Mapping[Condition, Sequence[LiveRun]]
    suites: Mapping[Condition, Sequence[LiveRun]]
    """Of ten unchanged tests."""
    long: Mapping[Condition, Sequence[LiveRun]]
    """Of requests of seconds."""
    seldom: Mapping[Condition, Sequence[Batch]]
    """Of workloads of which few requests are slower."""

    def circumstances(self) -> list[Circumstances]:
        """Of every entry."""
        measured = (self.batches, self.seldom, self.peers, self.stored)
        kinds = (*measured, self.live, self.suites, self.long)
        return [one.about for kind in kinds for entries in kind.values() for one in entries]


def machines(data: Path) -> int:
    """Return of how many machines there are records; raises `RecordError` for a damaged file."""
    found = _everything(data).circumstances()
    return len({about.machine.identity() for about in found})


def read(data: Path, *, machine: int | None = None) -> Recorded:
    """Read all that was recorded of one machine.

    Args:
        data: the folder of the records.
        machine: its number in the order of first appearance; None: the only one.

    Raises:
        RecordError: a file is damaged, or several machines were recorded and none is chosen.
    """
    everything = _everything(data)
    chosen = identity_of(everything.circumstances(), machine=machine)

    def of_it(kind: Mapping[Condition, Sequence[Entry]]) -> dict[Condition, list[Entry]]:
        return {
            condition: [
                one for one in of_this_method(entries) if one.about.machine.identity() == chosen
            ]
            for condition, entries in kind.items()
        }

    return Recorded(
        batches=of_it(everything.batches),
        peers=of_it(everything.peers),
        stored=of_it(everything.stored),
        live=of_it(everything.live),
        suites=of_it(everything.suites),
        long=of_it(everything.long),
        seldom=of_it(everything.seldom),
    )


def _everything(data: Path) -> Recorded:
    return Recorded(
        batches={c: recording.journal(data, c).read() for c in CONDITIONS},
        peers={c: peer_runs.journal(data, c).read() for c in CONDITIONS},
        stored={c: stored_runs.journal(data, c).read() for c in CONDITIONS},
        live={c: live.journal(data, c).read() for c in CONDITIONS},
        suites={c: live.suite_journal(data, c).read() for c in CONDITIONS},
        long={c: live.long_journal(data, c).read() for c in CONDITIONS},
        seldom={c: recording.seldom_journal(data, c).read() for c in CONDITIONS},
    )


@dataclass(frozen=True, kw_only=True)
class Page:
    """The text, and the plots that it shows, by file name."""

    text: str
    images: Mapping[str, str]


def page(recorded: Recorded, *, repeats: int) -> Page:
    """Make the page of what was recorded; what was not is said to be missing.

    Args:
        recorded: of one machine.
        repeats: suites that are drawn for each figure about suites.
    """
    images: dict[str, str] = {}
    by_condition = {
        condition: series(recorded.batches.get(condition, ())) for condition in CONDITIONS
    }
    parts = [_HEAD, *_goals(recorded, by_condition, repeats=repeats)]
    for condition in CONDITIONS:
        known = by_condition[condition]
        parts.append(f"## {condition.capitalize()}")
        if not known:
            parts.append("No units were recorded in this condition.")
        else:
            parts += sections.replayed(known, condition=condition, images=images, repeats=repeats)
        parts += sections.seldom(series(recorded.seldom.get(condition, ())), condition=condition)
        parts += sections.peers(
            recorded.peers.get(condition, ()),
            recorded.stored.get(condition, ()),
            condition=condition,
            images=images,
        )
        parts += sections.live(recorded.live.get(condition, ()), "Live runs of the plugin")
        parts += sections.live(recorded.long.get(condition, ()), "Live runs of long requests")
        parts += sections.suites(recorded.suites.get(condition, ()))
    parts += [_LIMITS, _machine(recorded.circumstances())]
    return Page(text="\n\n".join(parts) + "\n", images=images)


def _goals(
    recorded: Recorded,
    by_condition: Mapping[Condition, Mapping[Key, Sequence[RecordedUnit]]],
    *,
    repeats: int,
) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for condition in CONDITIONS:
        suites = recorded.suites.get(condition, ())
        if by_condition[condition]:
            found = goals(
                by_condition[condition],
                recorded.batches[condition],
                condition=condition,
                repeats=repeats,
                suites=suites,
                live=recorded.live.get(condition, ()),
            )
        else:
            found = [suite_of_ten(None, suites, condition=condition)] if suites else []
        rows += [
            (goal.promise, goal.measured, _REACHED[goal.reached], goal.in_the_way) for goal in found
        ]
    if rows:
        titles = ("Goal", "Measured", "Reached", "What is in the way")
        yield table(titles, rows, align="l l l l")
        yield (
            "*Not sure*: the interval holds both answers. Seconds are of paired measuring unless"
            " wall time is named; every workload that was recorded counts, the slow one as well."
        )


def _machine(found: Sequence[Circumstances]) -> str:
    if not found:
        return "## Machine\n\nNothing was recorded."
    machine = found[-1].machine
    days = sorted({one.recorded.date().isoformat() for one in found})
    # A plus is a work tree with changes.
    commits = sorted(
        {one.commit[:10] + "+" * one.commit.endswith("+") for one in found if one.commit}
    )
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine.packages.items()))
    loads = [one.load_average for one in found]
    usual, most = statistics.median(loads), max(loads)
    return "\n".join(
        (
            "## Machine, versions, dates\n",
            f"- Recorded: {', '.join(days)}, {len(found)} entries; commits {', '.join(commits)}",
            f"- Machine: {machine.cpu_model}, {machine.cores} cores, {found[-1].system}",
            f"- Versions: Python {machine.python}, {versions}",
            f"- Load average over a minute, before an entry: median {usual:.1f}, most {most:.1f}",
            "- Commands: `python -m benchmarks.verdicts STEP`; `--help` names the steps",
        )
    )
