from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from click.testing import CliRunner
from factories.money import TODAY, machine, quote, rate, target
from factories.reports import hostile_names, regressed_and_over

from pytest_costguard.cli.explain_cost import explain_cost
from pytest_costguard.cost.arithmetic import explain
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Basis, Cost, Currency, Scenario, Target, to_json

THROUGHPUT = rate(1000.0, 800.0, 1250.0)


def explained(declared: Target, **changes) -> str:
    cost, _ = cost_of(
        target=declared,
        target_problem="",
        fingerprint=machine(),
        threads=2,
        throughputs=(1000.0,),
        scenario=Scenario(),
        interval=THROUGHPUT,
        today=TODAY,
    )
    cost = msgspec.structs.replace(cost, **changes)
    return "\n".join(explain(cost, target=declared, throughput=THROUGHPUT))


def test_the_whole_sum_is_there_to_be_done_again():
    dated = quote(as_of=dt.date(2026, 11, 1), purchase_model="spot")
    text = explained(target(quote=dated))
    for part in (
        "$0.36 an hour for cloud:cpu.8:north, spot",
        "a test as of 2026-11-01",
        "1,000 items/s (800 to 1,250 at 95 %, 6 units)",
        "0.25 of the instance; 4 workers fit: 8 cores ÷ 2 threads",
        "$0.36 x 0.25 = $0.09",
        "1,000 items/s x 3,600 s = 3,600,000 items",
        "$0.09 ÷ 3,600,000 x 1,000 = $0.000025",
        "$0.00002 to $0.00003125",
        "closed-loop throughput",
    ):
        assert part in text


def test_a_discount_a_currency_and_an_old_price_have_lines_of_their_own():
    dear = quote(discount=Decimal("0.25"), as_of=dt.date(2026, 1, 1))
    euros = Currency(code="EUR", per_usd=Decimal("0.8"))
    text = explained(target(quote=dear, currency=euros))
    assert "$0.48 less a discount of 25 %" in text
    assert "x 0.8 EUR for $1, date not known = €0.0000200" in text
    assert "326 days old" in text


def test_a_report_whose_cost_was_changed_by_hand_is_found_out():
    assert "the report says $1" in explained(target(), usd_per_1k=Decimal(1))


def test_tokens_have_sums_of_their_own():
    cost, _ = cost_of(
        target=target(),
        target_problem="",
        fingerprint=machine(),
        threads=8,
        throughputs=(1000.0,),
        scenario=Scenario(),
    )
    figures = {
        "output_tokens_per_second": rate(50.0, 40.0, 100.0),
        "input_tokens_per_second": rate(200.0, 200.0, 200.0, n=1),
    }
    text = "\n".join(explain(cost, target=target(), throughput=THROUGHPUT, figures=figures)[-2:])

    assert (
        "1M output       tokens: $0.36 ÷ (50 tokens/s x 3,600 s) x 1,000,000 = $2 ($1 to $2.5)"
        in text
    )
    assert (
        "1M input        tokens: $0.36 ÷ (200 tokens/s x 3,600 s) x 1,000,000 = $0.5; the whole"
        in text
    )


def test_every_basis_is_explained():
    bases = get_args(Basis)

    assert len(bases) == 4
    for basis in bases:
        assert f"{basis}: " in explained(target(), basis=basis)


@pytest.mark.parametrize("state", ["not priced", "not measured on target"])
def test_where_there_is_no_cost_the_reason_stands_in_its_place(state):
    lines = explain(Cost(state=state, reason="so it is"), target=None, throughput=None)
    assert lines[-1].endswith(f"{state}: so it is")


def run(path, *arguments):
    return CliRunner().invoke(explain_cost, [str(path), *arguments])


@pytest.fixture
def report_path(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(to_json(regressed_and_over()))
    return path


def test_the_command_explains_every_workload_of_a_report(report_path):
    report = regressed_and_over()
    result = run(report_path)
    assert result.exit_code == 0
    assert all(str(verdict.workload) in result.output for verdict in report.verdicts)
    assert "an hour costs" in result.output


def test_the_command_explains_the_workload_that_is_asked_for(report_path):
    wanted, *others = (str(verdict.workload) for verdict in regressed_and_over().verdicts)
    output = run(report_path, wanted).output
    assert wanted in output
    assert not any(other in output for other in others)


def test_an_unknown_workload_is_an_error(report_path):
    assert isinstance(run(report_path, "no such thing").exception, ConfigError)


def test_hostile_names_do_not_steer_the_terminal(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(to_json(hostile_names()))
    output = run(path).output
    assert all(sign.isprintable() or sign == "\n" for sign in output)
