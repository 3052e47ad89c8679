"""What is measured again is bounded in time, and what is not is named."""

from __future__ import annotations

import os

import msgspec
import pytest
from factories.git_repositories import GitProject
from factories.judged import head, judged, series
from factories.judging import WORKLOAD, baseline, gates, regression

from pytest_costguard.app.escalation import Means, SecondMeasuring
from pytest_costguard.app.stores import store_of
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.config.cascade import resolve
from pytest_costguard.engine.launch import Side
from pytest_costguard.records import Baseline, Commit


def measuring(folder, earlier: Baseline, *, times=(0.0, 0.0)) -> SecondMeasuring:
    """A second look at one workload, by a clock that says these times."""
    ticks = iter(times)
    return SecondMeasuring(
        means=Means(
            settings=resolve(cli={}, environ={}, rootdir=folder),
            side=Side(name="head", rootdir=folder, invocation_dir=folder, environ=dict(os.environ)),
            pricing=PricedSetup(target=None, problem="no price", digest=""),
            tests=(),
            labels={},
            gates={},
            open_store=lambda: store_of(folder),
            pythonpath=(),
            progress=lambda _: None,
            tell=lambda _: None,
        ),
        report=judged(head(), earlier, gates=gates(regression())),
        announce=lambda what: pytest.fail(f"nothing was to be measured: {what}"),
        clock=lambda: next(ticks),
    )


def of_commit(sha: str) -> Baseline:
    """One stored run of a commit: what it says of an unchanged head is inconclusive."""
    (run,) = series(runs=1).runs
    return baseline(msgspec.structs.replace(run, commit=Commit(sha=sha)))


def test_what_the_suite_has_no_time_for_is_named(tmp_path):
    sha = GitProject(tmp_path).commit({"a.py": ""})
    second = measuring(tmp_path, of_commit(sha), times=(0.0, 901.0))

    second.run()

    assert second.record().refused == {
        str(WORKLOAD): "no time was left for it (--costguard-suite-time)"
    }
    assert second.record().complete
    assert second.record().looks == ()


def test_nothing_in_doubt_asks_for_no_checkout(tmp_path):
    second = measuring(tmp_path / "nowhere", series(runs=8))

    second.run()

    assert second.record().refused == {}
    assert second.record().complete
    assert second.failures == []
