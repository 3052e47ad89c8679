"""Several workloads measured together: which measurements that makes, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pytest_costguard.app.authoring import Costguard
from pytest_costguard.app.once import RunOnce
from pytest_costguard.app.result import Result
from pytest_costguard.errors import ConfigError, NotMeasured, WorkloadError

NODEID = "test_two.py::test_two"


class Noting:
    """Measures nothing, and notes what it was asked for."""

    def __init__(self):
        self.calls = {}

    def measure(self, call):
        self.calls[call.workload.name] = call
        return Result(call.workload)


def noting():
    backend = Noting()
    return Costguard(nodeid=NODEID, backend=backend), backend


def once():
    return Costguard(nodeid=NODEID, backend=RunOnce(threads=1))


def two(costguard, **fields):
    return {
        "reranker": costguard.part(len, inputs=["a", "bb"], share=3, **fields),
        "embedder": costguard.part(str.upper, inputs=["c"], share=1),
    }


def test_each_part_is_measured_alone_and_then_all_together():
    costguard, backend = noting()
    results = costguard.measure_together(two(costguard), rate=100)
    assert list(backend.calls) == ["reranker alone", "embedder alone", "together"]
    assert list(results) == ["reranker", "embedder", "together"]
    assert results["embedder"].workload.name == "embedder alone"


def test_each_part_alone_has_its_share_of_the_rate():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), rate=100)
    rates = {name: call.scenario.load.rate for name, call in backend.calls.items()}
    assert rates == {"reranker alone": 75.0, "embedder alone": 25.0, "together": 100.0}
    assert backend.calls["together"].scenario.load.shares == {"reranker": 0.75, "embedder": 0.25}
    assert backend.calls["reranker alone"].scenario.load.shares == {}


def test_a_mixture_is_served_elsewhere_where_all_of_its_parts_are():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), rate=100, name="here")
    costguard.measure_together(
        {
            name: costguard.part(f"http://127.0.0.1:{port}/infer", inputs=["a"])
            for name, port in (("one", 1), ("other", 2))
        },
        rate=100,
        name="elsewhere",
    )
    told = {name: call.is_elsewhere for name, call in backend.calls.items()}
    assert (told["here together"], told["elsewhere together"]) == (False, True)


def test_the_highest_rate_is_searched_for_of_each():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), scenario="max_rate", slo={"p99": "50ms"})
    loads = [call.scenario.load for call in backend.calls.values()]
    assert all(load.rate is None and load.slo == {"p99": 0.05} for load in loads)


def test_the_load_of_all_is_that_of_each():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), rate=10, workers=3, arrivals="gamma(4)", seed=7)
    for call in backend.calls.values():
        load = call.scenario.load
        assert (load.workers, load.arrivals.burstiness, load.arrivals.seed) == (3, 4.0, 7)


def test_the_scenario_tells_the_shares_so_that_others_are_not_compared():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), rate=100)
    told = str(backend.calls["together"].scenario)
    assert told == "server(100/s of reranker 75 %, embedder 25 %)"


def test_a_name_tells_two_mixtures_of_a_test_apart():
    costguard, backend = noting()
    costguard.measure_together(two(costguard), rate=10)
    costguard.measure_together(two(costguard), rate=10, name="busy")
    assert "busy together" in backend.calls
    assert "busy reranker alone" in backend.calls


def test_inputs_are_consumed_once_for_both():
    consumed = []

    def requests():
        consumed.append(True)
        yield from ("a", "bb")

    costguard, backend = noting()
    parts = {
        "a": costguard.part(len, inputs=requests()),
        "b": costguard.part(len, inputs=["c"]),
    }
    costguard.measure_together(parts, rate=10)
    assert not consumed
    assert backend.calls["a alone"].input_set().inputs == ("a", "bb")
    assert [value for part, value in backend.calls["together"].input_set().inputs if part == 0]
    assert consumed == [True]


def test_items_are_counted_as_each_part_says():
    costguard, backend = noting()
    parts = {
        "a": costguard.part(len, inputs=["abc"], batch_size=len),
        "b": costguard.part(len, inputs=["d"], batch_size=8),
        "c": costguard.part(len, inputs=["e"]),
    }
    costguard.measure_together(parts, rate=10)
    call = backend.calls["together"]
    assert call.input_set().items(call.batch_size) == [3, 8, 1]


@pytest.mark.parametrize(("loaded", "told"), [(True, True), (False, False)])
def test_a_cold_start_is_that_of_all_parts_or_of_none(loaded, told):
    costguard, backend = noting()
    second = {"load": lambda: len} if loaded else {"workload": len}
    parts = {
        "a": costguard.part(load=lambda: len, inputs=["a"]),
        "b": costguard.part(**second, inputs=["b"]),
    }
    costguard.measure_together(parts, rate=10)
    assert backend.calls["together"].loads is told
    assert backend.calls["together"].adapter(threads=1).kind == "mixture"


def test_without_measuring_each_part_is_a_correctness_test():
    seen = []
    costguard = once()
    parts = {
        "a": costguard.part(seen.append, inputs=[1, 2, 3], quality=len),
        "b": costguard.part(seen.append, inputs=["x"]),
    }
    results = costguard.measure_together(parts, rate=10)
    assert results["a"].quality == 3
    assert not results["together"].measured
    # Each alone, and one round of all.
    assert seen == [1, 2, 3, "x", 1, "x"]


def test_a_part_that_raises_is_the_tests_own_failure():
    costguard = once()
    parts = {
        "a": costguard.part(lambda _: 1 / 0, inputs=[1]),
        "b": costguard.part(len, inputs=["x"]),
    }
    with pytest.raises(ZeroDivisionError):
        costguard.measure_together(parts, rate=10)


async def answer(value):
    return value


def one_only(costguard):
    return {"a": costguard.part(len, inputs=["a"])}


@pytest.mark.parametrize(
    ("made", "options", "said"),
    [
        (one_only, {"rate": 1}, "two parts or more"),
        (lambda _: {}, {"rate": 1}, "two parts or more"),
        (lambda _: [len, len], {"rate": 1}, "two parts or more"),
        (lambda c: one_only(c) | {"b": len}, {"rate": 1}, "is a builtin_function_or_method"),
        (lambda c: one_only(c) | {"together": one_only(c)["a"]}, {"rate": 1}, "name of all parts"),
        (lambda c: one_only(c) | {"": one_only(c)["a"]}, {"rate": 1}, "a part is called ''"),
        (lambda c: one_only(c) | {"b\n": one_only(c)["a"]}, {"rate": 1}, "a part is called"),
        (lambda c: one_only(c) | {3: one_only(c)["a"]}, {"rate": 1}, "a part is called 3"),
        (two, {}, "needs the rate"),
        (two, {"scenario": "max_rate"}, "needs the SLO"),
        (two, {"scenario": "single_stream"}, "no request meets another part's"),
        (two, {"rate": 1, "max_batch_size": 4}, "joins requests of one model"),
        (two, {"rate": 1, "popularity": "zipf(1.1)"}, "take the place of the shares"),
        (two, {"rate": 1, "ratee": 2}, "unknown option 'ratee'"),
    ],
)
def test_what_is_no_mixture_is_refused_with_the_remedy(made, options, said):
    costguard, backend = noting()
    with pytest.raises(ConfigError) as caught:
        costguard.measure_together(made(costguard), **options)
    assert said in caught.value.message
    assert caught.value.remedy
    assert not backend.calls


@pytest.mark.parametrize("share", [0, -1, float("nan"), float("inf"), True, "3", None])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match="share="):
        noting()[0].part(len, inputs=["a"], share=share)


def test_a_share_is_read_by_its_decimal_text():
    assert noting()[0].part(len, inputs=["a"], share=0.1).share == Fraction(1, 10)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"workload": answer}, "coroutine function"),
        ({"workload": len, "rate": 5}, "rate=, which is said of all parts"),
        ({"workload": len, "slo": {}}, "slo=, which is said of all parts"),
        ({}, "exactly one of them"),
        ({"workload": len, "load": lambda: len}, "exactly one of them"),
    ],
)
def test_what_is_no_part_is_refused_with_the_remedy(fields, said):
    with pytest.raises(ConfigError) as caught:
        noting()[0].part(inputs=["a"], **fields)
    assert said in caught.value.message
    assert caught.value.remedy


def test_a_coroutine_function_that_is_loaded_is_refused_too():
    costguard = once()
    parts = one_only(costguard) | {"b": costguard.part(load=lambda: answer, inputs=["x"])}
    with pytest.raises(WorkloadError, match="coroutine function"):
        costguard.measure_together(parts, rate=10)


def test_an_address_and_a_function_have_no_pool_in_common():
    costguard, _ = noting()
    parts = one_only(costguard) | {
        "b": costguard.part("http://127.0.0.1:9/v2/models/m/infer", inputs=[1])
    }
    with pytest.raises(ConfigError, match="no pool serves both"):
        costguard.measure_together(parts, rate=10)


def test_addresses_are_sent_to_by_as_many_connections():
    costguard, backend = noting()
    url = "http://127.0.0.1:9/v2/models/m/infer"
    parts = {name: costguard.part(url, inputs=[1]) for name in ("a", "b")}
    costguard.measure_together(parts, rate=10, connections=8)
    assert all(call.scenario.load.connections == 8 for call in backend.calls.values())


def test_the_same_mixture_twice_needs_a_name():
    costguard, _ = noting()
    costguard.measure_together(two(costguard), rate=10)
    with pytest.raises(ConfigError, match="have the name 'reranker alone'"):
        costguard.measure_together(two(costguard), rate=10)


def test_a_part_of_a_result_needs_a_measurement():
    results = once().measure_together(two(once()), rate=10)
    with pytest.raises(NotMeasured, match="was not measured"):
        results["together"].part("reranker")
