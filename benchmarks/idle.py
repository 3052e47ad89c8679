"""What an installed but unused plugin adds to every start of pytest, beside pytest-benchmark.

Run it as `python -m benchmarks.idle --json idle.json`, after `make setup`. Each contender is an
environment of its own, installed by pip from wheels: pytest alone, with our wheel, with
pytest-benchmark. So the plugins are found as a user's are, and pay for what they bring along: their
dependencies, and their list of files, which pytest reads at every start. Each round starts
`pytest --collect-only` on an empty folder eight times in each environment, in turn, in an order
that is rotated from turn to turn; a round before the first compiles everything. The fastest of
the eight counts, since whatever else runs can only make a start slower. A figure is the median
over the rounds of the difference between two contenders in the same round; its interval is the one
of the sign test, which assumes nothing about the noise (Conover, Practical Nonparametric
Statistics, 3.2).

Goal: ours adds at most a third of what pytest-benchmark adds. It is reached where the median of
(ours - a third of pytest-benchmark's) is surely below zero, missed where it is surely above.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

GOAL_SHARE = 1 / 3
CONFIDENCE = 0.95
OURS = "pytest-costguard"
PEER = "pytest-benchmark"
BARE = "no plugin"
ROOT = Path(__file__).resolve().parents[1]
WHEELHOUSE = ROOT / ".wheelhouse"
CONTENDERS: dict[str, str] = {BARE: "pytest", OURS: OURS, PEER: PEER}
"""What is installed into the environment of each."""
STARTS = 8
_NOTHING_COLLECTED = 5


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of pytest: seconds on the wall, and of the processor."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class Added:
    """The median of paired differences in milliseconds, with its interval."""

    median_ms: float
    lower_ms: float
    upper_ms: float


def install(folder: Path) -> dict[str, Path]:
    """Make an environment for each contender; return its interpreter.

    Raises:
        SystemExit: the wheelhouse is not filled, or a wheel is missing in it.
    """
    if not (WHEELHOUSE / ".filled").exists():
        raise SystemExit(f"{WHEELHOUSE.name}/ is not filled: run `make setup`")
    wheels = folder / "wheels"
    _pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", str(ROOT))
    found = {}
    for name, wanted in CONTENDERS.items():
        place = folder / wanted
        venv.create(place, with_pip=False)
        python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
        links = [f"--find-links={wheels}", f"--find-links={WHEELHOUSE}"]
        _pip(f"--python={python}", "install", "--compile", *links, wanted)
        found[name] = python
    return found


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words],
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"pip {' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def start(python: Path, *, folder: Path) -> Start:
    """Start pytest once and wait for its end."""
    dropped = ("PYTEST_", "COSTGUARD_", "COV_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [str(python), "-m", "pytest", "--collect-only", "-q"],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != _NOTHING_COLLECTED:
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Start(wall_seconds=wall, cpu_seconds=cpu)


def measure(*, rounds: int, starts: int = STARTS) -> dict[str, list[Start]]:
    """Start each contender `starts` times a round; a round before the first compiles all."""
    names = list(CONTENDERS)
    found: dict[str, list[Start]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as place:
        pythons = install(Path(place))
        folder = Path(place) / "empty"
        folder.mkdir()
        # Makes the folder a root of its own, whatever lies above it.
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        for number in range(-1, rounds):
            each: dict[str, list[Start]] = {name: [] for name in names}
            for place_in_round in range(starts):
                turn = (number * starts + place_in_round) % len(names)
                for name in names[turn:] + names[:turn]:
                    each[name].append(start(pythons[name], folder=folder))
            if number >= 0:
                for name in names:
                    found[name].append(_fastest(each[name]))
    return found


def _fastest(starts: Sequence[Start]) -> Start:
    return Start(
        wall_seconds=min(one.wall_seconds for one in starts),
        cpu_seconds=min(one.cpu_seconds for one in starts),
    )


def added(values: Sequence[float]) -> Added:
    """Return the median of differences in seconds, and the sign test's interval of it."""
    ordered = sorted(values)
    reach = _rank(len(ordered))
    return Added(
        median_ms=statistics.median(ordered) * 1e3,
        lower_ms=ordered[reach] * 1e3,
        upper_ms=ordered[-1 - reach] * 1e3,
    )


def _rank(n: int) -> int:
    """Return the largest k for which the k-th value from both ends bound the median surely enough.

    Of n values, fewer than k+1 lie below the median with the binomial's probability for one half.
    """
    tail, rank = 0.0, -1
    while True:
        tail += math.comb(n, rank + 1) / 2**n
        if tail > (1 - CONFIDENCE) / 2:
            break
        rank += 1
    if rank < 0:
        raise SystemExit(f"{n} rounds bound nothing at {CONFIDENCE:.0%}: use at least 6")
    return rank


def summary(found: dict[str, list[Start]], *, starts: int) -> dict[str, object]:
    """Return what is written as JSON."""
    clocks = {
        clock: {
            name: [float(getattr(one, f"{clock}_seconds")) for one in starts]
            for name, starts in found.items()
        }
        for clock in ("wall", "cpu")
    }
    result: dict[str, object] = {
        "rounds": len(found[OURS]),
        "starts": starts,
        "goal_share": GOAL_SHARE,
    }
    for clock, series in clocks.items():
        bare, ours, peer = series[BARE], series[OURS], series[PEER]
        extra = {
            name: added([one - plain for one, plain in zip(series[name], bare, strict=True)])
            for name in (OURS, PEER)
        }
        beyond = added(
            [
                (mine - plain) - GOAL_SHARE * (other - plain)
                for plain, mine, other in zip(bare, ours, peer, strict=True)
            ]
        )
        result[clock] = {
            "start_ms": {name: statistics.median(each) * 1e3 for name, each in series.items()},
            "added": {name: asdict(one) for name, one in extra.items()},
            "share": extra[OURS].median_ms / extra[PEER].median_ms,
            "beyond_goal": asdict(beyond),
            "reached": beyond.upper_ms < 0,
            "missed": beyond.lower_ms > 0,
        }
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="What an unused plugin adds to pytest's start.")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--starts", type=int, default=STARTS, help="of which the fastest counts")
    arguments = parser.parse_args()
    result = summary(
        measure(rounds=arguments.rounds, starts=arguments.starts), starts=arguments.starts
    )
    for clock in ("wall", "cpu"):
        figures = result[clock]
        for name, one in figures["added"].items():
            print(
                f"{clock:<5}{name:<18}adds {one['median_ms']:6.1f} ms"
                f" ({one['lower_ms']:.1f} to {one['upper_ms']:.1f})"
            )
        print(f"{clock:<5}ours is {figures['share']:.0%} of {PEER}'s")
    reached = result["wall"]["reached"]
    print(f"goal: at most a third: {'yes' if reached else 'NO'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
