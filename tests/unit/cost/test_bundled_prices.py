from __future__ import annotations

import datetime as dt
import importlib.resources
from collections import defaultdict
from decimal import Decimal

import pytest
from factories.money import TODAY

from pytest_costguard.cost.hardware import same_gpu
from pytest_costguard.cost.prices import COLUMNS, PriceTable, parse


@pytest.fixture(scope="module")
def text() -> str:
    resource = importlib.resources.files("pytest_costguard") / "_data" / "list_prices.csv"
    return resource.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bundled(text) -> PriceTable:
    return parse(text, "bundled", today=TODAY, complete=True)


def test_the_bundled_table_is_sound_dated_sourced_and_of_the_documented_columns(text, bundled):
    assert tuple(text.splitlines()[0].split(",")) == COLUMNS
    assert len(bundled.quotes) == len(text.splitlines()) - 1
    assert all(quote.as_of >= dt.date(2026, 1, 1) for quote in bundled.quotes.values())


def test_every_source_is_an_address_that_a_person_can_open(bundled):
    assert all(quote.source.startswith("https://") for quote in bundled.quotes.values())


def test_an_instance_has_the_same_hardware_in_every_region(bundled):
    hardware = defaultdict(set)
    for (provider, instance, *_), quote in bundled.quotes.items():
        hardware[provider, instance].add(
            (quote.vcpu, quote.memory_gib, quote.accelerator, quote.accelerator_count)
        )
    assert all(len(kinds) == 1 for kinds in hardware.values())


def test_prices_of_one_instance_differ_little_between_regions(bundled):
    prices = defaultdict(list)
    for (provider, instance, *_), quote in bundled.quotes.items():
        prices[provider, instance].append(quote.usd_per_hour)
    assert all(max(of_one) <= min(of_one) * Decimal("1.5") for of_one in prices.values())


def test_a_gpu_costs_more_than_the_same_host_without_it(bundled):
    host = bundled.find("gcp:n1-standard-4:us-central1")
    assert bundled.find("gcp:n1-standard-4+1xT4:us-central1").usd_per_hour > host.usd_per_hour
    assert bundled.find("gcp:a2-highgpu-1g:us-central1").usd_per_hour > 2


def test_known_prices_are_as_published(bundled):
    assert bundled.find("aws:g5.xlarge:us-east-1").usd_per_hour == Decimal("1.006")
    assert bundled.find("azure:Standard_D4s_v5:eastus").usd_per_hour == Decimal("0.192")
    per_minute = bundled.find("github:linux_4_core:all", "per_minute_rounded_up").usd_per_hour
    assert per_minute / 60 == Decimal("0.012")


@pytest.mark.parametrize(
    ("key", "device"),
    [
        ("aws:g4dn.xlarge:us-east-1", "Tesla T4"),
        ("aws:g5g.xlarge:us-east-1", "NVIDIA T4G"),
        ("aws:g5.xlarge:us-east-1", "NVIDIA A10G"),
        ("aws:p3.2xlarge:us-east-1", "Tesla V100-SXM2-16GB"),
        ("aws:p4d.24xlarge:us-east-1", "NVIDIA A100-SXM4-40GB"),
        ("aws:p4de.24xlarge:us-east-1", "NVIDIA A100-SXM4-80GB"),
        ("aws:p5.48xlarge:us-east-1", "NVIDIA H100 80GB HBM3"),
        ("aws:p5en.48xlarge:us-east-1", "NVIDIA H200"),
        ("azure:Standard_NC24ads_A100_v4:eastus", "NVIDIA A100 80GB PCIe"),
        ("azure:Standard_NC40ads_H100_v5:eastus", "NVIDIA H100 NVL"),
        ("azure:Standard_NV36ads_A10_v5:eastus", "NVIDIA A10-24Q"),
        ("gcp:a2-highgpu-1g:us-central1", "NVIDIA A100-SXM4-40GB"),
        ("lambda:gpu_1x_h100_sxm5:all", "NVIDIA H100 80GB HBM3"),
        ("lambda:gpu_1x_gh200:all", "NVIDIA GH200 480GB"),
        ("runpod:RTX 4090 (secure):all", "NVIDIA GeForce RTX 4090"),
    ],
)
def test_the_drivers_name_of_a_priced_gpu_is_recognised(bundled, key, device):
    assert same_gpu(bundled.find(key).accelerator, device)


@pytest.mark.parametrize(
    ("declared", "device"),
    [
        ("NVIDIA T4", "NVIDIA T4G"),
        ("NVIDIA A10", "NVIDIA A10G"),
        ("NVIDIA L4", "NVIDIA L40S"),
        ("NVIDIA A100-80GB", "NVIDIA A100-SXM4-40GB"),
        ("NVIDIA A100-80GB SXM", "NVIDIA A100 80GB PCIe"),
        ("NVIDIA H100 SXM", "NVIDIA H100 PCIe"),
        ("NVIDIA H100 SXM5", "NVIDIA H100 NVL"),
        ("NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100", "NVIDIA H200"),
        ("NVIDIA", "NVIDIA H200"),
        ("", "NVIDIA H200"),
    ],
)
def test_another_gpu_is_not_taken_for_it(declared, device):
    assert not same_gpu(declared, device)
