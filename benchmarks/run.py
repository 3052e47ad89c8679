"""Measures this tool itself beside its peers, and writes the figures to `docs/benchmarks.md`.

Run it as `python -m benchmarks.run` (or `make bench`) on a quiet machine; it takes four minutes.
Each benchmark runs in a process of its own; a goal that is missed is written down as missed, and
makes the exit status 1.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "per_request": ("benchmarks/overhead/per_request.py",),
    "idle": ("-m", "benchmarks.idle"),
    "scale": ("-m", "benchmarks.scale"),
}
QUICK: dict[str, tuple[str, ...]] = {
    "per_request": ("--repeats=2", "--requests=20"),
    "idle": ("--rounds=6", "--starts=1"),
    "scale": ("--repeats=1", "--requests=20", "--workloads=20", "--baseline-runs=8"),
}
"""As little as each can do: shows that it works, and nothing else."""
_PACKAGES = ("pytest-costguard", "pytest", "pytest-benchmark", "torch", "numpy", "msgspec", "rich")
_GOAL_MISSED = 1
_REACHED: dict[bool | None, str] = {True: "yes", False: "**no**", None: "not sure"}
_HEAD = """# What this tool costs

Written by `make bench` (`python -m benchmarks.run`); do not edit it by hand. Every figure comes
from one run on one machine."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """When, on what and beside how much else the figures were taken."""

    day: dt.date
    processor: str
    cores: int
    system: str
    versions: dict[str, str]
    load_before: float | None
    load_after: float | None


def measured(name: str, *, folder: Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """Run one benchmark and return what it wrote; a missed goal is no error here.

    Raises:
        SystemExit: it did not end as it should.
    """
    file = folder / f"{name}.json"
    print(f"== {name}", flush=True)
    command = [sys.executable, *BENCHMARKS[name], *options, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=1800)
    if done.returncode not in (0, _GOAL_MISSED) or not file.exists():
        raise SystemExit(f"{name} ended with {done.returncode}")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def page(results: dict[str, dict[str, Any]], about: Circumstances) -> str:
    """Return the whole page as Markdown."""
    blocks = [
        _HEAD,
        "\n".join(_goals(results)),
        "\n".join(_per_request(results["per_request"])),
        "\n".join(_idle(results["idle"])),
        "\n".join(_scale(results["scale"])),
        "\n".join(_limits()),
        "\n".join(_circumstances(about)),
    ]
    return "\n\n".join(blocks) + "\n"


def goals(results: dict[str, dict[str, Any]]) -> list[tuple[str, str, bool | None]]:
    """Return each goal, what was measured, and whether it was reached; None: not known surely."""
    requests, idle, scale = results["per_request"], results["idle"]["wall"], results["scale"]
    ours = [row for row in requests["rows"] if row["contender"] == "pytest-costguard"]
    size = scale["size"]
    large = f"{size['workloads']:,} workloads against {size['baseline_runs']} baseline runs"
    worst = max(row["beyond_two_reads_ns"] for row in ours)
    return [
        (
            f"A timed request costs less than {requests['goal_ns']} ns beyond two clock reads",
            f"{worst:.0f} ns at worst",
            worst < requests["goal_ns"],
        ),
        (
            "Unused, it adds at most a third of what pytest-benchmark adds to a start of pytest",
            f"{idle['share']:.0%}".replace("%", " %"),
            idle["reached"] if idle["reached"] or idle["missed"] else None,
        ),
        (
            f"{large}: below {scale['goal_seconds']:g} s",
            f"{scale['whole_seconds']:.2f} s (worst {scale['worst_seconds']:.2f} s)",
            scale["worst_seconds"] < scale["goal_seconds"],
        ),
        (
            f"The same: below {scale['goal_bytes'] / 1e6:.0f} MB",
            f"{scale['peak_bytes'] / 1e6:.0f} MB",
            scale["peak_bytes"] < scale["goal_bytes"],
        ),
    ]


def _goals(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| Goal | Measured | Reached |"
    yield "|:--|--:|:--|"
    for goal, found, reached in goals(results):
        yield f"| {goal} | {found} | {_REACHED[reached]} |"


def _per_request(found: dict[str, Any]) -> Iterator[str]:
    yield "## What measuring adds to a request"
    yield ""
    yield (
        f"Nanoseconds a request, medians over {found['repeats']} repeats of"
        f" {found['requests']:,} requests, ± one standard error; all contenders serve the same"
        " callables in one process, in turn. *Reported* is what a contender says that a request"
        " took; *beyond* is that less the callable in a bare loop and two readings of the clock,"
        " below zero where requests share their readings; *whole* is the wall time that the user"
        " waits. Only those that time *each* request know a percentile."
    )
    yield ""
    yield "| Callable | Contender | Times | Reported (ns) | Beyond (ns) | Whole (ns) |"
    yield "|:--|:--|:--|--:|--:|--:|"
    for row in found["rows"]:
        yield (
            f"| {row['callable']} | {row['contender']}"
            f" | {'each' if row['tells_each_request'] else 'their mean'}"
            f" | {row['reported_ns']:,.0f} ± {row['reported_error_ns']:,.1f}"
            f" | {_signed(row['beyond_two_reads_ns'])} ± {row['beyond_error_ns']:,.1f}"
            f" | {row['whole_ns']:,.0f} |"
        )


def _idle(found: dict[str, Any]) -> Iterator[str]:
    yield "## What an unused plugin adds to a start"
    yield ""
    yield (
        "`pytest --collect-only` on an empty folder in three environments that pip made: pytest"
        " alone, and with one of the plugins and what it depends on."
        f" {found['rounds']} rounds, the contenders in"
        f" turn within each, the fastest of {found['starts']} starts. Medians of the differences"
        " to the start without plugins in the same round, with 95 % intervals of the sign test."
        " The goal counts as reached where the interval of (ours less a third of"
        " pytest-benchmark's) lies below zero, as missed where it lies above."
    )
    yield ""
    yield "| Plugin | Wall time added (ms) | Processor time added (ms) |"
    yield "|:--|--:|--:|"
    for name in found["wall"]["added"]:
        cells = [_bounded(found[clock]["added"][name]) for clock in ("wall", "cpu")]
        yield f"| {name} | {cells[0]} | {cells[1]} |"
    yield ""
    bare = found["wall"]["start_ms"]["no plugin"]
    beyond = found["wall"]["beyond_goal"]
    yield (
        f"A start without plugins took {bare:.0f} ms. Ours less a third of pytest-benchmark's:"
        f" {_bounded(beyond)} ms of wall time."
    )


def _scale(found: dict[str, Any]) -> Iterator[str]:
    size = found["size"]
    yield "## What a large suite waits for its verdicts"
    yield ""
    yield (
        f"{size['workloads']:,} workloads of {size['units']} units with {size['requests']} requests"
        f" each, against {size['baseline_runs']} baseline runs: {found['read_bytes'] / 1e6:.0f} MB"
        f" of records, made up. Medians of {found['repeats']} fresh processes; the peak is the"
        " highest of them."
    )
    yield ""
    yield "| Stage | Seconds |"
    yield "|:--|--:|"
    for stage, seconds in found["stage_seconds"].items():
        yield f"| {stage} | {seconds:.2f} |"
    yield f"| **whole process, its start and end included** | **{found['whole_seconds']:.2f}** |"


def _limits() -> Iterator[str]:
    yield "## What this does not show"
    yield ""
    yield (
        "- How often a verdict is wrong: these figures are about the cost of measuring, not about"
        " its soundness. That is measured in [benchmarks-verdicts.md](benchmarks-verdicts.md)."
    )
    yield (
        "- The time that measuring itself takes: by default 6 fresh processes of half a second a"
        " workload, and the imports of each."
    )
    yield "- Other machines, other systems, or a busy one. Run `make bench` on yours."
    yield "- Requests that run concurrently or on an event loop, and GPUs."


def _circumstances(about: Circumstances) -> Iterator[str]:
    yield "## Machine, versions, date"
    yield ""
    yield f"- Date: {about.day.isoformat()}"
    yield f"- Machine: {about.processor}, {about.cores} cores, {about.system}"
    before, after = _load(about.load_before), _load(about.load_after)
    yield f"- Load average over a minute: {before} before, {after} after"
    listed = ", ".join(f"{name} {found}" for name, found in about.versions.items())
    yield f"- Versions: {listed}"
    yield "- Command: `python -m benchmarks.run`"


def _signed(value: float) -> str:
    return f"\N{MINUS SIGN}{-value:,.0f}" if round(value) < 0 else f"{value:,.0f}"


def _bounded(added: dict[str, float]) -> str:
    middle, low, high = (
        f"{added[key]:.1f}".replace("-", "\N{MINUS SIGN}")
        for key in ("median_ms", "lower_ms", "upper_ms")
    )
    return f"{middle} ({low} to {high})"


def _load(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f}"


def load_average() -> float | None:
    """Return the load average over a minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Return the version of Python and of each package that is installed."""
    found = {"Python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def processor() -> str:
    """Return the processor's name as the system has it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure this tool itself beside its peers.")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page is written")
    parser.add_argument(
        "--quick", action="store_true", help="next to no rounds, to see that it works; needs --page"
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.page == PAGE:
        parser.error("figures of --quick mean nothing: name another page with --page")
    options = QUICK if arguments.quick else {}
    before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            name: measured(name, folder=Path(folder), options=options.get(name, ()))
            for name in BENCHMARKS
        }
    about = Circumstances(
        day=dt.datetime.now(tz=dt.UTC).date(),
        processor=processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        versions=versions(),
        load_before=before,
        load_after=load_average(),
    )
    arguments.page.write_text(page(results, about), encoding="utf-8")
    print(f"wrote {arguments.page}")
    return 0 if all(reached for _, _, reached in goals(results)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
