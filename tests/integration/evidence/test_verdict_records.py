"""Recording units and runs, with next to no rounds: real workers, killed and gone on with."""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import sys
from itertools import islice

import msgspec
import numpy as np
import pytest
from factories import evidence

from benchmarks.verdicts import live, peer_runs, recording, stored_runs
from benchmarks.verdicts.burners import burning, phases
from benchmarks.verdicts.entries import Blocks, identity_of, of_this_machine
from benchmarks.verdicts.journal import Journal
from benchmarks.verdicts.workloads import BY_NAME, LEVELS, PROJECT, WORKLOADS, write_project
from pytest_costguard.engine.plain import Effort
from pytest_costguard.errors import RecordError

CACHE = dataclasses.replace(BY_NAME["numpy_cache"], levels=(0, 5))


@pytest.fixture
def stacks(monkeypatch):
    """The project's modules, as a worker of head sees them."""
    monkeypatch.setenv("EVIDENCE_SIDE", "head")
    monkeypatch.syspath_prepend(PROJECT)
    yield importlib.import_module("stacks")
    for name in ("stacks", "depth"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    return folder


# What a level is ---------------------------------------------------------------------------------


def test_a_level_is_so_many_layers_more_of_a_hundred_on_heads_side_only(stacks, monkeypatch):
    depth = sys.modules["depth"]
    head = [depth.layers(level) for level in (0, 2, 3, 5, 10)]
    monkeypatch.setenv("EVIDENCE_SIDE", "base")
    base = [depth.layers(level) for level in (0, 2, 3, 5, 10)]

    assert head == [100, 102, 103, 105, 110]
    assert base == [100] * 5


def test_each_stack_does_one_equal_piece_of_work_a_layer(stacks, tmp_path, monkeypatch):
    rows = stacks.inputs("numpy_cache")[0]
    expected = rows
    for weight in stacks._cached_weights()[:105]:
        expected = expected @ weight
    np.testing.assert_allclose(stacks.numpy_cache(105)(rows), expected)

    stacks.numpy_memory(105)(np.float32(2.0))
    assert (stacks._streamed()[:105] == 2).all()
    assert (stacks._streamed()[105:] == 1).all()

    onnx = importlib.import_module("onnx")
    monkeypatch.setattr(stacks, "onnx_mlp", lambda layers: tmp_path / "models" / f"{layers}.onnx")
    stacks.write_onnx(105)
    kinds = [node.op_type for node in onnx.load(tmp_path / "models" / "105.onnx").graph.node]
    assert (kinds.count("MatMul"), kinds.count("Relu"), len(kinds)) == (105, 105, 210)


@pytest.mark.parametrize(
    ("name", "passes"), [("torch_mlp", 1), ("torch_slow", 1), ("torch_1s", 5), ("torch_2s", 10)]
)
def test_a_torch_stack_calls_so_many_layers_of_one_shape(stacks, name, passes):
    torch = importlib.import_module("torch")
    called = []
    serve = stacks.served(name, 105)
    rows = stacks.inputs(name)[0]
    modules = stacks._torch_layers(rows.shape[1])
    hooks = [m.register_forward_hook(lambda m, *_: called.append(m.weight.shape)) for m in modules]
    answer = serve(rows)
    for hook in hooks:
        hook.remove()

    assert called == [torch.Size((rows.shape[1], rows.shape[1]))] * 105 * passes
    assert torch.isfinite(answer).all()


# Recording ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """As abrupt as a signal, for the code under test."""


def test_a_recording_that_was_killed_goes_on_where_it_stopped(project, tmp_path):
    kept = recording.journal(tmp_path, "quiet")

    def record(told=lambda _words: None):
        return recording.record(
            kept,
            folder=project,
            condition="quiet",
            workloads=[CACHE],
            wanted=8,
            go_on=lambda added: added < 1,
            told=told,
            unit_seconds=0.02,
        )

    def die(_words):
        raise Killed

    with pytest.raises(Killed):
        record(told=die)
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole + whole[:100])  # the next entry, half-written
    assert record() == 1
    assert record() == 0, "all that was wanted is there"

    first, second = kept.read()
    assert [first.number, second.number] == [0, 1]
    assert kept.path.read_bytes().startswith(whole)
    for batch in (first, second):
        assert sorted(cell.level for cell in batch.units[0]) == [0, 5]
        assert [unit[0].first for unit in batch.units] == ["base", "head", "base", "head"]
        assert 0 < batch.opening_seconds < batch.run_seconds
        for cell in (cell for unit in batch.units for cell in unit):
            assert {"mean", "p50"} <= cell.changes.keys()
            # By the clock that the mean rests on: a neighbour's time is in the other.
            by_cpu = cell.clock == "cpu"
            base, head = cell.blocks.cpu_seconds() if by_cpu else cell.blocks.wall_seconds()
            said = float(np.median(np.log(head / base)))
            # The mean of a block's requests leaves out what lies between them.
            assert said == pytest.approx(cell.changes["mean"].change, abs=0.05)


def test_the_workload_with_the_fewest_units_comes_next_with_the_levels_that_lack_some():
    first, *others = WORKLOADS
    done = evidence.batches(names=[one.name for one in others], units=8)
    done += evidence.batches(names=[first.name], levels=(0, 3), units=8)

    assert recording.next_batch(done, WORKLOADS, wanted=8) == (first, (2, 5, 10))
    assert recording.next_batch(done, others, wanted=8) is None
    workload, levels = recording.next_batch(done, others, wanted=12)
    assert (workload in others, levels) == (True, LEVELS)


def test_units_of_another_method_do_not_count():
    done = evidence.batches(names=[CACHE.name], levels=CACHE.levels, units=8)
    old = [
        msgspec.structs.replace(one, about=msgspec.structs.replace(one.about, method=0))
        for one in done
    ]

    assert recording.next_batch(done, [CACHE], wanted=8) is None
    assert recording.next_batch(old, [CACHE], wanted=8) == (CACHE, CACHE.levels)


def test_block_times_are_kept_to_two_hundredths_of_a_percent():
    source = np.random.default_rng(0)
    walls = 0.003 * source.lognormal(0, 0.1, (2, 40))

    blocks = Blocks.of(*(evidence.unit(side.tolist(), cpu_share=0.9) for side in walls))

    np.testing.assert_allclose(blocks.wall_seconds(), walls, rtol=2.5e-4)
    np.testing.assert_allclose(blocks.cpu_seconds(), 0.9 * walls, rtol=5e-4)


# The files ---------------------------------------------------------------------------------------


def test_a_journal_returns_what_was_put_into_it(tmp_path):
    kept = Journal(tmp_path / "deep" / "numbers.gz", int)
    assert kept.read() == []
    for number in range(50):
        kept.append(number)
    assert kept.read() == list(range(50))


def test_a_journal_that_is_damaged_in_its_middle_is_refused(tmp_path):
    kept = Journal(tmp_path / "words.gz", str)
    kept.append("first")
    size = kept.path.stat().st_size
    kept.append("second")
    data = bytearray(kept.path.read_bytes())
    data[size // 2] ^= 0xFF
    kept.path.write_bytes(data)

    with pytest.raises(RecordError, match=r"words\.gz: damaged at byte 0"):
        kept.read()


def test_a_journal_of_another_kind_is_refused_with_the_number_of_the_record(tmp_path):
    Journal(tmp_path / "some.gz", int).append(1)
    with pytest.raises(RecordError, match=r"some\.gz, record 1: .*Expected `str`"):
        Journal(tmp_path / "some.gz", str).read()


def test_records_of_several_machines_are_not_mixed_unasked():
    both = [evidence.circumstances(), evidence.circumstances(cpu_model="Intel Xeon")]

    with pytest.raises(RecordError, match="2 machines") as refused:
        identity_of(both)
    assert "--machine" in refused.value.remedy
    assert identity_of(both, machine=1) == both[1].machine.identity()
    with pytest.raises(RecordError, match="no machine 2"):
        identity_of(both, machine=2)


def test_what_another_machine_recorded_is_not_counted_as_done_here(monkeypatch):
    batches = evidence.batches(names=("numpy_cache",), units=8)
    assert of_this_machine(batches) == []
    here = batches[0].about.machine
    monkeypatch.setattr("benchmarks.verdicts.entries.fingerprint", lambda environ: here)
    assert of_this_machine(batches) == batches


# What runs beside it -----------------------------------------------------------------------------


def test_burners_have_their_random_phases_and_leave_nothing_behind():
    first = list(islice(phases(7), 200))
    assert first == list(islice(phases(7), 200))
    assert {kind for kind, _ in first} == {"rest", "arithmetic", "memory"}
    assert all(0.01 <= seconds <= 1 for _, seconds in first)
    with burning():
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


# Runs of others, and whole ones ------------------------------------------------------------------


def test_pytest_benchmark_runs_as_itself_and_its_own_verdict_is_kept(project):
    quick = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=5")
    found = peer_runs.peer_run(folder=project, condition="quiet", workloads=[CACHE], options=quick)

    assert [(case.workload, case.level) for case in found.cases] == [
        ("numpy_cache", 0),
        ("numpy_cache", 5),
    ]
    assert found.exit_status == int(any(case.failed for case in found.cases))
    for case in found.cases:
        # Its own check is of head's mean over base's, to the last digit.
        assert case.failed == (case.means[1] / case.means[0] - 1 > 0.05)
        assert min(case.rounds) >= 5
        assert all(timings.min() > 0 for timings in case.timings())


def test_a_plain_run_is_kept_as_logarithms_with_its_calibration(project):
    found = stored_runs.stored_run(
        folder=project,
        condition="quiet",
        workloads=[CACHE],
        effort=Effort(units=1, unit_seconds=0.02),
    )

    assert [case.level for case in found.cases] == [0, 5]
    for case in found.cases:
        assert len(case.logs) == len(case.calibration) == 1
        assert -12 < case.logs[0] < 0
        assert -9 < case.calibration[0] < 0


def test_the_plugin_itself_judges_both_heads_against_base(tmp_path):
    folder = tmp_path / "project"
    live.write_repository(folder)
    wide = ("--costguard-allow=40%", "--costguard-catch=90%", "-W", "error")
    found = live.live_run(
        folder=folder, level=5, condition="quiet", workloads=[CACHE], options=wide
    )

    (case,) = found.cases
    assert (case.workload, found.exit_status) == ("numpy_cache", 0)
    assert case.verdict in ("unchanged", "inconclusive")
    assert case.units >= 6
    assert 0 < case.paired_seconds < case.seconds < found.seconds
    assert "ADDED = 5" in (folder / "depth.py").read_text()


def test_live_runs_are_taken_in_proportion_until_all_are_there():
    runs = []
    while (level := live.next_level(runs, unchanged=4, slower=2)) is not None:
        runs.append(evidence.live_run(level=level))
    assert [run.level for run in runs] == [0, 5, 0, 0, 5, 0]
