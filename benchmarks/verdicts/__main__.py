"""The evidence about verdicts: `python -m benchmarks.verdicts STEP`, to be stopped at will.

`record`, `seldom`, `peers`, `live`, `suite` and `long` measure for as many minutes as they are
given and append to the files in `data/`; `replay` and `trials` print what these say, and `page`
writes it to `docs/benchmarks-verdicts.md`. `pilots` measures what recorded units cannot say.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.verdicts import live, peer_runs, pilots, recording, stored_runs
from benchmarks.verdicts.burners import burning
from benchmarks.verdicts.entries import CONDITIONS, Condition, of_this_machine
from benchmarks.verdicts.page import Page, machines, page, read
from benchmarks.verdicts.series import series
from benchmarks.verdicts.trials import table
from benchmarks.verdicts.workloads import (
    BY_NAME,
    LEVELS,
    LONG,
    ROOT,
    SELDOM,
    WORKLOADS,
    Workload,
    write_project,
)
from pytest_costguard.engine.plain import Effort
from pytest_costguard.errors import CostguardError

DATA = Path(__file__).parent / "data"
PAGE = ROOT / "docs" / "benchmarks-verdicts.md"
_SUITES = 2000
_MEASURED: Mapping[str, Sequence[str]] = {
    **{step: [workload.name for workload in WORKLOADS] for step in ("record", "peers", "live")},
    "suite": live.SUITE_OF_TEN,
    "long": [workload.name for workload in LONG],
    "seldom": [workload.name for workload in SELDOM],
}
"""The steps that measure, and what each measures unless it is told otherwise."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one step; a problem of its own is said in words, with what to do about it."""
    arguments = _parser().parse_args(words)
    try:
        _STEPS[arguments.step](arguments)
    except CostguardError as error:
        print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the records")
    steps = parser.add_subparsers(dest="step", required=True)
    for name, usual in _MEASURED.items():
        step = steps.add_parser(name)
        step.add_argument("--condition", choices=CONDITIONS, default="quiet")
        step.add_argument("--minutes", type=float, required=True, help="no entry begins after it")
        step.add_argument("--workloads", default=",".join(usual), help="with commas between")
    for name, units in (("record", 200), ("seldom", 48)):
        steps.choices[name].add_argument(
            "--units",
            type=int,
            default=units,
            help="wanted at each size of a change, all machines together",
        )
    steps.choices["peers"].add_argument(
        "--stored-units", type=int, default=2, help="units of a plain run of our own"
    )
    for name, unchanged, slower in (("live", 20, 8), ("long", 4, 4)):
        step = steps.choices[name]
        step.add_argument("--unchanged", type=int, default=unchanged, help="runs wanted")
        step.add_argument("--slower", type=int, default=slower, help="runs wanted, at 5 %%")
    pilot = steps.add_parser("pilots")
    pilot.add_argument("--condition", choices=CONDITIONS, default="quiet")
    pilot.add_argument("--workloads", default="numpy_cache,torch_mlp", help="with commas between")
    pilot.add_argument("--units", type=int, default=24, help="of each variant; a multiple of 8")
    for name in ("replay", "trials", "page"):
        step = steps.add_parser(name)
        step.add_argument("--machine", type=int, help="by its number, where there are several")
        step.add_argument("--suites", type=int, default=_SUITES, help="that are drawn a figure")
    steps.choices["trials"].add_argument("--condition", choices=CONDITIONS, default="quiet")
    steps.choices["page"].add_argument("--output", type=Path, default=PAGE)
    return parser


def _record(arguments: argparse.Namespace) -> None:
    journal = recording.seldom_journal if arguments.step == "seldom" else recording.journal
    kept = journal(arguments.data, arguments.condition)
    with _project(arguments) as folder, _beside(arguments.condition):
        within = _until(arguments.minutes)
        recording.record(
            kept,
            folder=folder,
            condition=arguments.condition,
            workloads=_workloads(arguments),
            wanted=arguments.units,
            go_on=lambda _added: within(),
            told=print,
        )


def _peers(arguments: argparse.Namespace) -> None:
    """Run the peers and our own plain runs in turn, so that both have the same hour."""
    theirs = peer_runs.journal(arguments.data, arguments.condition)
    ours = stored_runs.journal(arguments.data, arguments.condition)
    spent = {"theirs": 0.0, "ours": 0.0}
    condition, workloads = arguments.condition, _workloads(arguments)
    with _project(arguments) as folder, _beside(condition):
        within = _until(arguments.minutes)
        while within():
            if spent["theirs"] <= spent["ours"]:
                found = peer_runs.peer_run(folder=folder, condition=condition, workloads=workloads)
                theirs.append(found)
                spent["theirs"] += found.seconds
                failed = [f"{case.workload} {case.level} %" for case in found.cases if case.failed]
                print(f"pytest-benchmark, {found.seconds:.0f} s: {', '.join(failed) or 'passed'}")
                continue
            plain = stored_runs.stored_run(
                folder=folder,
                condition=condition,
                workloads=workloads,
                effort=Effort(units=arguments.stored_units),
            )
            ours.append(plain)
            spent["ours"] += plain.seconds
            print(f"plain run, {plain.seconds:.0f} s")


def _live(arguments: argparse.Namespace) -> None:
    journal = live.long_journal if arguments.step == "long" else live.journal
    kept = journal(arguments.data, arguments.condition)
    runs = of_this_machine(kept.read())
    with tempfile.TemporaryDirectory() as place, _beside(arguments.condition):
        folder = Path(place) / "project"
        live.write_repository(folder)
        within = _until(arguments.minutes)
        while within():
            level = live.next_level(runs, unchanged=arguments.unchanged, slower=arguments.slower)
            if level is None:
                print("all live runs are there")
                return
            found = live.live_run(
                folder=folder,
                level=level,
                condition=arguments.condition,
                workloads=_workloads(arguments),
            )
            kept.append(found)
            runs.append(found)
            said = ", ".join(f"{case.workload} {case.verdict}" for case in found.cases)
            print(f"{level} %, {found.seconds:.0f} s: {said}")


def _suite(arguments: argparse.Namespace) -> None:
    kept = live.suite_journal(arguments.data, arguments.condition)
    with tempfile.TemporaryDirectory() as place, _beside(arguments.condition):
        folder = Path(place) / "project"
        live.write_repository(folder)
        within = _until(arguments.minutes)
        while within():
            found = live.live_run(
                folder=folder,
                level=0,
                condition=arguments.condition,
                workloads=_workloads(arguments),
                tests=live.SUITE_TESTS,
            )
            kept.append(found)
            verdicts = Counter(case.verdict for case in found.cases)
            print(f"{found.seconds:.0f} s: {dict(verdicts)}")


def _pilots(arguments: argparse.Namespace) -> None:
    with _project(arguments) as folder, _beside(arguments.condition):
        for workload in _workloads(arguments):
            pilots.block_lengths(folder, workload, units=arguments.units, told=print)
            if workload.name != "onnx_mlp":  # it needs a model file, which the project has
                pilots.processes(workload.name, units=arguments.units, told=print)


def _replay(arguments: argparse.Namespace) -> None:
    print(page(read(arguments.data, machine=arguments.machine), repeats=arguments.suites).text)


def _trials(arguments: argparse.Namespace) -> None:
    recorded = read(arguments.data, machine=arguments.machine)
    known = series(recorded.batches[arguments.condition])
    print(table(known, repeats=arguments.suites))


def _page(arguments: argparse.Namespace) -> None:
    """Write the page of the machine that is meant; of several, one each: they are never mixed."""
    known = machines(arguments.data)
    chosen = [arguments.machine] if arguments.machine is not None or known < 2 else range(known)
    for number in chosen:
        made = page(read(arguments.data, machine=number), repeats=arguments.suites)
        _write(made, arguments.output, number=0 if arguments.machine is not None else number or 0)


def _write(made: Page, output: Path, *, number: int) -> None:
    """Write a page and its plots; those of a further machine have its number in their names."""
    images = output.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    text = made.text
    for name, drawing in made.images.items():
        kept = name if not number else name.replace("verdicts-", f"verdicts-{number + 1}-")
        text = text.replace(f"images/{name}", f"images/{kept}")
        (images / kept).write_text(drawing, encoding="utf-8")
    if number:
        output = output.with_stem(f"{output.stem}-{number + 1}")
        first, _, rest = text.partition("\n")
        text = f"{first}: machine {number + 1}\n{rest}"
    output.write_text(text, encoding="utf-8")
    print(f"wrote {output}")


_STEPS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "record": _record,
    "peers": _peers,
    "live": _live,
    "suite": _suite,
    "long": _live,
    "seldom": _record,
    "pilots": _pilots,
    "replay": _replay,
    "trials": _trials,
    "page": _page,
}


def _workloads(arguments: argparse.Namespace) -> list[Workload]:
    names = arguments.workloads.split(",")
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise CostguardError(
            f"--workloads: there is no {', '.join(unknown)}",
            remedy=f"choose from {', '.join(BY_NAME)}",
        )
    return [BY_NAME[name] for name in names]


@contextmanager
def _project(arguments: argparse.Namespace) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        depths = [100 + level for level in LEVELS] if "onnx_mlp" in arguments.workloads else []
        write_project(folder, onnx_layers=depths)
        yield folder


@contextmanager
def _beside(condition: Condition) -> Iterator[None]:
    with ExitStack() as stack:
        if condition == "burners":
            stack.enter_context(burning())
        yield


def _until(minutes: float) -> Callable[[], bool]:
    end = time.monotonic() + 60 * minutes
    return lambda: time.monotonic() < end


if __name__ == "__main__":
    raise SystemExit(main())
