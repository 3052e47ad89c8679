from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.host.cpu import cpu_model, parse_cpuinfo

NEOVERSE = """processor\t: 0
BogoMIPS\t: 243.75
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""


def test_x86_is_named_by_its_model_name():
    text = "processor\t: 0\nmodel name\t: AMD EPYC 7R13\n\nprocessor\t: 1\nmodel name\t: other\n"
    assert parse_cpuinfo(text) == "AMD EPYC 7R13"


def test_arm64_is_named_by_its_numbers():
    assert parse_cpuinfo(NEOVERSE) == "ARM Neoverse-N1"


def test_an_arm64_model_that_is_not_listed_keeps_its_numbers():
    text = "CPU implementer : 0x77\nCPU part : 0xabc\n"
    assert parse_cpuinfo(text) == "implementer 0x77 part 0xabc"


def test_mixed_arm64_cores_are_all_named():
    text = (
        "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd05\n\n"
        "processor : 1\nCPU implementer : 0x41\nCPU part : 0xd0b\n"
    )
    assert parse_cpuinfo(text) == "ARM Cortex-A55 + ARM Cortex-A76"


def test_the_name_of_the_architecture_is_not_taken_for_a_model():
    text = "model name : ARMv8 Processor rev 1 (v8l)\nCPU implementer : 0x41\nCPU part : 0xd49\n"
    assert parse_cpuinfo(text) == "ARM Neoverse-N2"


def test_power_is_named_by_its_cpu_line():
    assert parse_cpuinfo("processor : 0\ncpu : POWER9, altivec supported\n").startswith("POWER9")


def test_macos_is_asked_through_sysctl(tree):
    asked: list[str] = []

    def sysctl(name: str) -> str:
        asked.append(name)
        return "Apple M2 Pro"

    assert cpu_model(tree({}), sysctl=sysctl) == "Apple M2 Pro"
    assert asked == ["machdep.cpu.brand_string"]


def test_a_machine_that_says_nothing_still_has_a_name(tree):
    assert cpu_model(tree({}), sysctl=lambda _: "")


@given(st.text())
def test_no_cpuinfo_makes_it_raise(text: str):
    parse_cpuinfo(text)
    parse_cpuinfo(f"CPU implementer : {text}\nCPU part : {text}\n")
