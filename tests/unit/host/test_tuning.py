from __future__ import annotations

import pytest

from pytest_costguard.host.tuning import Tuning, cpu_pressure

CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"


def test_a_machine_that_tells_everything_is_read(tree):
    root = tree(
        {
            f"{CPU}/smt/active": "1\n",
            f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
            f"{CPU}/cpu10/cpufreq/scaling_governor": "performance\n",
            f"{CPU}/intel_pstate/no_turbo": "0\n",
            "proc/cpuinfo": "processor : 0\nflags\t\t: fpu sse2 hypervisor avx2\n",
            CLOCK: "kvm-clock\n",
        }
    )
    assert Tuning.read(root) == Tuning(
        smt=True,
        governors=("performance", "powersave"),
        turbo=True,
        virtual=True,
        clock_source="kvm-clock",
    )


def test_a_machine_that_tells_nothing_is_not_guessed_at(tmp_path):
    silent = Tuning(smt=None, governors=(), turbo=None, virtual=None, clock_source="")
    assert Tuning.read(tmp_path) == silent


@pytest.mark.parametrize(("siblings", "smt"), [("0-1\n", True), ("0,4\n", True), ("0\n", False)])
def test_smt_is_told_by_the_siblings_where_the_kernel_has_no_word_for_it(tree, siblings, smt):
    assert Tuning.read(tree({f"{CPU}/cpu0/topology/thread_siblings_list": siblings})).smt is smt


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "1\n"}, False),
        ({"cpufreq/boost": "1\n"}, True),
        ({"cpufreq/boost": "0\n"}, False),
        ({"cpufreq/boost": "perhaps\n"}, None),
        ({"intel_pstate/no_turbo": "1\n", "cpufreq/boost": "1\n"}, False),
    ],
)
def test_turbo_is_told_by_either_driver(tree, files, turbo):
    root = tree({f"{CPU}/{name}": text for name, text in files.items()})
    assert Tuning.read(root).turbo is turbo


def test_bare_metal_has_no_hypervisor_flag(tree):
    assert Tuning.read(tree({"proc/cpuinfo": "flags : fpu sse2\n"})).virtual is False


def test_an_architecture_without_flags_does_not_tell_whether_it_is_virtual(tree):
    assert Tuning.read(tree({"proc/cpuinfo": "CPU implementer : 0x41\n"})).virtual is None


def test_a_garbled_governor_is_not_shown(tree):
    root = tree({f"{CPU}/cpu0/cpufreq/scaling_governor": "\x1b[31mred\n"})
    assert Tuning.read(root).governors == ()


def test_folders_that_are_no_cores_are_passed(tree):
    root = tree({f"{CPU}/cpufreq/cpufreq/scaling_governor": "schedutil\n"})
    assert Tuning.read(root).governors == ()


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00\n", 0.125),
        ("some avg10=high avg60=1.00\n", None),
        ("", None),
    ],
)
def test_pressure_is_the_share_of_the_last_ten_seconds(tree, text, share):
    assert cpu_pressure(tree({"proc/pressure/cpu": text})) == share
