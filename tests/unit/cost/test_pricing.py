from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from factories.money import TODAY

from pytest_costguard.app.pricing import TargetSettings, load_table, resolve_target
from pytest_costguard.config.model import DeclaredTarget
from pytest_costguard.cost.prices import PriceTable
from pytest_costguard.errors import PriceError
from pytest_costguard.host.cloud import DetectedMachine
from pytest_costguard.records import Currency

KEY = "aws:g5.xlarge:us-east-1"
PROD = DeclaredTarget(name="prod", instance=KEY, origin="pyproject.toml targets.prod")
OTHER = DeclaredTarget(name="other", usd_per_hour=Decimal(2), origin="pyproject.toml")
RUNNER = DetectedMachine(provider="aws", instance="c7i.large", region="us-east-1", how="a test")


@pytest.fixture(scope="module")
def table() -> PriceTable:
    return load_table(None, TODAY)


def declared(*targets: DeclaredTarget, **more) -> TargetSettings:
    return TargetSettings(declared={one.name: one for one in targets}, **more)


def changed(target: DeclaredTarget, **changes) -> DeclaredTarget:
    return dataclasses.replace(target, **changes)


def test_nothing_said_is_no_target_and_no_problem(table):
    assert resolve_target(TargetSettings(), table, None) == (None, "")


def test_a_price_on_the_command_line_wins_over_everything(table):
    said = declared(PROD, name="prod", price_usd_per_hour=Decimal("0.5"))
    target, problem = resolve_target(said, table, RUNNER)
    assert (target.origin, target.quote.usd_per_hour, problem) == ("price", Decimal("0.5"), "")


def test_a_named_target_keeps_who_named_it_and_the_currency(table):
    euros = Currency(code="EUR", per_usd=Decimal("0.9"))
    said = declared(PROD, OTHER, name="prod", name_origin="command line", currency=euros)
    target, _ = resolve_target(said, table, RUNNER)
    assert (target.name, target.origin, target.currency) == ("prod", "command line", euros)
    assert target.quote.key == KEY


def test_the_key_of_a_price_is_a_name_too(table):
    target, _ = resolve_target(TargetSettings(name=KEY), table, None)
    assert (target.name, target.quote.accelerator) == (KEY, "NVIDIA A10G")


@pytest.mark.parametrize("name", ["prdo", "aws:g5.xlarge:us-esat-1"])
def test_a_misspelt_name_is_an_error_that_names_what_exists(table, name):
    with pytest.raises(PriceError) as caught:
        resolve_target(declared(PROD, OTHER, name=name), table, None)
    assert "prod" in caught.value.remedy or "us-east-1" in caught.value.remedy


def test_the_only_declared_target_wins_over_the_detected_machine(table):
    target, _ = resolve_target(declared(PROD), table, RUNNER)
    assert (target.name, target.origin) == ("prod", "configuration")


def test_of_several_declared_targets_one_must_be_named(table):
    target, problem = resolve_target(declared(PROD, OTHER), table, RUNNER)
    assert target is None
    assert "other, prod" in problem


def test_a_detected_machine_is_priced_where_nothing_is_declared(table):
    target, _ = resolve_target(TargetSettings(), table, RUNNER)
    assert (target.origin, target.quote.key) == ("detected", "aws:c7i.large:us-east-1")


def test_a_detected_machine_without_a_price_is_a_problem_and_no_error(table):
    unknown = dataclasses.replace(RUNNER, region="mars-1")
    target, problem = resolve_target(TargetSettings(), table, unknown)
    assert target is None
    assert "mars-1" in problem
    assert "us-east-1" in problem


def test_a_declared_target_without_a_price_is_a_problem_that_says_where_it_is_declared(table):
    unpriced = changed(PROD, instance="aws:g5.xlarge:mars-1")
    target, problem = resolve_target(declared(unpriced, name="prod"), table, None)
    assert target is None
    assert problem.startswith("pyproject.toml targets.prod: ")
    assert "mars-1" in problem


def test_an_own_price_wins_over_the_tables_and_keeps_its_hardware(table):
    own = changed(PROD, usd_per_hour=Decimal("0.8"))
    target, _ = resolve_target(declared(own), table, None)
    assert (target.quote.usd_per_hour, target.quote.accelerator) == (Decimal("0.8"), "NVIDIA A10G")
    assert "own price" in target.quote.source
    assert target.quote.as_of is None


def test_a_discount_is_taken_off_the_tables_price(table):
    target, _ = resolve_target(declared(changed(PROD, discount=Decimal("0.5"))), table, None)
    assert (target.quote.usd_per_hour, target.quote.discount) == (Decimal("0.503"), Decimal("0.5"))


def test_what_the_target_declares_of_its_hardware_is_kept(table):
    full = changed(
        OTHER,
        cpu_model="EPYC",
        cores=4,
        gpu="L4",
        stands_for=True,
        instance_share=Decimal("0.5"),
        workers_per_instance=2,
    )
    target, _ = resolve_target(declared(full), table, None)
    kept = ("cpu_model", "cores", "gpu", "stands_for", "instance_share", "workers_per_instance")
    assert all(getattr(target, name) == getattr(full, name) for name in kept)


def test_the_users_price_file_wins_over_the_bundled_table(tmp_path, table):
    path = tmp_path / "own.csv"
    path.write_text("provider,instance,region,usd_per_hour\naws,g5.xlarge,us-east-1,0.7\n")
    own = load_table(path, TODAY)
    assert own.find(KEY).usd_per_hour == Decimal("0.7")
    assert own.find(KEY).accelerator == "NVIDIA A10G"
    assert own.find("aws:g6.xlarge:us-east-1") == table.find("aws:g6.xlarge:us-east-1")
    assert own.digest != table.digest


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"\x00" * (16 * 2**20 + 1)])
def test_a_price_file_that_cannot_be_read_is_a_price_error_that_names_it(tmp_path, content):
    path = tmp_path / "own.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PriceError, match=r"own\.csv"):
        load_table(path, TODAY)
