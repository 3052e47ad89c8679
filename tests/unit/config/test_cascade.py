from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.model import DeclaredTarget, Settings
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Currency, FailOn


def settings_from(
    folder: Path, toml: str = "", environ: dict[str, str] | None = None, **cli: object
) -> Settings:
    (folder / "pyproject.toml").write_text(toml)
    return resolve(cli=cli, environ=environ or {}, rootdir=folder)


def test_without_anything_said_the_defaults_hold(tmp_path):
    settings = settings_from(tmp_path)

    assert settings.measure is False
    assert (settings.units, settings.unit_seconds, settings.timeout_seconds) == (6, 0.5, 120.0)
    assert (settings.threads, settings.baseline, settings.save) == (1, "auto", None)
    assert settings.fail_on == (FailOn.REGRESSION, FailOn.BUDGET)
    assert settings.target_name is settings.target_origin is settings.price_usd_per_hour is None
    assert settings.detect_target is False
    assert settings.isolate == "test"
    assert settings.currency == Currency()
    assert {origin.text for origin in settings.origins.values()} == {"default"}


@pytest.mark.parametrize(
    ("toml", "environ", "cli", "units", "origin"),
    [
        ("", {}, {}, 6, "default"),
        ("units = 2", {}, {}, 2, "pyproject.toml [tool.costguard] units"),
        ("units = 2", {"COSTGUARD_UNITS": "3"}, {}, 3, "COSTGUARD_UNITS"),
        ("units = 2", {"COSTGUARD_UNITS": "  "}, {}, 2, "pyproject.toml [tool.costguard] units"),
        ("units = 2", {"COSTGUARD_UNITS": "3"}, {"units": "4"}, 4, "--costguard-units"),
        ("units = 2", {}, {"units": None}, 2, "pyproject.toml [tool.costguard] units"),
    ],
)
def test_the_later_place_wins_and_is_remembered(tmp_path, toml, environ, cli, units, origin):
    settings = settings_from(tmp_path, f"[tool.costguard]\n{toml}", environ, **cli)

    assert settings.units == units
    assert settings.origins["units"].text == origin


def test_every_option_of_the_file_is_understood(tmp_path):
    settings = settings_from(
        tmp_path,
        """
        [tool.costguard]
        units = 8
        unit_time = "250ms"
        timeout = "5min"
        threads = 2
        baseline = "release"
        report = "out"
        fail_on = ["budget", "missing"]
        target = "prod"
        prices = "prices.csv"
        detect_target = true
        benchmarks = true
        runner_spread = "0.5%"
        isolate = "suite"
        """,
    )

    assert (settings.units, settings.unit_seconds, settings.timeout_seconds) == (8, 0.25, 300.0)
    assert (settings.threads, settings.baseline, settings.isolate) == (2, "release", "suite")
    assert settings.fail_on == (FailOn.BUDGET, FailOn.MISSING)
    assert (settings.target_name, settings.target_origin) == ("prod", "configuration")
    assert settings.report_dir == tmp_path / "out"
    assert settings.prices_csv == tmp_path / "prices.csv"
    assert settings.detect_target
    assert settings.benchmarks
    assert settings.runner_spread == 0.005


def test_yaml_says_the_same_as_toml(tmp_path):
    (tmp_path / "costguard.yaml").write_text(
        "units: 8\nbudget: {p99: 50ms}\nregression: {mean: off}\n"
        "rules:\n- workload: tests/*\n  threads: 2\n"
    )
    from_yaml = resolve(cli={}, environ={}, rootdir=tmp_path)
    (tmp_path / "costguard.yaml").unlink()
    from_toml = settings_from(
        tmp_path,
        '[tool.costguard]\nunits = 8\nbudget = {p99 = "50ms"}\nregression = {mean = "off"}\n'
        'rules = [{workload = "tests/*", threads = 2}]\n',
    )

    assert from_yaml.digest == from_toml.digest
    assert from_yaml.origins["units"].text == "costguard.yaml units"


def test_paths_of_the_command_line_are_relative_to_the_current_directory(tmp_path):
    assert settings_from(tmp_path, report="out").report_dir == Path("out")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("strict", tuple(FailOn)),
        ("never", ()),
        ("budget, regression", (FailOn.REGRESSION, FailOn.BUDGET)),
        ("not-priced", (FailOn.NOT_PRICED,)),
    ],
)
def test_fail_on_is_a_set(tmp_path, said, expected):
    assert settings_from(tmp_path, fail_on=said).fail_on == expected


@pytest.mark.parametrize("written", ["1", "true", "YES", "on"])
def test_switches_of_the_environment_can_be_written_in_several_ways(tmp_path, written):
    assert settings_from(tmp_path, environ={"COSTGUARD_BENCHMARKS": written}).benchmarks


def test_several_budgets_fit_into_one_variable(tmp_path):
    settings = settings_from(tmp_path, environ={"COSTGUARD_BUDGET": "p99=50ms, cost_per_1k=$0.02"})

    assert set(settings.limits_of_this_run.limits) == {("budget", "p99"), ("budget", "cost_per_1k")}


def test_a_target_is_declared_with_all_it_is_checked_by(tmp_path):
    settings = settings_from(
        tmp_path,
        """
        [tool.costguard.targets.prod]
        instance = "aws:c7i.xlarge:us-east-1"
        usd_per_hour = "€0.12"
        discount = "10%"
        cpu_model = "8488C|8481C"
        cores = 4
        gpu = "NVIDIA L4"
        stands_for = true
        instance_share = "25%"
        [tool.costguard.currency]
        code = "EUR"
        per_usd = "0.8"
        as_of = "2026-11-01"
        """,
    )

    assert settings.targets["prod"] == DeclaredTarget(
        name="prod",
        instance="aws:c7i.xlarge:us-east-1",
        usd_per_hour=Decimal("0.15"),
        discount=Decimal("0.1"),
        cpu_model="8488C|8481C",
        cores=4,
        gpu="NVIDIA L4",
        stands_for=True,
        instance_share=Decimal("0.25"),
        origin="pyproject.toml tool.costguard.targets.prod",
    )
    assert settings.currency == Currency(
        code="EUR", per_usd=Decimal("0.8"), as_of=dt.date(2026, 11, 1)
    )


def test_a_price_of_the_command_line_wins_over_a_target_of_the_file(tmp_path):
    settings = settings_from(tmp_path, '[tool.costguard]\ntarget = "prod"\n', price="1.006")

    assert settings.price_usd_per_hour == Decimal("1.006")
    assert settings.target_name is settings.target_origin is None


def test_a_target_of_the_command_line_wins_over_a_price_of_the_file(tmp_path):
    settings = settings_from(tmp_path, "[tool.costguard]\nprice = 1.006\n", target="prod")

    assert (settings.target_name, settings.target_origin) == ("prod", "command line")
    assert settings.price_usd_per_hour is None


@pytest.mark.parametrize(
    ("toml", "environ", "cli"),
    [
        ("", {}, {"escalate": True, "against": "main"}),
        ("", {}, {"escalate": True, "baseline": "none"}),
        ("", {"COSTGUARD_AGAINST": "main"}, {"escalate": True}),
        ("[tool.costguard]\nbaseline = 'none'", {}, {"escalate": True}),
        ("[tool.costguard]\nbaseline = 'none'\nescalate = true", {}, {}),
    ],
    ids=["against", "none", "against of the environment", "none of the file", "file alone"],
)
def test_escalating_without_a_stored_verdict_to_doubt_is_refused(tmp_path, toml, environ, cli):
    with pytest.raises(ConfigError, match="a second look at the verdicts of a stored baseline"):
        settings_from(tmp_path, toml, environ, **cli)


def test_a_run_has_one_base_where_one_place_names_two(tmp_path):
    with pytest.raises(ConfigError, match="--costguard-baseline = 'main' is given beside"):
        settings_from(tmp_path, "", baseline="main", against="v1")

    elsewhere = settings_from(tmp_path, "", {"COSTGUARD_BASELINE": "main"}, against="v1")
    assert elsewhere.against == "v1"


def test_a_run_side_by_side_is_saved_as_no_baseline(tmp_path):
    with pytest.raises(ConfigError, match="--costguard-save saves a baseline") as refused:
        settings_from(tmp_path, "", {"COSTGUARD_AGAINST": "main"}, save="main")

    assert "costguard baseline record" in refused.value.remedy


@pytest.mark.parametrize("cli", [{"against": "main"}, {"baseline": "none"}])
def test_a_run_that_stores_nothing_to_doubt_overrules_a_file_that_escalates(tmp_path, cli):
    toml = "[tool.costguard]\nescalate = true"

    assert settings_from(tmp_path, toml).escalate is True
    assert settings_from(tmp_path, toml, **cli).escalate is False


def test_a_digest_does_not_depend_on_where_the_same_thing_is_said(tmp_path):
    in_file = settings_from(tmp_path, '[tool.costguard]\nunits = 3\nunit_time = "1s"\n')
    on_line = settings_from(tmp_path, "", units="3", unit_time="1000ms", save="weekly")

    assert in_file.digest == on_line.digest


@pytest.mark.parametrize(
    "said", [{"units": "7"}, {"budget": ["p99=1ms"]}, {"allow": "3%"}, {"price": "2"}]
)
def test_a_digest_changes_with_what_matters(tmp_path, said):
    assert settings_from(tmp_path, **said).digest != settings_from(tmp_path).digest


def test_the_bare_save_flag_may_bear_the_name_of_a_folder(tmp_path):
    (tmp_path / "main").mkdir()

    assert settings_from(tmp_path, save="main").save == "main"


@pytest.mark.parametrize(
    ("cli", "problem", "remedy"),
    [
        ({"units": "six"}, "command line: --costguard-units = 'six'", "whole number"),
        ({"unit_time": "1"}, "--costguard-unit-time = '1' has no unit", "50ms"),
        ({"fail_on": "regresion"}, "'regresion' is not known", "did you mean 'regression'"),
        ({"fail_on": "strict,budget"}, "beside other words", "alone"),
        ({"fail_on": " , "}, "is empty", "never"),
        ({"isolate": "tests"}, "'tests' is not known", "did you mean 'test'"),
        ({"save": "tests"}, "is a file or folder", "--costguard-save=main tests"),
        ({"save": "tests/test_a.py"}, "is not a name", "--costguard-save=main"),
        ({"save": ".."}, "is not a name", "letters"),
        ({"budget": ["p99"]}, "has no '='", "p99=50ms"),
        ({"budget": ["p9=50ms"]}, "unknown key p9", "did you mean 'p99'"),
        ({"budget": ["cost_per_1k=€1"]}, "no exchange rate for EUR", "per_usd"),
        ({"allow": "5"}, "--costguard-allow = '5' has no unit", '"5%"'),
        ({"price": "0"}, "money above zero", "USD"),
        ({"price": "1", "target": "a"}, "beside --costguard-target", "keep one"),
        ({"share": "."}, "--costguard-share = '.' is the whole checkout", "models/*.onnx"),
        ({"share": "w.bin,./"}, "is the whole checkout", "models/*.onnx"),
        ({"share": ""}, "names no file", "models/*.onnx"),
        ({"share": "../other"}, "leaves the checkout", "models/*.onnx"),
        ({"share": "/etc/*"}, "leaves the checkout", "models/*.onnx"),
        ({"share": "models/**.onnx"}, r"has \*\* beside", "data/**/*.bin"),
        ({"threads": "100000"}, "more than any machine has", "4096"),
        ({"suite_time": "1e300h"}, "is more than a year", "50ms"),
        ({"suite_time": "1e-300ns"}, "is less than 1ns", "50ms"),
        ({"allow": "1e308%"}, "is more than 10000%", '"5%"'),
        ({"unitz": "1"}, "unknown key unitz", "did you mean 'units'"),
    ],
)
def test_a_flag_that_is_not_understood_names_itself(tmp_path, cli, problem, remedy):
    (tmp_path / "tests").mkdir()

    with pytest.raises(ConfigError, match=problem) as error:
        settings_from(tmp_path, **cli)

    assert remedy in error.value.remedy


@pytest.mark.parametrize(
    ("toml", "problem", "remedy"),
    [
        ("unit = 3", r"unknown key tool\.costguard\.unit", "did you mean 'units'"),
        ("save = 'main'", r"tool\.costguard\.save is for one run", "--costguard-save"),
        ("units = '6'\nunits_ = 1", r"tool\.costguard\.units_", "did you mean 'units'"),
        ("units = true", r"tool\.costguard\.units = True", "whole number"),
        ("detect_target = 2", r"tool\.costguard\.detect_target = 2", "true or false"),
        ("share = ['']", r"tool\.costguard\.share = \[''\] names no file", "models/*.onnx"),
        ("regression.mean = '1e308%'", "is more than 10000%", '"5%"'),
        ("budget = 3", r"tool\.costguard\.budget = 3 is not a table", "values"),
        ("budget.p99 = 3", r"tool\.costguard\.budget\.p99 = 3 has no unit", "50ms"),
        ("rules = {}", "is not a list of rules", "[[tool.costguard.rules]]"),
        ("rules = [3]", r"tool\.costguard\.rules\[0\] = 3 is not a table", "values"),
        (
            "rules = [{workload='a', threads=1}, {workload='b', budgt={}}]",
            r"unknown key tool\.costguard\.rules\[1\]\.budgt",
            "did you mean 'budget'",
        ),
        (
            "rules = [{workload='a', budget={p99=5}}]",
            r"tool\.costguard\.rules\[0\]\.budget\.p99 = 5",
            "50ms",
        ),
        (
            "rules = [{workload=3}]",
            r"tool\.costguard\.rules\[0\]\.workload: Expected `str",
            "options.md",
        ),
        ("rules = [{threads=1}]", "applies to everything", "workload pattern or labels"),
        ("rules = [{workload='a'}]", "sets nothing", "budget, slo, regression, threads or traffic"),
        ("targets.prod.cores = 2", "has no price", "usd_per_hour"),
        ("targets.prod = {usd_per_hour=0}", "money above zero", "USD"),
        ("targets.prod = {usd_per_hour='€1'}", "no exchange rate for EUR", "per_usd"),
        ("targets.prod = {usd_per_hour=1, cpu_model='('}", "not a regular expression", "8488C"),
        ("targets.prod = {usd_per_hour=1, discount='100%'}", "makes it free", "100%"),
        ("targets.prod = {usd_per_hour=1, instance_share='0%'}", "is nothing", "25%"),
        (
            "targets.prod = {usd_per_hour=1, instance_share='9%', workers_per_instance=2}",
            "instance_share and workers",
            "keep one",
        ),
        (
            "targets.prod = {usd_per_our=1}",
            r"unknown key tool\.costguard\.targets\.prod\.usd_per_our",
            "did you mean 'usd_per_hour'",
        ),
        ("currency = {code='EUR'}", "missing required field `per_usd`", "options.md"),
        ("currency = {code='euro', per_usd=1}", "no currency code", "EUR"),
        ("currency = {code='EUR', per_usd=-1}", "is negative", "number"),
        ("currency = {code='USD', per_usd=2}", "something else", "leave the table out"),
        ("currency = {code='EUR', per_usd=1, as_of='soon'}", "as_of", "options.md"),
        ("labels.team = 3", r"tool\.costguard\.labels\.team = 3", "plain text"),
        ("budget.cost_per_1k = '£1'", "no exchange rate for GBP", "US dollars"),
    ],
)
def test_a_file_that_is_not_understood_names_the_path(tmp_path, toml, problem, remedy):
    with pytest.raises(ConfigError, match=problem) as error:
        settings_from(tmp_path, f"[tool.costguard]\n{toml}\n")

    assert "pyproject.toml" in error.value.message
    assert remedy in error.value.remedy


def test_a_misspelt_variable_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="COSTGUARD_UNTS") as error:
        settings_from(tmp_path, environ={"COSTGUARD_UNTS": "3"})

    assert "COSTGUARD_UNITS" in error.value.remedy


@pytest.mark.parametrize("name", ["COSTGUARD_WORKER", "COSTGUARD_REFRESH_GOLDEN", "COSTGUARD_X"])
def test_other_variables_are_left_alone(tmp_path, name):
    assert settings_from(tmp_path, environ={name: "3"}).units == 6
