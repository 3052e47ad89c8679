"""How long measuring is said to take counts the load that an earlier run has seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.judging import WORKLOAD, baseline, stored_run, stored_workload
from factories.loads import a_load, loaded

from pytest_costguard.app.estimates import estimated, loads_of, loads_of_baseline, with_loads
from pytest_costguard.engine.coordinator import Coordinator
from pytest_costguard.engine.loaded import KnownLoad
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.engine.plain import Effort
from pytest_costguard.records import Load, Scenario

SERVED = Load(rate=50.0)
SEARCHED = Load(slo={"p95": 0.04})
TEST = CollectedTest(nodeid=WORKLOAD.nodeid, path=Path("test_a.py"))


def stored(load, **metrics):
    """What a baseline keeps of a workload under a load."""
    kind = "max_rate" if load.rate is None else "server"
    return stored_workload(metrics, scenario=Scenario(kind=kind, load=load))


def seconds(*tests):
    engine = Coordinator(
        setup=None, tests=tests, effort=Effort(units=6), isolation="test", progress=print
    )
    return engine.estimated_seconds()


def known(load):
    return with_loads([TEST], {WORKLOAD: load})[0]


def test_load_of_the_newest_stored_run_is_known():
    older, newer = Load(rate=20.0), Load(rate=50.0)
    runs = [
        stored_run(stored(load, p50=(0.01,)), day=day) for day, load in ((2, newer), (1, older))
    ]

    found = KnownLoad(load=newer, seconds_per_request=0.01)
    assert loads_of_baseline(baseline(*runs)) == {WORKLOAD: found}


def test_of_a_search_the_rate_that_was_found_is_known():
    run = stored_run(stored(SEARCHED, max_rate=(90.0, 100.0, 120.0)))

    found = loads_of_baseline(baseline(run))

    assert found == {WORKLOAD: KnownLoad(load=SEARCHED, found_rate=100.0)}


@pytest.mark.parametrize(("load", "metrics"), [(SEARCHED, "max_rate"), (SERVED, "p50")])
@pytest.mark.parametrize("value", [0.0, 1e308])
def test_figures_that_nobody_measured_make_an_estimate_all_the_same(load, metrics, value):
    run = stored_run(stored(load, **{metrics: (value,)}))

    (found,) = loads_of_baseline(baseline(run)).values()

    assert 0 < seconds(known(found)) < 6 * 60 * 2


def test_what_was_just_measured_tells_its_load():
    measured = a_load([loaded(latencies=(0.01,) * 500)])

    found = loads_of([measured])[WORKLOAD]
    assert found.load == measured.declaration.scenario.load
    assert found.seconds_per_request == 0.01


def test_a_load_takes_what_its_windows_take():
    # 6 units of 100 requests and a ramp of 20, at 10 a second.
    more = seconds(known(KnownLoad(load=Load(rate=10.0)))) - seconds(TEST)

    assert more == pytest.approx(6 * 12.0)


def test_a_load_of_long_requests_takes_longer():
    # 6 units of 8 s and 990 requests more, and a tenth for the ramp, at 200 a second.
    load = KnownLoad(load=Load(rate=200.0), seconds_per_request=2.0)

    assert seconds(known(load)) - seconds(TEST) == pytest.approx(
        6 * 1.1 * (8 + 990 / 200), rel=1e-3
    )


def test_percentiles_make_windows_longer():
    held = CollectedTest(
        nodeid=TEST.nodeid,
        path=TEST.path,
        min_requests=100,
        loads=(KnownLoad(load=SERVED),),
    )

    assert seconds(held) - seconds(TEST) == pytest.approx(6 * 1100 / 50)


def test_a_search_takes_some_windows_at_the_rate_that_is_known():
    more = seconds(known(KnownLoad(load=SEARCHED, found_rate=200.0))) - seconds(TEST)

    assert 6 < more < 6 * 20


def test_a_search_of_which_nothing_is_known_takes_all_the_time_it_may():
    more = seconds(known(KnownLoad(load=SEARCHED))) - seconds(TEST)

    assert more == pytest.approx(6 * 60.0)


def test_a_test_without_load_takes_what_it_did():
    assert seconds(known(None)) == seconds(TEST)


def test_where_no_run_tells_how_requests_arrive_it_is_said_that_load_is_not_counted():
    assert estimated(22.0, [known(None), TEST]).without_load
    assert not estimated(22.0, [known(None), known(KnownLoad(load=SERVED))]).without_load


def test_without_a_baseline_no_load_is_known():
    assert loads_of_baseline(None) == {}
