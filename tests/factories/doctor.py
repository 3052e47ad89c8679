"""What a doctor may have found, with any part replaced."""

from __future__ import annotations

from typing import Any

import msgspec

from pytest_costguard.app.doctor import SECONDS, visible
from pytest_costguard.records import (
    Disturbed,
    DoctorReport,
    Finding,
    Fingerprint,
    MachineFacts,
    Pairing,
    SameTwice,
)


def machine(**changes: Any) -> MachineFacts:
    """A quiet machine with nothing to mend."""
    facts = MachineFacts(
        fingerprint=Fingerprint(
            cpu_model="Example CPU @ 3 GHz",
            cores=8,
            memory_bytes=2**34,
            os="Linux 6.1 x86_64, Debian GNU/Linux 12",
            python="CPython 3.12.1",
        ),
        usable_cores=8,
        smt=False,
        governors=("performance",),
        turbo=False,
        virtual=False,
        clock_source="tsc",
        load_average=0.1,
        cpu_pressure=0.0,
    )
    return msgspec.structs.replace(facts, **changes)


def disturbed(**changes: Any) -> Disturbed:
    """Nothing disturbed it."""
    quiet = Disturbed(
        run_queue_wait=0.001, steal=0.0, throttled=0.0, idle_cpu=0.0, switches_a_second=2.0
    )
    return msgspec.structs.replace(quiet, **changes)


def same_twice(**changes: Any) -> SameTwice:
    """A workload of 1 ms that shows no difference from itself."""
    workload = SameTwice(
        workload="test_same_twice.py::test_products_in_cache",
        built_in=True,
        units=12,
        seconds_a_unit=1.2,
        seconds_a_run=0.8,
        request_seconds=0.00101,
        pairing=Pairing(kind="alternating", reason="a request takes 1.01 ms"),
        spread=0.005,
        change=0.001,
        lower=-0.002,
        upper=0.004,
        order_effect=0.004,
        differs=False,
        run_shared=0.004,
        run_own=0.01,
    )
    return msgspec.structs.replace(workload, **changes)


def doctor_report(**changes: Any) -> DoctorReport:
    """The report on one workload; `visible` follows from the workloads."""
    workloads = changes.pop("workloads", (same_twice(),))
    report = DoctorReport(
        tool_version="0.1.0",
        machine=machine(),
        disturbed=disturbed(),
        workloads=workloads,
        visible=tuple(visible(one, seconds=s, gates=2) for one in workloads for s in SECONDS),
        runner_spread=0.0057,
        run_units=6,
        allow=0.02,
        gates=2,
        findings=(),
        seconds=31.4,
    )
    return msgspec.structs.replace(report, **changes)


def finding(gain: float = 0.5) -> Finding:
    """One thing to mend."""
    return Finding(
        rule="steal",
        finding="The hypervisor took 12 % of the time.",
        remedy="Use a dedicated or bare-metal runner.",
        gain=gain,
    )
