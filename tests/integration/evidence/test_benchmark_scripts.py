"""The benchmarks run, with next to no rounds, and their page is made from what they found."""

from __future__ import annotations

import datetime as dt
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmarks():
    """`benchmarks.run`, which lies in the checkout and is never installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield importlib.import_module("benchmarks.run")


@pytest.fixture(scope="module")
def results(benchmarks, tmp_path_factory):
    """What each script wrote. Whether a goal was reached means nothing here."""
    folder = tmp_path_factory.mktemp("figures")
    return {
        name: benchmarks.measured(name, folder=folder, options=benchmarks.QUICK[name])
        for name in benchmarks.BENCHMARKS
    }


@pytest.fixture(scope="module")
def page(benchmarks, results):
    about = benchmarks.Circumstances(
        day=dt.date(2026, 3, 1),
        processor="AMD EPYC 7763",
        cores=4,
        system="Linux 6.8",
        versions={"Python": "3.12.3"},
        load_before=0.1,
        load_after=None,
    )
    return benchmarks.page(results, about)


def rows(page, title):
    """Return the cells of the table below a title."""
    section = page.partition(f"## {title}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_benchmark_has_quick_options_and_writes_its_figures(benchmarks, results):
    assert benchmarks.QUICK.keys() == benchmarks.BENCHMARKS.keys() == results.keys()
    assert results["per_request"]["repeats"] == 2
    assert (results["idle"]["rounds"], results["idle"]["starts"]) == (6, 1)
    assert results["scale"]["size"]["workloads"] == 20


def test_the_page_holds_every_contender_on_every_callable(results, page):
    found = rows(page, "What measuring adds to a request")
    assert [cells[:2] for cells in found] == [
        [row["callable"], row["contender"]] for row in results["per_request"]["rows"]
    ]
    assert {"nothing", "32x32 product"} == {cells[0] for cells in found}


def test_the_page_holds_what_each_plugin_adds(results, page):
    added = results["idle"]["wall"]["added"]
    found = {cells[0]: cells[1] for cells in rows(page, "What an unused plugin adds to a start")}
    assert found.keys() == added.keys() == {"pytest-costguard", "pytest-benchmark"}
    for name, figures in added.items():
        assert found[name].startswith(f"{figures['median_ms']:.1f}".replace("-", "\u2212"))


def test_the_page_holds_every_stage_of_a_large_suite(results, page):
    *stages, whole = rows(page, "What a large suite waits for its verdicts")
    assert stages == [
        [stage, f"{seconds:.2f}"] for stage, seconds in results["scale"]["stage_seconds"].items()
    ]
    assert whole[1] == f"{results['scale']['whole_seconds']:.2f}"


def test_the_page_says_of_each_goal_whether_it_was_reached(benchmarks, results, page):
    said = [cells[2] for cells in rows("## Goals\n" + page, "Goals")][:4]
    words = {True: "yes", False: "no", None: "not sure"}
    assert said == [words[goal[2]] for goal in benchmarks.goals(results)]


@pytest.mark.parametrize(
    ("lower", "upper", "reached"), [(-3.0, -1.0, True), (-1.0, 2.0, None), (1.0, 3.0, False)]
)
def test_a_goal_whose_interval_holds_both_answers_is_not_known(
    benchmarks, results, lower, upper, reached
):
    wall = results["idle"]["wall"] | {"reached": upper < 0, "missed": lower > 0}
    found = results | {"idle": results["idle"] | {"wall": wall}}

    assert benchmarks.goals(found)[1][2] is reached


def test_the_page_names_machine_day_and_load(page):
    assert "- Date: 2026-03-01" in page
    assert "- Machine: AMD EPYC 7763, 4 cores, Linux 6.8" in page
    assert "0.1 before, not known after" in page


def test_a_benchmark_that_dies_is_no_figure(benchmarks, tmp_path):
    with pytest.raises(SystemExit, match="scale ended with"):
        benchmarks.measured("scale", folder=tmp_path, options=("--no-such-option",))


def test_quick_figures_never_become_the_published_page():
    before = (ROOT / "docs" / "benchmarks.md").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--page" in done.stderr
    assert (ROOT / "docs" / "benchmarks.md").read_bytes() == before
