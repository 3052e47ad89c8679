from __future__ import annotations

from pathlib import Path

import pytest

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.gates import (
    MarkerSettings,
    gates_for,
    labels_for,
    parse_marker,
    stack_markers,
    threads_for,
    unmatched_rules,
)
from pytest_costguard.config.model import Settings
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Gates

NODE = "tests/test_rerank.py::test_rerank[b1]"


def settings_from(folder: Path, toml: str = "", **cli: object) -> Settings:
    (folder / "pyproject.toml").write_text(toml)
    return resolve(cli=cli, environ={}, rootdir=folder)


def marker(**kwargs: object) -> MarkerSettings:
    return parse_marker(kwargs, nodeid=NODE, location="tests/test_rerank.py:7")


def gates(folder: Path, toml: str = "", said: MarkerSettings | None = None, **cli: object) -> Gates:
    return gates_for(NODE, settings_from(folder, toml, **cli), said or MarkerSettings())


def limits(found: Gates) -> dict[str, float]:
    return {budget.metric: budget.limit for budget in found.budgets}


def rules(found: Gates) -> dict[str, tuple[float, float]]:
    return {rule.metric: (rule.allow, rule.catch) for rule in found.regressions}


def test_mean_and_peak_memory_are_gated_by_default(tmp_path):
    found = gates(tmp_path)

    assert rules(found) == {"mean": (0.02, 0.05), "peak_memory": (0.02, 0.05)}
    assert found.budgets == ()


def test_every_metric_takes_limits_in_its_own_unit(tmp_path):
    said = marker(
        budget={
            "mean": "9ms",
            "throughput": "120/s",
            "cost_per_1k": "$0.02",
            "peak_memory": "1.5GiB",
            "cold_start": "2 s",
            "energy_per_1k": "3.5 J",
            "quality": 0.92,
            "monthly_cost": "$3000",
            "replicas": 4,
        }
    )

    found = gates(tmp_path, said=said)

    assert limits(found) == {
        "mean": 0.009,
        "throughput": 120.0,
        "cost_per_1k": 0.02,
        "peak_memory": 1.5 * 2**30,
        "cold_start": 2.0,
        "energy_per_1k": 3.5,
        "quality": 0.92,
        "monthly_cost": 3000.0,
        "replicas": 4.0,
    }
    at_least = {budget.metric for budget in found.budgets if budget.bound == "at least"}
    assert at_least == {"throughput", "quality"}


def test_quality_can_be_held_to_a_share_of_the_baseline(tmp_path):
    found = gates(tmp_path, said=marker(budget={"quality": "99% of baseline"})).budgets[0]

    assert (found.limit, found.relative, found.bound) == (0.99, True, "at least")
    assert found.text == "99% of baseline"


def test_an_slo_is_a_limit_of_its_own_beside_the_budget(tmp_path):
    found = gates(tmp_path, said=marker(slo={"p99": "50ms"}, budget={"p99": "80ms"}))

    assert {(budget.kind, budget.limit) for budget in found.budgets} == {
        ("slo", 0.05),
        ("budget", 0.08),
    }


def test_a_limit_remembers_where_and_how_it_was_written(tmp_path):
    found = gates(tmp_path, said=marker(budget={"p99": " 50 ms"})).budgets[0]

    assert found.origin == f"marker of {NODE} (tests/test_rerank.py:7) budget.p99"
    assert found.text == "50 ms"


@pytest.mark.parametrize(
    ("pattern", "own"),
    [("tests/test_rerank.py::test_rerank[b1]", True), ("tests/*", False), ("", False)],
)
def test_a_rule_that_names_one_test_sets_limits_of_its_own(tmp_path, pattern, own):
    rule = f"workload = {pattern!r}" if pattern else 'labels = {team = "search"}'
    toml = f"""[[tool.costguard.rules]]
{rule}
budget = {{p99 = "80ms"}}
"""
    found = gates(tmp_path, toml, marker(labels={"team": "search"}))

    assert found.budgets[0].own is own


def test_a_markers_limits_are_its_own_and_a_projects_or_a_runs_are_not(tmp_path):
    toml = """[tool.costguard.budget]
p95 = "80ms"
"""
    said = marker(budget={"p50": "10ms", "p99": "80ms"})
    found = gates(tmp_path, toml, said, budget=("p99=90ms",))

    assert {one.metric: one.own for one in found.budgets} == {
        "p95": False,
        "p50": True,
        "p99": False,
    }


def test_limits_of_a_class_or_module_are_no_tests_own_unless_it_says_them_itself(tmp_path):
    module = parse_marker(
        {"budget": {"p50": "10ms", "p99": "80ms"}}, nodeid="test_a.py::test_b", of_test=False
    )
    said = stack_markers([marker(budget={"p50": "5ms"}), module])
    found = gates(tmp_path, said=said)

    assert {one.metric: one.own for one in found.budgets} == {"p50": True, "p99": False}


def test_one_percentage_is_allow_and_catch_is_two_and_a_half_times_as_much(tmp_path):
    found = gates(tmp_path, said=marker(regression={"mean": "4%", "p95": {"allow": "10%"}}))

    assert rules(found)["mean"] == (0.04, 0.1)
    assert rules(found)["p95"] == (0.1, 0.25)


def test_both_numbers_can_be_given(tmp_path):
    found = gates(tmp_path, said=marker(regression={"mean": {"allow": "0%", "catch": "3%"}}))

    assert rules(found)["mean"] == (0.0, 0.03)


@pytest.mark.parametrize("off", [None, "off", False])
def test_a_default_can_be_turned_off(tmp_path, off):
    assert set(rules(gates(tmp_path, said=marker(regression={"mean": off})))) == {"peak_memory"}


def test_a_marker_can_turn_a_budget_of_the_file_off(tmp_path):
    toml = '[tool.costguard.budget]\np99 = "50ms"\nmean = "9ms"\n'

    assert limits(gates(tmp_path, toml, marker(budget={"p99": None}))) == {"mean": 0.009}


RULES = """
[tool.costguard.labels]
env = "prod"
[tool.costguard.budget]
mean = "1ms"
p50 = "1ms"
p90 = "1ms"
p95 = "1ms"
p99 = "1ms"
cold_start = "1ms"
[[tool.costguard.rules]]
workload = "tests/test_rerank.py::*"
labels = {env = "prod"}
budget = {p99 = "6ms"}
[[tool.costguard.rules]]
workload = "tests/test_rerank.py::test_rerank[b1]"
budget = {p95 = "5ms", p99 = "5ms"}
[[tool.costguard.rules]]
workload = "tests/test_rerank.py::test_rerank[*********"
budget = {p90 = "4ms", p95 = "4ms", p99 = "4ms"}
threads = 4
[[tool.costguard.rules]]
workload = "tests/*"
budget = {p50 = "3ms", p90 = "3ms", p95 = "3ms", p99 = "3ms"}
threads = 3
[[tool.costguard.rules]]
labels = {env = "prod"}
budget = {mean = "2ms", p50 = "2ms", p90 = "2ms", p95 = "2ms", p99 = "2ms"}
[[tool.costguard.rules]]
workload = "tests/test_other.py::*"
budget = {mean = "99ms", p50 = "99ms", p90 = "99ms", p95 = "99ms", p99 = "99ms"}
[[tool.costguard.rules]]
labels = {env = "staging"}
budget = {mean = "99ms", p50 = "99ms", p90 = "99ms", p95 = "99ms", p99 = "99ms"}
"""


def test_the_most_specific_rule_wins_for_each_metric(tmp_path):
    found = limits(gates(tmp_path, RULES))

    milliseconds = {metric: round(limit * 1000) for metric, limit in found.items()}
    assert milliseconds == {"cold_start": 1, "mean": 2, "p50": 3, "p90": 4, "p95": 5, "p99": 6}


def test_a_marker_wins_over_every_rule(tmp_path):
    assert limits(gates(tmp_path, RULES, marker(budget={"p99": "7ms"})))["p99"] == 0.007


def test_the_command_line_wins_over_the_marker(tmp_path):
    said = marker(budget={"p99": "7ms"})

    pairs = ["p99=8ms", "quality=99% of baseline", "monthly_cost=$3000,replicas=4"]
    found = limits(gates(tmp_path, RULES, said, budget=pairs))

    assert (found["p99"], found["quality"]) == (0.008, 0.99)
    assert (found["monthly_cost"], found["replicas"]) == (3000.0, 4.0)


def test_a_rule_names_its_place_in_the_file(tmp_path):
    found = {budget.metric: budget.origin for budget in gates(tmp_path, RULES).budgets}

    assert found["p99"] == "pyproject.toml tool.costguard.rules[0].budget.p99"
    assert found["cold_start"] == "pyproject.toml tool.costguard.budget.cold_start"


def test_a_markers_labels_choose_the_rules(tmp_path):
    found = gates(tmp_path, RULES, marker(labels={"env": "staging"}))

    assert limits(found)["mean"] == 0.099


def test_of_two_equally_specific_rules_the_later_wins(tmp_path):
    rule = '[[tool.costguard.rules]]\nworkload = "tests/*"\nbudget = {{mean = "{}ms"}}\n'

    assert limits(gates(tmp_path, rule.format(1) + rule.format(2))) == {"mean": 0.002}


def test_labels_of_the_marker_lie_over_those_of_the_file(tmp_path):
    settings = settings_from(tmp_path, '[tool.costguard.labels]\nteam = "a"\nenv = "prod"\n')

    assert labels_for(settings, marker(labels={"team": "b"})) == {"team": "b", "env": "prod"}


@pytest.mark.parametrize(
    ("toml", "said", "cli", "threads", "origin"),
    [
        ("", {}, {}, 1, "default"),
        ("[tool.costguard]\nthreads = 2\n", {}, {}, 2, "pyproject.toml [tool.costguard] threads"),
        (RULES, {}, {}, 4, "pyproject.toml tool.costguard.rules[2].threads"),
        (
            RULES,
            {"threads": 5},
            {},
            5,
            f"marker of {NODE} (tests/test_rerank.py:7) threads",
        ),
        (RULES, {"threads": 5}, {"threads": "6"}, 6, "--costguard-threads"),
    ],
)
def test_the_most_specific_number_of_threads_wins(tmp_path, toml, said, cli, threads, origin):
    settings = settings_from(tmp_path, toml, **cli)

    assert threads_for(NODE, settings, marker(**said)) == (threads, origin)


def test_of_two_markers_the_closest_wins_for_each_metric():
    close = marker(budget={"p99": "5ms"}, labels={"team": "b"})
    far = marker(budget={"p99": "9ms", "mean": "1ms"}, threads=2, labels={"team": "a", "x": "y"})

    both = stack_markers([close, far])

    assert {metric: limit.text for (_, metric), limit in both.gates.limits.items()} == {
        "p99": "5ms",
        "mean": "1ms",
    }
    assert both.threads == 2
    assert both.labels == {"team": "b", "x": "y"}


def test_allow_of_the_command_line_changes_what_is_gated_by_default_only(tmp_path):
    said = marker(regression={"p95": "10%", "mean": "off"})

    found = gates(tmp_path, "", said, allow="4%")

    assert rules(found) == {"p95": (0.1, 0.25), "peak_memory": (0.04, 0.1)}
    assert found.regressions[0].origin == "--costguard-allow"


def test_catch_alone_leaves_allow_as_it_was(tmp_path):
    assert rules(gates(tmp_path, catch="10%"))["mean"] == (0.02, 0.1)


def test_catch_below_an_allow_from_elsewhere_names_both(tmp_path):
    with pytest.raises(ConfigError, match=r"--costguard-catch.*allow comes from default") as error:
        gates(tmp_path, catch="1%")

    assert error.value.remedy == "give --costguard-allow too"


CURRENCY = '[tool.costguard.currency]\ncode = "EUR"\nper_usd = 0.8\nas_of = 2026-11-01\n'


def test_money_in_the_declared_currency_becomes_dollars_by_its_rate(tmp_path):
    found = gates(tmp_path, CURRENCY, marker(budget={"cost_per_1k": "€0.02"})).budgets[0]

    assert found.limit == 0.025
    assert found.text == "€0.02"


def test_money_in_a_currency_without_a_rate_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no exchange rate for GBP"):
        gates(tmp_path, CURRENCY, marker(budget={"cost_per_1k": "£0.02"}))


@pytest.mark.parametrize(
    ("kwargs", "problem", "remedy"),
    [
        ({"budgt": {}}, "unknown key budgt", "did you mean 'budget'"),
        ({"budget": {"p9": "5ms"}}, r"unknown key budget\.p9", "did you mean 'p99'"),
        ({"budget": {"latency": "5ms"}}, "unknown key budget.latency", "write one of mean, p50"),
        ({"budget": "5ms"}, "budget = '5ms' is not a table", "names with their values"),
        ({"budget": {"p99": 5}}, r"budget\.p99 = 5 has no unit", "50ms"),
        ({"budget": {"p99": "99% of baseline"}}, "relative", "regression rule"),
        ({"budget": {"cost_per_1k": 0.02}}, "not an amount of money", "0.02 USD"),
        ({"regression": {"mean": 0.02}}, "has no unit", '"5%"'),
        ({"regression": {"mean": "0%"}}, "is not above allow", "write both"),
        ({"regression": {"mean": {"allow": "5%", "catch": "2%"}}}, "not above", "write both"),
        ({"regression": {"mean": {"catch": "5%"}}}, "has no allow", "write both"),
        ({"regression": {"mean": {"alow": "5%"}}}, r"regression\.mean\.alow", "'allow'"),
        ({"regression": {"cost_per_1k": "5%"}}, "follows the mean", "gate the regression of mean"),
        (
            {"regression": {"monthly_cost": "5%"}},
            "follows the throughput",
            '"monthly_cost": "$3000"',
        ),
        ({"regression": {"replicas": "5%"}}, "follow the throughput", '"replicas": 4'),
        ({"slo": {"monthly_cost": "$5"}}, "no level of service", 'budget={"monthly_cost"'),
        ({"slo": {"replicas": 4}}, "no level of service", 'budget={"replicas"'),
        (
            {"budget": {"monthly_cost": "99% of baseline"}},
            "relative",
            'budget={"monthly_cost": "$3000"}',
        ),
        ({"budget": {"replicas": 3.5}}, "not a whole number", "whole number"),
        ({"budget": {"monthly_cost": 3000}}, "not an amount of money", "0.02 USD"),
        ({"threads": 0}, "threads = 0", "whole number"),
        ({"threads": "many"}, "threads = 'many'", "whole number"),
        ({"labels": {"team": 3}}, r"labels\.team = 3 is not a text", "plain text"),
        ({"labels": ["team"]}, "is not a table", "names with their values"),
        ({"slo": {3: "5ms"}}, r"unknown key slo\.3", "write one of"),
    ],
)
def test_a_marker_that_is_not_understood_says_where_what_and_how(kwargs, problem, remedy):
    with pytest.raises(ConfigError, match=problem) as error:
        marker(**kwargs)

    assert error.value.message.startswith(f"marker of {NODE} (tests/test_rerank.py:7)")
    assert remedy in error.value.remedy


def test_rules_that_apply_to_no_test_are_found(tmp_path):
    settings = settings_from(
        tmp_path,
        """
        [[tool.costguard.rules]]
        workload = "tests/test_rerank.py::*"
        threads = 2
        [[tool.costguard.rules]]
        workload = "tests/test_renamed.py::*"
        threads = 2
        [[tool.costguard.rules]]
        labels = { team = "search" }
        threads = 3
        """,
    )

    (unmatched,) = unmatched_rules([(NODE, marker(labels={"team": "search"}))], settings)

    assert unmatched.workload == "tests/test_renamed.py::*"
