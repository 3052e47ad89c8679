"""Recording a baseline in several sessions, with sessions that only pretend."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from factories.baselines import baseline_run

from pytest_costguard.app.recording import record, start_process, start_quietly
from pytest_costguard.app.stores import store_of
from pytest_costguard.errors import ConfigError, StoreError


@dataclass
class Sessions:
    """Stands for pytest: each session saves a run, until one fails."""

    rootdir: Path
    failing: int = 0
    saving: bool = True
    commands: list[list[str]] = field(default_factory=list)

    def __call__(self, command):
        self.commands.append(list(command))
        number = len(self.commands)
        if number == self.failing:
            return 3
        if self.saving:
            store_of(self.rootdir).add("main", baseline_run(f"r{number}"))
        return 0


def recorded(sessions, runs=3, arguments=()):
    how = {"start": sessions, "start_again": sessions}
    return record(
        "main",
        runs=runs,
        arguments=arguments,
        rootdir=sessions.rootdir,
        store=store_of(sessions.rootdir),
        **how,
    )


def test_every_run_is_a_session_of_its_own(tmp_path):
    sessions = Sessions(tmp_path)
    done = recorded(sessions)
    assert (done.runs, done.exit_code) == (3, 0)
    assert len(store_of(tmp_path).series("main")) == 3


def test_a_session_measures_saves_and_neither_compares_nor_gates(tmp_path):
    sessions = Sessions(tmp_path)
    recorded(sessions, runs=1, arguments=["tests/perf", "-k", "rerank"])
    assert sessions.commands == [
        [
            sys.executable,
            "-m",
            "pytest",
            "--costguard",
            "--costguard-save=main",
            "--costguard-baseline=none",
            "--costguard-fail-on=never",
            "tests/perf",
            "-k",
            "rerank",
        ]
    ]


def test_recording_stops_at_a_failure_and_keeps_what_there_is(tmp_path):
    sessions = Sessions(tmp_path, failing=3)
    done = recorded(sessions, runs=8)
    assert (done.runs, done.exit_code) == (2, 3)
    assert len(sessions.commands) == 3
    assert len(store_of(tmp_path).series("main")) == 2


def test_a_session_that_failed_after_saving_counts_what_it_saved(tmp_path):
    sessions = Sessions(tmp_path)

    def failing_late(command):
        return sessions(command) or 1

    done = record(
        "main", runs=8, arguments=(), rootdir=tmp_path, store=store_of(tmp_path), start=failing_late
    )
    assert (done.runs, done.sessions, done.exit_code) == (1, 1, 1)


def test_sessions_that_save_nothing_are_not_called_recorded(tmp_path):
    with pytest.raises(StoreError, match="saved nothing here"):
        recorded(Sessions(tmp_path, saving=False))


def test_progress_is_told_before_each_session(tmp_path):
    told = []
    sessions = Sessions(tmp_path)
    record(
        "main",
        runs=2,
        arguments=(),
        rootdir=tmp_path,
        store=store_of(tmp_path),
        start=sessions,
        start_again=sessions,
        progress=lambda number, of: told.append((number, of, len(sessions.commands))),
    )
    assert told == [(1, 2, 0), (2, 2, 1)]


@pytest.mark.parametrize("runs", [0, -1])
def test_no_runs_cannot_be_recorded(tmp_path, runs):
    with pytest.raises(ConfigError, match="cannot record"):
        recorded(Sessions(tmp_path), runs=runs)


@pytest.mark.parametrize("start", [start_process, start_quietly])
def test_the_exit_code_of_a_process_comes_back(start):
    assert start([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.mark.parametrize(("code", "shown"), [(0, ""), (1, "said\n")])
def test_a_quiet_session_is_shown_where_it_fails(code, shown, capfd):
    start_quietly([sys.executable, "-c", f"print('said'); raise SystemExit({code})"])
    assert capfd.readouterr().out.replace("\r", "") == shown
