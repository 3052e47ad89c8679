from __future__ import annotations

import pytest

from pytest_costguard.host.gpus import GpuFacts, gpu_facts

NAMES = ["NVIDIA A", "NVIDIA B", "NVIDIA C"]


@pytest.mark.parametrize(
    ("visible", "models"),
    [
        (None, ("NVIDIA A", "NVIDIA B", "NVIDIA C")),
        ("1", ("NVIDIA B",)),
        ("2,0", ("NVIDIA C", "NVIDIA A")),
        (" 0 , 1 ", ("NVIDIA A", "NVIDIA B")),
        ("", ()),
        ("-1", ()),
        ("0,7,1", ("NVIDIA A",)),
        ("GPU-2a2b", ("NVIDIA C",)),
        ("GPU-", ()),
        ("nonsense", ()),
        ("MIG-one", ("NVIDIA A MIG 1g.10gb",)),
        ("MIG-two", ()),
    ],
)
def test_the_devices_are_those_that_cuda_shows(nvml, visible, models):
    module = nvml(names=NAMES, slices={"MIG-one": "NVIDIA A MIG 1g.10gb"})
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpu_facts(environ, nvml=module).models == models


def test_a_machine_without_a_driver_has_no_devices(nvml):
    assert gpu_facts({}, nvml=nvml(names=NAMES, has_driver=False)) == GpuFacts()


def test_names_that_come_as_bytes_are_text(nvml):
    facts = gpu_facts({}, nvml=nvml(names=["NVIDIA L4"], speaks_bytes=True))
    assert facts == GpuFacts(models=("NVIDIA L4",), driver="NVIDIA 550.54")


def test_nvml_is_stopped_again(nvml):
    module = nvml(names=NAMES)
    gpu_facts({}, nvml=module)
    assert module.started == 0
