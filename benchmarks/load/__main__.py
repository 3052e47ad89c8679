"""What load says and what sending it costs: `python -m benchmarks.load PART`, then `… page`.

Parts: `coverage`, `search` and `curve` play queues and may run anywhere; `lateness` and `clients`
need a quiet machine. Each writes its figures to `benchmarks/load/data/`; `page` writes
`docs/benchmarks-load.md` from them, and the plot of `docs/load.md`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load.drawing import Curve, latency_over_rate
from benchmarks.load.page import page

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parent / "data"
PAGE = ROOT / "docs" / "benchmarks-load.md"
PLOT = ROOT / "docs" / "images" / "load-curve.svg"
LIMIT_MS = 100.0
"""The SLO that is drawn."""


def _coverage(effort: float) -> Any:
    from benchmarks.load.coverage import coverages

    return [one.as_json() for one in coverages(trials=max(2, round(1000 * effort)))]


def _search(effort: float) -> Any:
    from benchmarks.load.searching import searches

    return [one.as_json() for one in searches(runs=max(2, round(100 * effort)))]


def _lateness(effort: float) -> Any:
    from benchmarks.load.lateness import latenesses

    return latenesses(seconds=max(1.0, 30 * effort))


def _clients(effort: float) -> Any:
    from benchmarks.load.clients import all_clients

    return [one.as_json() for one in all_clients(seconds=max(1.0, 10 * effort))]


def _curve(effort: float) -> Any:
    from benchmarks.load.curve import curves

    return curves(requests=max(1000, round(200_000 * effort)))


PARTS: dict[str, Callable[[float], Any]] = {
    "coverage": _coverage,
    "search": _search,
    "lateness": _lateness,
    "clients": _clients,
    "curve": _curve,
}


def figures(data: Path) -> dict[str, Any]:
    """Return what each part has left in a folder, by its name."""
    return {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name in PARTS
        if (file := data / f"{name}.json").exists()
    }


def plot(ways: Sequence[dict[str, Any]]) -> str:
    """Return the plot of latency over the rate."""
    return latency_over_rate([Curve.from_json(one) for one in ways], limit_ms=LIMIT_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "page"])
    parser.add_argument(
        "--effort", type=float, default=1.0, help="0.01 shows that it works, and nothing else"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="where the figures lie")
    arguments = parser.parse_args()
    if arguments.part == "page":
        found = figures(arguments.data)
        PAGE.write_text(page(found), encoding="utf-8")
        if "curve" in found:
            PLOT.write_text(plot(found["curve"]["found"]), encoding="utf-8")
        return 0
    written = {
        "about": {
            "day": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "effort": arguments.effort,
        },
        "found": PARTS[arguments.part](arguments.effort),
    }
    arguments.data.mkdir(parents=True, exist_ok=True)
    target = arguments.data / f"{arguments.part}.json"
    target.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
