"""What tells a machine from the one whose price is asked for."""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib import resources

import pytest
from factories.money import machine, quote, target

from pytest_costguard.cost.hardware import architecture_of, mismatches

INTEL = {"provider": "aws", "instance": "c7i.2xlarge", "vcpu": 8, "memory_gib": Decimal(16)}
GRAVITON = {**INTEL, "instance": "c7g.2xlarge"}


@pytest.mark.parametrize(
    ("provider", "instance", "architecture"),
    [
        ("aws", "c7g.large", "arm64"),
        ("aws", "c6gn.large", "arm64"),
        ("aws", "x2gd.medium", "arm64"),
        ("aws", "g5g.xlarge", "arm64"),
        ("aws", "g5.xlarge", "x86_64"),
        ("aws", "g4dn.xlarge", "x86_64"),
        ("aws", "c7i.large", "x86_64"),
        ("azure", "Standard_D4ps_v5", "arm64"),
        ("azure", "Standard_D4s_v5", "x86_64"),
        ("gcp", "t2a-standard-4", "arm64"),
        ("gcp", "n2-standard-4", "x86_64"),
        ("github", "linux_4_core_arm", "arm64"),
        ("lambda", "gpu_1x_gh200", ""),
        (None, None, ""),
    ],
)
def test_an_instances_name_tells_its_architecture(provider, instance, architecture):
    assert architecture_of(provider, instance) == architecture


def test_of_the_bundled_instances_those_of_graviton_ampere_and_axion_are_arm():
    table = resources.files("pytest_costguard") / "_data" / "list_prices.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    arm = {
        row["instance"]
        for row in rows
        if architecture_of(row["provider"], row["instance"]) == "arm64"
    }
    assert arm == {
        *("c7g.large", "c7g.xlarge", "c7g.2xlarge", "c8g.large", "m8g.large", "g5g.xlarge"),
        *("t2a-standard-4", "c4a-standard-4", "linux_2_core_arm", "linux_4_core_arm"),
    }


@pytest.mark.parametrize("system", ["Linux 6.8.0 x86_64, Debian 12", "Windows 11 AMD64"])
def test_another_architecture_is_another_machine(system):
    (said,) = mismatches(target(quote=quote(**GRAVITON)), machine(os=system))
    assert said == "the target is a machine of arm64, this one is of x86_64"
    assert mismatches(target(quote=quote(**INTEL)), machine(os=system)) == ()


def test_a_system_that_names_no_architecture_is_not_compared_by_it():
    assert mismatches(target(quote=quote(**GRAVITON)), machine(os="Linux 6.8.0")) == ()


@pytest.mark.parametrize(
    ("gib", "matches"), [(15.4, True), (16.0, True), (12.0, True), (8.0, False), (23.5, False)]
)
def test_memory_that_the_instance_is_not_sold_with_is_another_machine(gib, matches):
    found = mismatches(target(quote=quote(**INTEL)), machine(memory_bytes=int(gib * 2**30)))
    assert (found == ()) is matches
    if not matches:
        assert found == (f"the target has 16 GiB of memory, this machine {gib:.3g}",)


def test_what_stands_for_the_target_is_not_compared():
    here = machine(os="Linux x86_64", memory_bytes=2**30, cores=1)
    assert mismatches(target(quote=quote(**GRAVITON), stands_for=True), here) == ()
