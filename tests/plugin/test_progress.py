"""What a person who waits is told: about how long, how far, and what is not decided."""

from __future__ import annotations

import pytest

from pytest_costguard.app.estimates import Estimate
from pytest_costguard.app.progress import duration, in_words
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.plugin.progress import ProgressLine


class Terminal:
    """Stands for pytest's terminal reporter, and keeps what it is told."""

    def __init__(self, *, isatty=False):
        self.isatty = isatty
        self.lines = []
        self.rewritten = []
        self._tw = type("Writer", (), {"fullwidth": 60})

    def write_line(self, text):
        self.lines.append(text)

    def rewrite(self, text, *, erase):
        self.rewritten.append(text)

    def ensure_newline(self):
        """Nothing was left open."""


def progress(*, unit=6, units=10, share=0.5, elapsed=30.0, until="look", undecided=(), **more):
    return Progress(
        unit=unit,
        units=units,
        doing="tests/test_a.py::test_a, mean +0.4 % after 6 of 10 units",
        share=share,
        elapsed_seconds=elapsed,
        until=until,
        undecided=undecided,
        **more,
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (progress(), "costguard: unit 7/10, about 30 s to the next look"),
        (progress(until="end", elapsed=600.0), "costguard: unit 7/10, about 10 min left"),
        (progress(share=0.0), "costguard: unit 7/10"),
        (
            progress(stage="memory", until="end"),
            (
                "costguard: memory and cold start of workloads that shared a process, each alone,"
                " 7/10, about 30 s left"
            ),
        ),
    ],
)
def test_where_it_is_and_how_long_is_told(step, said):
    assert in_words(step) == said


@pytest.mark.parametrize(("seconds", "said"), [(12.4, "12 s"), (99.4, "99 s"), (130.0, "2 min")])
def test_lengths_of_time_are_as_a_person_says_them(seconds, said):
    assert duration(seconds) == said


def test_in_a_log_each_unit_has_a_line_and_a_look_names_what_is_not_decided():
    terminal = Terminal()
    line = ProgressLine(terminal, quiet=False)
    line(progress(unit=5))
    line(progress(unit=5))
    line(progress(unit=6, undecided=("a.py::a: mean +3.1 % after 6 of 10 units",)))
    assert terminal.lines == [
        "costguard: unit 6/10, about 30 s to the next look",
        "costguard: unit 7/10, about 30 s to the next look",
        "costguard:   not decided: a.py::a: mean +3.1 % after 6 of 10 units",
    ]


def test_of_many_workloads_a_log_names_ten():
    terminal = Terminal()
    undecided = tuple(f"a.py::t{number}: mean +3 %" for number in range(14))
    ProgressLine(terminal, quiet=False)(progress(undecided=undecided))
    assert len(terminal.lines) == 12
    assert terminal.lines[-1] == "costguard:   and 4 more"


def test_on_a_terminal_one_line_is_rewritten_and_names_the_workload():
    terminal = Terminal(isatty=True)
    line = ProgressLine(terminal, quiet=False)
    line(progress())
    line.close()
    shown, erased = terminal.rewritten
    assert len(shown) == 59
    assert shown.startswith("costguard: unit 7/10")
    assert erased == ""
    assert terminal.lines == []


def test_before_the_start_it_says_about_how_long_it_takes():
    terminal = Terminal()
    known = Estimate(seconds=27.0, without_load=False)
    ProgressLine(terminal, quiet=False).announce(tests=3, estimate=known)
    assert terminal.lines[-1] == (
        "costguard: measuring 3 tests in fresh processes, about 27 s, and more for slow workloads"
    )


def test_before_the_start_it_says_where_load_is_not_counted():
    terminal = Terminal()
    unknown = Estimate(seconds=27.0, without_load=True)
    ProgressLine(terminal, quiet=False).announce(tests=1, estimate=unknown)
    assert terminal.lines[-1] == (
        "costguard: measuring 1 test in fresh processes, about 27 s, and more for slow workloads"
        " and for load (scenario='server' or 'max_rate'): the first unit tells"
    )


def test_a_quiet_session_is_told_nothing():
    terminal = Terminal()
    line = ProgressLine(terminal, quiet=True)
    line.announce(tests=1, estimate=Estimate(seconds=1.0, without_load=False))
    line(progress())
    assert terminal.lines == terminal.rewritten == []
