"""The page about verdicts: everything that was recorded has its place, and nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest
from factories import evidence

from benchmarks.verdicts import live, peer_runs, recording, stored_runs
from benchmarks.verdicts.__main__ import main
from benchmarks.verdicts.figures import ASKED
from benchmarks.verdicts.page import page, read
from benchmarks.verdicts.peers import RULES
from benchmarks.verdicts.plots import arrivals, bars
from benchmarks.verdicts.workloads import LONG, SELDOM, SELDOM_LEVELS

CONDITIONS = ("quiet", "burners")


def write(data, *, conditions=CONDITIONS, units=48):
    for condition in conditions:
        for batch in evidence.batches(units=units, condition=condition):
            recording.journal(data, condition).append(batch)
        names = [workload.name for workload in SELDOM[:3]]
        for batch in evidence.batches(
            units=units, condition=condition, names=names, levels=SELDOM_LEVELS, seldom=True
        ):
            recording.seldom_journal(data, condition).append(batch)
        for run in evidence.peer_runs(runs=2, condition=condition):
            peer_runs.journal(data, condition).append(run)
        for number in range(9):
            run = evidence.stored_run(machine=0.001 * number, condition=condition)
            stored_runs.journal(data, condition).append(run)
        for level, verdict in ((0, "unchanged"), (5, "regressed")):
            run = evidence.live_run(level=level, verdict=verdict, condition=condition)
            live.journal(data, condition).append(run)
            names = [workload.name for workload in LONG]
            run = evidence.live_run(
                level=level, verdict=verdict, condition=condition, workloads=names
            )
            live.long_journal(data, condition).append(run)
        for workloads in (live.SUITE_OF_TEN, ("numpy_memory", "numpy_cache")):
            run = evidence.live_run(condition=condition, workloads=workloads * live.SUITE_TESTS)
            live.suite_journal(data, condition).append(run)
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def made(data):
    return page(read(data), repeats=20)


def rows(text, title):
    section = text.partition(f"\n### {title}\n")[2].partition("\n##")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_table_has_as_many_cells_a_row_as_its_head(made):
    tables = [block for block in made.text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 11
    for block in tables:
        assert len({line.count("|") for line in block.splitlines()}) == 1, block
        assert "nan" not in block.lower()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_workload_rule_and_question_has_its_row(made, condition):
    assert len(rows(made.text, f"Units, {condition}")) == 25
    replayed = rows(made.text, f"Verdicts replayed over consecutive units, {condition}")
    assert {row[0] for row in replayed} == {asked.words for asked in ASKED}
    assert [row[1] for row in replayed].count("**all**") == len(ASKED)
    suites = rows(made.text, f"False alarms of whole suites, {condition}")
    assert [row[0] for row in suites] == ["1", "5", "10"]
    assert len(rows(made.text, f"Other rules, {condition}")) == len(RULES) + 2
    assert len(rows(made.text, f"Live runs of the plugin, {condition}")) == 12


def passed(row):
    """Whether all verdicts of a row passed; False where none did."""
    hits, _, trials, *_ = row[7].split()
    assert int(trials) > 1
    assert int(hits) in {0, int(trials)}, row
    return int(hits) > 0


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_seldom_slow_is_caught_by_the_sum_alone(made, condition):
    found = rows(made.text, f"Requests that are seldom slower, {condition}")
    assert [row[:2] for row in found[::2]] == [
        [workload.about, f"{level} %"] for workload in SELDOM[:3] for level in SELDOM_LEVELS
    ]
    assert {row[5] for row in found[::2]} == {"as it is"}
    for with_sum, without in zip(found[::2], found[1::2], strict=True):
        assert passed(with_sum) == (with_sum[1] == "0 %"), with_sum
        assert passed(without), without
    twenty = [row[3] for row in found[::2] if row[1] == "20 %"]
    assert all(19 < float(said.split()[0]) < 21 for said in twenty)


def test_few_units_of_what_is_seldom_slow_have_no_spread_yet(tmp_path):
    (batch,) = evidence.batches(units=4, names=["seldom_cache"], levels=(0,), seldom=True)
    young = msgspec.structs.replace(batch, units=batch.units[:2])
    recording.seldom_journal(tmp_path, "quiet").append(young)
    text = page(read(tmp_path), repeats=2).text
    (as_it_is, _) = rows(text, "Requests that are seldom slower, quiet")
    assert as_it_is[2:5] == ["2", "few units", "n/a"]


def test_the_live_rows_say_what_the_plugin_said(made):
    found = rows(made.text, "Live runs of the plugin, quiet")
    everyone = {row[0]: row[2:] for row in found if row[1] == "**all**"}
    assert everyone["0 %"][0].startswith("0 of 5 (")
    assert everyone["5 %"][0].startswith("5 of 5 (")
    assert everyone["5 %"][3].startswith("5 of 5 (")
    assert everyone["0 %"][3:] == ["n/a", "4.0, 4.0", "8.0, 8.0"]
    long = rows(made.text, "Live runs of long requests, quiet")
    assert [row[:2] for row in long] == [
        *(["0 %", workload.about] for workload in LONG),
        ["0 %", "**all**"],
        *(["5 %", workload.about] for workload in LONG),
        ["5 %", "**all**"],
    ]


def test_suites_of_ten_are_told_apart_by_what_they_measure(made):
    quick, slower = rows(made.text, "Whole runs of ten unchanged tests, quiet")
    assert quick[0] == "5 of numpy, cache-resident; 5 of onnxruntime, 100 narrow layers"
    assert slower[0] == "5 of numpy, cache-resident; 5 of numpy, memory-bound"
    assert quick[1:4] == slower[1:4] == ["1", "60.0, 60.0", "8.0, 8.0"]
    assert quick[4].startswith("0 of 10 (")
    assert quick[5].startswith("10 of 10 (")


def test_goals_limits_and_machine_are_said(made):
    assert made.text.count("a suite of 5 unchanged workloads fails in at most 1 %") == 2
    assert "## What this does not show" in made.text
    assert "- Machine: AMD EPYC 7763, 2 cores, Linux 6.8" in made.text
    assert "commits 0123456789" in made.text


def test_the_plots_are_well_formed_and_shown(made):
    assert set(made.images) == {
        f"verdicts-{kind}-{condition}.svg" for kind in ("time", "peers") for condition in CONDITIONS
    }
    for name, drawing in made.images.items():
        assert ElementTree.fromstring(drawing).tag.endswith("svg")
        assert f"(images/{name})" in made.text


def test_a_stair_ends_at_the_share_of_verdicts_that_fell():
    drawing = arrivals({"some": [3.0, float("inf")]}, title="a < b", seconds=60, goal=12)
    root = ElementTree.fromstring(drawing)
    (stair,) = [one for one in root if one.tag.endswith("polyline")]
    heights = [float(point.split(",")[1]) for point in stair.get("points").split()]
    assert heights == [230.0, 230.0, 130.0, 130.0]  # from none to a half of 200 pixels
    assert "a < b" in {one.text for one in root}


def test_a_bar_spans_its_interval():
    root = ElementTree.fromstring(bars([("rule", 0.5, 0.25, 1.0)], title="t", goal=0.01))
    (bar,) = [one for one in root if one.get("stroke-width") == "3"]
    (dot,) = [one for one in root if one.tag.endswith("circle")]
    left, right = float(bar.get("x1")), float(bar.get("x2"))
    assert (float(dot.get("cx")) - left) / (right - left) == pytest.approx(1 / 3)


def test_what_was_not_recorded_is_said_to_be_missing(tmp_path):
    text = page(read(write(tmp_path, conditions=("quiet",))), repeats=5).text
    assert "No units were recorded in this condition." in text
    assert "burners: " not in text
    assert "Nothing was recorded." in page(read(tmp_path / "nowhere"), repeats=5).text


def test_the_commands_write_the_page_and_print_the_variants(data, tmp_path, capsys):
    output = tmp_path / "docs" / "verdicts.md"
    output.parent.mkdir()
    assert main(["--data", str(data), "page", "--suites=5", f"--output={output}"]) == 0
    assert output.read_text().startswith("# How often a verdict is wrong")
    assert len(list((output.parent / "images").glob("*.svg"))) == 4
    assert main(["--data", str(data), "trials", "--suites=5", "--condition=burners"]) == 0
    assert "| always valid, g = 9 |" in capsys.readouterr().out


def test_a_mistake_is_answered_with_its_remedy(data, tmp_path, capsys):
    words = ["--data", str(tmp_path), "record", "--minutes=1", "--workloads=numpy_cash"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "there is no numpy_cash" in said
    assert "choose from numpy_cache" in said
    assert main(["--data", str(data), "page", "--machine=3", f"--output={tmp_path / 'x'}"]) == 1
    assert "there is no machine 3 among 1" in capsys.readouterr().err
