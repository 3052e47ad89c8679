"""Which runs are compared with which."""

from __future__ import annotations

import datetime as dt
import math

import msgspec
import pytest
from factories.baselines import EMBED, EPYC, NOON, RERANK, XEON, baseline_run, stored

from pytest_costguard.baselines.series import (
    by_hardware,
    expired,
    hardware_name,
    replacement,
    select,
    summaries,
)


def ids(runs):
    return [run.run_id for run in runs]


def test_only_runs_on_the_same_hardware_are_selected_and_the_others_described():
    runs = [
        baseline_run("b", hours=1),
        baseline_run("x", fingerprint=XEON),
        baseline_run("a"),
        baseline_run("y", hours=30, fingerprint=XEON),
    ]
    found = select(runs, EPYC, name="main", location="here")
    assert ids(found.runs) == ["a", "b"]
    assert found.other_series == ("2 runs on Intel Xeon 8370C, 2 cores (last 2025-03-02)",)


def test_a_baseline_from_elsewhere_only_has_no_runs_and_says_what_there_is():
    found = select([baseline_run()], XEON, name="main", location="here")
    assert found.runs == ()
    assert found.other_series == (
        "1 run on AMD EPYC 7763, 4 cores, 1 x NVIDIA L4 (last 2025-03-01)",
    )


@pytest.mark.parametrize(
    "change", [{"cpu_model": "other"}, {"cores": 8}, {"gpus": ()}, {"gpus": ("NVIDIA L4",) * 2}]
)
def test_other_hardware_is_another_series(change):
    other = msgspec.structs.replace(EPYC, **change)
    assert len(by_hardware([baseline_run("a"), baseline_run("b", fingerprint=other)])) == 2


@pytest.mark.parametrize(
    "change", [{"python": "3.13"}, {"driver": "560"}, {"memory_bytes": 1}, {"packages": {}}]
)
def test_other_software_is_the_same_series(change):
    other = msgspec.structs.replace(EPYC, **change)
    assert len(by_hardware([baseline_run("a"), baseline_run("b", fingerprint=other)])) == 1


def test_no_runs_are_no_series():
    assert select([], EPYC, name="main", location="here").runs == ()


def test_selected_times_all_have_a_zone_so_that_they_can_be_ordered():
    naive = msgspec.structs.replace(baseline_run("n"), created=dt.datetime(2025, 3, 1, 11))
    found = select([baseline_run("a"), naive], EPYC, name="main", location="here")
    assert ids(sorted(found.runs, key=lambda run: run.created)) == ["n", "a"]


def test_hardware_counts_equal_gpus():
    two = msgspec.structs.replace(EPYC, cores=1, gpus=("NVIDIA L4", "NVIDIA L4"))
    assert hardware_name(two) == "AMD EPYC 7763, 1 core, 2 x NVIDIA L4"


def test_a_new_run_replaces_what_it_measured_and_trims_the_rest():
    old = baseline_run("old", workloads=(stored(RERANK), stored(EMBED)))
    whole = baseline_run("whole", workloads=(stored(RERANK),))
    change = replacement([old, whole], [baseline_run("new", workloads=(stored(RERANK),))])
    assert ids(change.dropped) == ["whole"]
    assert [(run.run_id, run.workloads) for run in change.trimmed] == [("old", (stored(EMBED),))]


def test_a_new_run_elsewhere_replaces_nothing():
    change = replacement([baseline_run("old")], [baseline_run("new", fingerprint=XEON)])
    assert (change.dropped, change.trimmed) == ((), ())


def test_the_last_runs_of_each_hardware_are_kept():
    runs = [baseline_run(f"e{hour}", hours=hour) for hour in range(3)]
    runs += [baseline_run(f"x{hour}", hours=hour, fingerprint=XEON) for hour in range(2)]
    assert ids(expired(runs, keep=1, now=NOON)) == ["e0", "x0", "e1"]


def test_runs_expire_by_age():
    runs = [baseline_run("old"), baseline_run("new", hours=48)]
    now = NOON + dt.timedelta(hours=49)
    assert ids(expired(runs, older_than=dt.timedelta(days=2), now=now)) == ["old"]


def test_nothing_expires_without_a_reason():
    assert expired([baseline_run()], now=NOON) == ()


def test_a_summary_is_the_mean_over_runs_and_their_spread():
    runs = [
        baseline_run("a", workloads=(stored(mean=(1.0, 3.0)), stored(EMBED, mean=(5.0,)))),
        baseline_run("b", workloads=(stored(mean=(2.0 * math.e,)),)),
    ]
    first, second = summaries(runs)
    assert (first.workload, first.runs, second.runs) == (RERANK, 2, 1)
    assert first.figures["mean"] == pytest.approx(1 + math.e)
    assert first.spread == pytest.approx(1 / math.sqrt(2))
    assert second.spread is None
