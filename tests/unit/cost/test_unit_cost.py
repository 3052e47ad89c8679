from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from factories.money import TODAY, gpu_quote, machine, quote, rate, target
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.unit_cost import cost_of, token_cost, unit_token_costs
from pytest_costguard.records import Load, Quote, Scenario


def priced(declared=None, *, here=None, threads=8, scenario=None, throughputs=(1000.0,), **more):
    return cost_of(
        target=target() if declared is None else declared,
        target_problem="",
        fingerprint=machine() if here is None else here,
        threads=threads,
        throughputs=throughputs,
        scenario=scenario or Scenario(),
        **more,
    )


def test_a_whole_machine_at_known_price_and_throughput_costs_what_a_person_works_out():
    # 0.36 USD an hour is 0.0001 USD a second; 1,000 items a second are 1,000 items for it.
    cost, units = priced(throughputs=(1000.0, 1000.0))
    assert (cost.state, cost.usd_per_1k, cost.share) == ("priced", Decimal("0.0001"), 1)
    assert units == pytest.approx((0.0001, 0.0001))


def test_each_unit_has_its_own_cost():
    _, units = priced(throughputs=(500.0, 2000.0))
    assert units == pytest.approx((0.0002, 0.00005))


def test_the_bounds_of_the_cost_are_the_reciprocals_of_those_of_the_throughput():
    cost, _ = priced(interval=rate(1000.0, 800.0, 1250.0))
    assert (cost.lower, cost.usd_per_1k, cost.upper) == (
        Decimal("0.00008"),
        Decimal("0.0001"),
        Decimal("0.000125"),
    )


def test_a_throughput_that_may_be_nothing_leaves_the_cost_without_an_upper_bound():
    cost, _ = priced(interval=rate(1000.0, -5.0, 2000.0))
    assert (cost.lower, cost.upper) == (Decimal("0.00005"), None)


def test_a_million_tokens_cost_the_time_that_they_take():
    # 0.0001 USD a second; 50 tokens a second are a million in 20,000 seconds: 2 USD.
    cost, _ = priced()
    found = token_cost(cost, rate(50.0, 40.0, 100.0))

    assert (found.lower, found.estimate, found.upper) == (1.0, 2.0, 2.5)
    assert found.confidence == 0.95
    assert unit_token_costs(cost, (50.0, 25.0)) == (2.0, 4.0)


def test_a_share_of_a_machine_is_paid_for_its_tokens():
    cost, _ = priced(threads=2)

    assert cost.usd_per_hour == Decimal("0.09")
    assert token_cost(cost, rate(50.0, 40.0, 100.0)).estimate == 0.5


@pytest.mark.parametrize("bounds", [(50.0, -5.0, 100.0, 6), (50.0, 50.0, 50.0, 1)])
def test_tokens_that_nothing_bounds_have_an_estimate_alone(bounds):
    found = token_cost(priced()[0], rate(*bounds))

    assert (found.lower, found.estimate, found.upper, found.confidence) == (2.0, 2.0, 2.0, 0.0)


def test_without_a_price_or_without_tokens_there_is_no_cost_of_tokens():
    unpriced, _ = cost_of(
        target=None,
        target_problem="",
        fingerprint=machine(),
        threads=1,
        throughputs=(1.0,),
        scenario=Scenario(),
    )

    assert token_cost(unpriced, rate(50.0, 40.0, 100.0)) is None
    assert token_cost(priced()[0], None) is None
    assert token_cost(None, rate(50.0, 40.0, 100.0)) is None
    assert unit_token_costs(unpriced, (50.0,)) == ()


def test_one_unit_bounds_nothing():
    cost, _ = priced(interval=rate(1000.0, 1000.0, 1000.0, n=1))
    assert (cost.lower, cost.upper) == (None, None)


def test_without_a_target_it_is_not_priced_and_says_how_to_declare_one():
    cost, units = cost_of(
        target=None,
        target_problem="",
        fingerprint=machine(),
        threads=1,
        throughputs=(1.0,),
        scenario=Scenario(),
    )
    assert (cost.state, cost.usd_per_1k, units) == ("not priced", None, ())
    assert "--costguard-target" in cost.reason


def test_the_problem_with_the_target_is_the_reason():
    cost, _ = cost_of(
        target=None,
        target_problem="no such price; add it",
        fingerprint=machine(),
        threads=1,
        throughputs=(1.0,),
        scenario=Scenario(),
    )
    assert cost.reason == "no such price; add it"


@pytest.mark.parametrize("throughputs", [(), (0.0,), (1.0, math.inf), (math.nan,), (-1.0,)])
def test_what_was_not_measured_is_not_priced(throughputs):
    cost, units = priced(throughputs=throughputs)
    assert (cost.state, cost.usd_per_1k, units) == ("not priced", None, ())


@pytest.mark.parametrize(
    ("declared", "here", "named"),
    [
        (target(), machine(cores=2), "the target has 8 cores, this machine 2"),
        (target(cores=4), machine(), "the target has 4 cores, this machine 8"),
        (target(cpu_model="8488C"), machine(), "matches '8488C', this machine's is AMD EPYC 9R14"),
        (target(cpu_model="("), machine(), "no regular expression"),
        (target(), machine(gpus=("NVIDIA L4",)), "no GPU, this machine 1 x NVIDIA L4"),
        (
            target(quote=gpu_quote()),
            machine(cores=4, gpus=("Tesla T4",)),
            "the target has NVIDIA L4, this machine 1 x Tesla T4",
        ),
        (target(quote=gpu_quote()), machine(cores=4), "has NVIDIA L4, this machine no GPU"),
        (
            target(quote=gpu_quote(accelerator_count=4)),
            machine(cores=4, gpus=("NVIDIA L4",)),
            "the target has 4 GPUs, this machine 1 x NVIDIA L4",
        ),
        (target(gpu="H100"), machine(gpus=("NVIDIA H200",)), "has H100, this machine"),
    ],
)
def test_other_hardware_is_not_measured_on_target_and_named(declared, here, named):
    cost, units = priced(declared, here=here)
    assert (cost.state, cost.usd_per_1k, units) == ("not measured on target", None, ())
    assert named in cost.reason
    assert "stands_for" in cost.reason


def test_every_mismatch_is_named_at_once():
    cost, _ = priced(target(cpu_model="Xeon"), here=machine(cores=2, gpus=("Tesla T4",)))
    assert all(word in cost.reason for word in ("8 cores", "Xeon", "Tesla T4"))


@pytest.mark.parametrize(
    ("declared", "here"),
    [
        (target(cpu_model="epyc"), machine()),
        (target(stands_for=True, cpu_model="Xeon"), machine(cores=2, gpus=("Tesla T4",))),
        (target(origin="price"), machine(cores=2, gpus=("Tesla T4",))),
        (target(origin="detected"), machine(cores=2)),
        (target(quote=gpu_quote()), machine(cores=4, gpus=("NVIDIA L4",))),
        (target(cores=2), machine(cores=2)),
    ],
)
def test_the_target_itself_and_what_stands_for_it_are_priced(declared, here):
    assert priced(declared, here=here)[0].state == "priced"


def test_a_detected_machine_whose_price_leaves_out_its_gpu_is_not_priced_by_it():
    cost, _ = priced(target(origin="detected"), here=machine(gpus=("Tesla T4",)))
    assert cost.state == "not measured on target"
    assert "includes no GPU" in cost.reason


@pytest.mark.parametrize(
    ("declared", "threads", "scenario", "share", "said"),
    [
        (target(), 1, Scenario(), "0.125", "8 workers fit: 8 cores ÷ 1 thread"),
        (target(), 3, Scenario(), "0.5", "2 workers fit: 8 cores ÷ 3 threads"),
        (target(), 16, Scenario(), "1", "one worker fits: 8 cores ÷ 16 threads"),
        (target(), 1, Scenario(kind="multi_stream", n=4), "0.125", "8 workers fit"),
        (
            target(),
            1,
            Scenario(kind="concurrent", n=4),
            "0.5",
            "2 workers fit: 8 cores ÷ 4 callers x 1 thread",
        ),
        (target(workers_per_instance=5), 1, Scenario(), "0.2", "workers_per_instance = 5"),
        (
            target(instance_share=Decimal("0.3"), workers_per_instance=5),
            1,
            Scenario(),
            "0.3",
            "instance_share = 0.3",
        ),
        (target(cores=8, quote=quote(vcpu=None)), 2, Scenario(), "0.25", "4 workers fit: 8 cores"),
        (target(origin="price", quote=quote(vcpu=None)), 1, Scenario(), "0.125", "8 workers fit"),
    ],
)
def test_the_share_of_the_instance_is_explained(declared, threads, scenario, share, said):
    cost, _ = priced(declared, threads=threads, scenario=scenario)
    assert cost.share == Decimal(share)
    assert said in cost.share_reason
    assert cost.usd_per_1k == Decimal("0.0001") * Decimal(share)


def test_a_container_of_two_cores_shares_the_price_of_the_whole_instance():
    cost, _ = priced(target(cores=2), here=machine(cores=2), threads=1)
    assert cost.share == Decimal("0.125")


@pytest.mark.parametrize(
    ("declared", "gpus"),
    [
        (target(quote=gpu_quote()), ("NVIDIA L4",)),
        (target(gpu="L4", quote=quote(vcpu=None)), ("NVIDIA L4",)),
        (
            target(origin="price", quote=Quote(usd_per_hour=Decimal("0.36"), source="a test")),
            ("NVIDIA L4",),
        ),
    ],
)
def test_a_target_with_a_gpu_serves_one_worker_unless_more_is_declared(declared, gpus):
    cost, _ = priced(declared, here=machine(cores=4, gpus=gpus), threads=1)
    assert cost.share == 1
    assert "GPU" in cost.share_reason


@pytest.mark.parametrize(
    ("kind", "basis"),
    [
        ("single_stream", "closed-loop throughput"),
        ("concurrent", "closed-loop throughput"),
        ("multi_stream", "closed-loop throughput"),
        ("offline", "offline throughput"),
    ],
)
def test_the_basis_is_that_of_the_scenario(kind, basis):
    assert priced(scenario=Scenario(kind=kind))[0].basis == basis


@pytest.mark.parametrize(("days", "warned"), [(0, False), (90, False), (91, True)])
def test_a_price_older_than_ninety_days_is_warned_about(days, warned):
    dated = target(quote=quote(as_of=TODAY - dt.timedelta(days=days)))
    warning = priced(dated, today=TODAY)[0].warning
    assert (f"{days} days old" in warning) == warned


def test_no_date_and_no_clock_give_no_warning():
    old = target(quote=quote(as_of=dt.date(2020, 1, 1)))
    assert priced(old)[0].warning == priced(today=TODAY)[0].warning == ""


def test_a_target_that_says_nothing_of_its_hardware_is_priced_with_a_warning():
    cost, _ = priced(target(quote=quote(vcpu=None)))
    assert cost.state == "priced"
    assert "says nothing of its hardware" in cost.warning


RATES = st.floats(1e-9, 1e12)


@settings(max_examples=150, deadline=None)
@given(
    price=st.decimals("0.0001", "2000", places=6),
    throughputs=st.lists(RATES, min_size=1, max_size=8),
    threads=st.integers(1, 512),
    cores=st.integers(1, 512),
)
def test_a_cost_is_never_zero_and_falls_as_throughput_rises(price, throughputs, threads, cores):
    here = machine(cores=cores)
    declared = target(quote=quote(usd_per_hour=price, vcpu=cores))
    cost, units = priced(declared, here=here, threads=threads, throughputs=sorted(throughputs))
    assert cost.usd_per_1k > 0
    assert all(value > 0 and math.isfinite(value) for value in units)
    assert list(units) == sorted(units, reverse=True)
    assert 0 < cost.share <= 1


def test_a_server_has_the_machine_to_itself_whatever_threads_ask_it():
    cost, _ = priced(threads=1, in_server=True)

    assert cost.share == 1
    assert "a server is taken to have the machine to itself" in cost.share_reason


def test_a_server_shares_the_machine_where_the_target_says_so():
    cost, _ = priced(target(workers_per_instance=4), threads=1, in_server=True)

    assert cost.share == Decimal("0.25")


def test_workers_of_an_open_loop_take_a_share_each():
    load = Scenario(kind="server", load=Load(rate=5.0, workers=2))
    cost, _ = priced(threads=1, scenario=load)

    assert cost.share == Decimal("0.25")
    assert cost.share_reason.startswith("4 workers fit: 8 cores ÷ 2 workers x 1 thread")
    assert cost.basis == "throughput at the offered rate"
