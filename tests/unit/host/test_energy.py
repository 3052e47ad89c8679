from __future__ import annotations

from pytest_costguard.host.energy import EnergyMeter

RAPL = "sys/class/powercap/intel-rapl:"


def package(number: int, *, energy: int, name: str = "") -> dict[str, str]:
    return {
        f"{RAPL}{number}/name": f"{name or f'package-{number}'}\n",
        f"{RAPL}{number}/energy_uj": f"{energy}\n",
        f"{RAPL}{number}/max_energy_range_uj": "10000000\n",
    }


def test_joules_are_the_difference_of_the_package_counter(tree, nvml):
    root = tree(package(0, energy=1_000_000))
    meter = EnergyMeter.detect(root, nvml(has_driver=False))
    start = meter.start()
    tree(package(0, energy=3_500_000))
    assert meter.since(start) == (2.5, "RAPL (1 package)")


def test_a_counter_that_started_again_is_seen_through(tree, nvml):
    root = tree(package(0, energy=9_000_000))
    meter = EnergyMeter.detect(root, nvml(has_driver=False))
    start = meter.start()
    tree(package(0, energy=500_000))
    assert meter.since(start) == (1.5, "RAPL (1 package)")


def test_only_packages_count_and_each_only_once(tree, nvml):
    def zones(energy: int) -> dict[str, str]:
        return {
            **package(0, energy=energy),
            **package(1, energy=energy),
            **package(2, energy=energy, name="psys"),
            f"{RAPL}0:0/name": "core\n",
            f"{RAPL}0:0/energy_uj": f"{energy}\n",
            f"{RAPL}0:0/max_energy_range_uj": "10000000\n",
            "sys/class/powercap/intel-rapl-mmio:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl-mmio:0/energy_uj": f"{energy}\n",
            "sys/class/powercap/intel-rapl-mmio:0/max_energy_range_uj": "10000000\n",
        }

    meter = EnergyMeter.detect(tree(zones(0)), nvml(has_driver=False))
    start = meter.start()
    tree(zones(1_000_000))
    assert meter.since(start) == (2.0, "RAPL (2 packages)")


def test_a_package_that_may_not_be_read_is_not_measured(tree, nvml):
    root = tree(package(0, energy=1))
    counter = root / f"{RAPL}1/energy_uj"
    tree({f"{RAPL}1/name": "package-1\n", f"{RAPL}1/max_energy_range_uj": "9\n"})
    counter.mkdir()  # unreadable for everyone, root included
    meter = EnergyMeter.detect(root, nvml(has_driver=False))
    assert (meter.start(), meter.source) == (None, "")


def test_a_package_that_can_no_longer_be_read_gives_no_answer(tree, nvml):
    root = tree(package(0, energy=1))
    meter = EnergyMeter.detect(root, nvml(has_driver=False))
    start = meter.start()
    (root / f"{RAPL}0/energy_uj").unlink()
    assert meter.since(start) is None


def test_the_millijoules_of_all_visible_devices_are_summed(tree, nvml):
    module = nvml(names=["A", "B", "C"], millijoules=[1000, 2000, 3000])
    meter = EnergyMeter.detect(tree({}), module, environ={"CUDA_VISIBLE_DEVICES": "0,2"})
    start = meter.start()
    module.millijoules = [1500, 9000, 4000]
    assert meter.since(start) == (1.5, "NVML (2 GPUs)")


def test_device_and_package_are_added_and_both_named(tree, nvml):
    module = nvml(names=["A"], millijoules=[0])
    meter = EnergyMeter.detect(tree(package(0, energy=0)), module, environ={})
    start = meter.start()
    module.millijoules = [2000]
    tree(package(0, energy=1_000_000))
    assert meter.since(start) == (3.0, "NVML (1 GPU) + RAPL (1 package)")


def test_a_device_that_keeps_no_count_is_not_measured(tree, nvml):
    meter = EnergyMeter.detect(tree({}), nvml(names=["old"]), environ={})
    assert meter.since(meter.start()) is None


def test_a_device_counter_that_went_back_gives_no_answer(tree, nvml):
    module = nvml(names=["A"], millijoules=[5000])
    meter = EnergyMeter.detect(tree({}), module, environ={})
    start = meter.start()
    module.millijoules = [10]
    assert meter.since(start) is None


def test_a_machine_without_counters_gives_no_answer(tree, nvml):
    meter = EnergyMeter.detect(tree({}), nvml(has_driver=False))
    assert meter.since(meter.start()) is None


def test_this_machine_answers_with_joules_or_not_at_all():
    meter = EnergyMeter.detect()
    measured = meter.since(meter.start())
    assert measured is None or measured[0] >= 0
