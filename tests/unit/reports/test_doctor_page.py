"""The doctor's page: whole pages that a person has looked at, and sentences that must be there.

Refresh the pages with COSTGUARD_REFRESH_GOLDEN=1, and look at what changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from factories.doctor import disturbed, doctor_report, finding, machine, same_twice

from pytest_costguard.records import DoctorReport, Fingerprint
from pytest_costguard.reports.doctor_page import render_doctor, spread_word

GOLDEN = Path(__file__).parents[2] / "fixtures" / "doctor_pages"


def noisy() -> DoctorReport:
    """A shared virtual machine with two workloads and something to mend."""
    return doctor_report(
        machine=machine(virtual=True, governors=(), turbo=None, load_average=3.2),
        disturbed=disturbed(steal=0.12, throttled=None),
        workloads=(
            same_twice(),
            same_twice(
                workload="tests/test_search.py::test_rerank[large-batch-of-documents]",
                built_in=False,
                seconds_a_unit=5.5,
                request_seconds=0.21,
                spread=0.08,
                run_shared=0.2,
            ),
        ),
        findings=(finding(0.64), finding(0.1)),
        not_measured=("tests/test_a.py::test_b: it died",),
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("name", "made"), [("quiet", doctor_report), ("noisy", noisy)])
def test_the_page_is_as_a_person_has_seen_it(name, made, width):
    text = render_doctor(made(), width=width)
    path = GOLDEN / f"{name}-{width}.txt"
    if os.environ.get("COSTGUARD_REFRESH_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, render_doctor(noisy(), width=width).splitlines())) <= width


def test_sides_that_differ_are_the_first_thing_that_is_said():
    report = doctor_report(workloads=(same_twice(differs=True, change=0.05),))
    first = render_doctor(report).splitlines()[0]
    assert first.startswith("✗ something is wrong: both sides of products_in_cache")


def test_colour_adds_nothing_but_colour():
    import re

    coloured = render_doctor(noisy(), colour=True)
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == render_doctor(noisy()).splitlines()


def test_what_the_machine_does_not_tell_is_said_to_be_not_told():
    silent = machine(
        smt=None, governors=(), turbo=None, virtual=None, clock_source="", quota_told=False
    )
    text = render_doctor(doctor_report(machine=silent), width=120)
    assert "hypervisor not told here" in text
    assert "SMT not told here; CPU quota not told here" in text
    assert "governor not told here; turbo not told here; time by a source not told here" in text


def test_what_a_foreign_processor_calls_itself_does_not_steer_the_terminal():
    strange = Fingerprint(cpu_model="\x1b[31mred", cores=1, memory_bytes=1)
    assert "\x1b" not in render_doctor(doctor_report(machine=machine(fingerprint=strange)))


@pytest.mark.parametrize(
    ("share", "word"), [(0.0057, "0.6%"), (0.006, "0.6%"), (0.0, "0.1%"), (0.159, "15.9%")]
)
def test_the_spread_is_rounded_up_as_the_configuration_takes_it(share, word):
    assert spread_word(share) == word
