"""Each rule says what it should where it should, and nothing is made up where nothing is told."""

from __future__ import annotations

from typing import Any

import pytest
from factories.doctor import disturbed, machine, same_twice

from pytest_costguard.app.mending import RULES, Grounds, findings
from pytest_costguard.records import Disturbed, Pairing


def grounds(
    *,
    facts: dict[str, Any] | None = None,
    seen: dict[str, Any] | None = None,
    workload: dict[str, Any] | None = None,
    not_measured: tuple[str, ...] = (),
) -> Grounds:
    return Grounds(
        machine=machine(**(facts or {})),
        disturbed=disturbed(**(seen or {})),
        workloads=(same_twice(**(workload or {})),),
        not_measured=not_measured,
    )


CASES: dict[str, tuple[Grounds, str]] = {
    "sides_differ": (grounds(workload={"differs": True, "change": 0.05}), "differ by +5.1 %"),
    "not_measured": (grounds(not_measured=("a.py::t: it died",)), "Not measured: a.py::t: it died"),
    "steal": (grounds(seen={"steal": 0.12}), "The hypervisor took 12 % of the time."),
    "throttling": (grounds(seen={"throttled": 0.034}), "held it back for 3.4 % of the time"),
    "waiting": (grounds(seen={"run_queue_wait": 0.3}), "waiting for a core 30 % of the time"),
    "idle_threads": (grounds(seen={"idle_cpu": 0.95}), "used a core for 95 % of the time"),
    "load": (grounds(facts={"load_average": 6.0}), "the load was 6 on 8 usable cores"),
    "one_core": (grounds(facts={"usable_cores": 1}), "one core to measure on"),
    "pinning": (grounds(facts={"unpinned": "it was refused"}), "held to a core: it was refused."),
    "clock_source": (grounds(facts={"clock_source": "hpet"}), "tells the time by hpet"),
    "cpu_time": (grounds(facts={"cpu_time_step_seconds": 0.004}), "told in steps of 4 ms"),
    "in_turns": (
        grounds(workload={"pairing": Pairing(kind="restart", reason="threads were busy")}),
        "in turns: threads were busy",
    ),
    "switches": (grounds(seen={"switches_a_second": 400.0}), "interrupted 400 times a second"),
    "governor": (
        grounds(facts={"governors": ("performance", "powersave")}),
        "governor performance, powersave",
    ),
    "turbo": (grounds(facts={"turbo": True}), "Turbo is on"),
    "smt": (grounds(facts={"smt": True}), "SMT is on"),
    "quota": (grounds(facts={"quota_cores": 1.5}), "CPU quota of 1.5 cores"),
    "schedule_statistics": (
        grounds(seen={"run_queue_wait": None}),
        "does not tell how long a process waits",
    ),
    "virtual": (grounds(facts={"virtual": True}), "virtual machine"),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_alone_says_what_was_found_and_what_to_do(rule):
    situation, words = CASES[rule]
    (found,) = findings(situation)
    assert found.rule == rule
    assert words in found.finding
    assert len(found.remedy) > 15
    assert 0 < found.gain <= 1


def test_every_rule_has_a_case():
    assert set(CASES) == {rule.name for rule in RULES}


def test_a_quiet_machine_has_nothing_to_mend():
    assert findings(grounds()) == ()


def test_what_a_machine_does_not_tell_is_no_finding():
    silent = machine(
        smt=None, governors=(), turbo=None, virtual=None, clock_source="", load_average=None
    )
    assert findings(Grounds(machine=silent, disturbed=Disturbed())) == ()


def test_the_greatest_gain_comes_first():
    both = grounds(facts={"turbo": True, "virtual": True}, seen={"steal": 0.05, "throttled": 0.2})
    found = findings(both)
    assert [one.rule for one in found] == ["throttling", "steal", "turbo"]
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)


def test_more_steal_is_a_greater_gain():
    little, much = (findings(grounds(seen={"steal": share}))[0].gain for share in (0.03, 0.2))
    assert little < much


def test_a_load_that_kept_it_waiting_is_told_once():
    busy = grounds(
        facts={"load_average": 9.0}, seen={"run_queue_wait": 0.3, "switches_a_second": 400.0}
    )
    assert [one.rule for one in findings(busy)] == ["waiting"]


def test_a_quota_that_bites_is_told_as_throttling_only():
    bitten = grounds(facts={"quota_cores": 1.0}, seen={"throttled": 0.1})
    assert [one.rule for one in findings(bitten)] == ["throttling"]
