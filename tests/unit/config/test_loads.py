from __future__ import annotations

import pytest

from pytest_costguard.config.loads import USUAL_CONNECTIONS, parse_load, read_trace
from pytest_costguard.errors import ConfigError


def load(*, searched=False, is_endpoint=False, **options):
    return parse_load(options, searched=searched, is_endpoint=is_endpoint, origin="test_a")


def test_a_rate_is_all_that_a_load_needs():
    found = load(rate=100)

    assert (found.rate, found.workers, found.connections) == (100.0, 1, 0)
    assert found.arrivals.kind == "poisson"


def test_an_endpoint_has_connections_and_no_workers_of_ours():
    assert load(rate=5, is_endpoint=True).connections == USUAL_CONNECTIONS
    with pytest.raises(ConfigError, match="max_batch_size= is the server's own to decide"):
        load(rate=5, is_endpoint=True, max_batch_size=4)
    with pytest.raises(ConfigError, match="connections= has no meaning without a server"):
        load(rate=5, connections=4)


def test_everything_is_read_in_its_unit():
    found = load(
        rate="120/s",
        arrivals="gamma(4)",
        seed=7,
        workers=3,
        timeout="2s",
        max_batch_size=8,
        max_batch_delay="5ms",
        cache=100,
        popularity="zipf(1.1)",
        slo={"p99": "50ms", "p50": "10ms"},
    )

    assert (found.rate, found.workers, found.timeout_seconds) == (120.0, 3, 2.0)
    assert (found.arrivals.kind, found.arrivals.burstiness, found.arrivals.seed) == ("gamma", 4, 7)
    assert (found.max_batch_size, found.max_batch_delay_seconds) == (8, 0.005)
    assert (found.cache_entries, found.popularity) == (100, 1.1)
    assert found.slo == {"p99": 0.05, "p50": 0.01}


def test_a_search_needs_an_slo_and_no_rate():
    assert load(searched=True, slo={"p99": "50ms"}).rate is None
    with pytest.raises(ConfigError, match="needs the SLO"):
        load(searched=True)
    with pytest.raises(ConfigError, match="rate= is what max_rate searches for"):
        load(searched=True, slo={"p99": "50ms"}, rate=5)


def test_a_server_without_a_rate_is_refused_with_the_remedy():
    with pytest.raises(ConfigError, match="needs the rate") as refused:
        load()
    assert "rate=100" in refused.value.remedy


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rate": 0}, "not above zero"),
        ({"rate": "fast"}, "is not a rate"),
        ({"rate": 5, "arrivals": "gamma"}, "no way to arrive"),
        ({"rate": 5, "arrivals": "gamma(0)"}, "no way to arrive"),
        ({"rate": 5, "arrivals": "weekly"}, "no way to arrive"),
        ({"rate": 5, "popularity": "zipf"}, "no popularity"),
        ({"rate": 5, "workers": 5000}, "more than one process can serve"),
        ({"rate": 5, "workers": 0}, "not a whole number above zero"),
        ({"rate": 5, "timeout": 3}, "has no unit"),
        ({"rate": 5, "slo": {"mean": "5ms"}}, "is no percentile"),
        ({"rate": 5, "slo": "50ms"}, "is not a table"),
        ({"rate": 5, "seed": "x"}, "is no seed"),
    ],
)
def test_what_does_not_fit_is_refused(options, problem):
    with pytest.raises(ConfigError, match=problem):
        load(**options)


def test_a_trace_gives_arrivals_and_rate(tmp_path):
    path = tmp_path / "arrivals.csv"
    path.write_text("seconds,user\n# a comment\n10.0,a\n10.5,b\n\n12.0,c\n")

    found = load(arrivals=str(path))

    assert found.arrivals.trace_seconds == (0.0, 0.5, 2.0)
    assert found.rate == 1.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1\n3\n2\n", "line 3: '2' is no arrival after the last one"),
        ("1\n-1\n", "line 2"),
        ("1\nnan\n", "line 2"),
        ("1\nsoon\n", "line 2: 'soon'"),
        ("", "holds 0 arrivals"),
        ("5\n", "holds 1 arrivals"),
        ("5\n5\n", "no time between them"),
        ("0,5\n1,25\n", "'0,5' is a number with a decimal comma, or two columns"),
    ],
)
def test_a_trace_that_is_none_is_refused_with_its_line(tmp_path, text, problem):
    path = tmp_path / "t.csv"
    path.write_text(text)

    with pytest.raises(ConfigError, match=problem):
        read_trace(path, origin="test_a")


@pytest.mark.parametrize("text", ["0\n1e308\n", "0\n1e-300\n", "0\n1e6\n"])
def test_a_trace_at_a_rate_that_nobody_sends_is_refused(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"the trace holds .* arrivals a second"):
        load(arrivals=str(path))


def test_more_than_one_burst_in_a_thousand_requests_is_no_rate():
    with pytest.raises(ConfigError, match=r"gamma\(1e300\).*is no way to arrive") as refused:
        load(rate=20, arrivals="gamma(1e300)")
    assert "up to 1000" in refused.value.remedy


def test_a_trace_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_trace(tmp_path / "none.csv", origin="test_a")


def test_an_slo_may_limit_what_tokens_take():
    slo = {"ttft_p99": "300ms", "itl_p99": "50ms", "tpot_p95": "40ms", "p99": "5s"}

    assert load(rate=5, slo=slo).slo == {
        "ttft_p99": 0.3,
        "itl_p99": 0.05,
        "tpot_p95": 0.04,
        "p99": 5.0,
    }
    with pytest.raises(ConfigError, match="ttft_mean"):
        load(rate=5, slo={"ttft_mean": "300ms"})
