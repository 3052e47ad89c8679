from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.config import quantities
from pytest_costguard.errors import ConfigError

WHERE = {"origin": "marker of tests/test_a.py::test_b", "key": "budget.p99"}
SCALES = {
    "ns": 1e9,
    "us": 1e6,
    "µs": 1e6,
    "μs": 1e6,
    "ms": 1e3,
    "s": 1.0,
    "min": 1 / 60,
    "h": 1 / 3600,
}
PARSERS = (
    quantities.parse_duration,
    quantities.parse_size,
    quantities.parse_percent,
    quantities.parse_share,
    quantities.parse_rate,
    quantities.parse_energy,
    quantities.parse_number,
    quantities.parse_factor,
    quantities.parse_count,
    quantities.parse_threads,
    quantities.parse_money,
    quantities.parse_usd,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("50ms", 0.05),
        ("1.5 s", 1.5),
        ("200us", 0.0002),
        ("200µs", 0.0002),
        ("200\N{GREEK SMALL LETTER MU}s", 0.0002),
        ("3ns", 3e-9),
        ("2min", 120.0),
        ("1h", 3600.0),
        (" .5s ", 0.5),
        ("1e-3s", 0.001),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert quantities.parse_duration(text, **WHERE) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1.5GiB", 3 * 2**29),
        ("512 MB", 512_000_000),
        ("300MiB", 300 * 2**20),
        ("1kB", 1000),
        ("1KB", 1000),
        ("7B", 7),
        ("2TiB", 2**41),
    ],
)
def test_a_size_is_read_in_bytes(text, size):
    assert quantities.parse_size(text, **WHERE) == size


@pytest.mark.parametrize(
    ("text", "fraction"), [("5%", 0.05), ("0.5 %", 0.005), ("0%", 0.0), ("250%", 2.5)]
)
def test_a_percentage_is_read_as_a_fraction(text, fraction):
    assert quantities.parse_percent(text, **WHERE) == fraction


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("$0.02", (Decimal("0.02"), "USD")),
        ("$ 0.02", (Decimal("0.02"), "USD")),
        ("0.02 USD", (Decimal("0.02"), "USD")),
        ("USD 0.02", (Decimal("0.02"), "USD")),
        ("€0.02", (Decimal("0.02"), "EUR")),
        ("0.02€", (Decimal("0.02"), "EUR")),
        ("3 CHF", (Decimal(3), "CHF")),
    ],
)
def test_money_is_read_exactly_with_its_currency(text, money):
    assert quantities.parse_money(text, **WHERE) == money


@pytest.mark.parametrize("value", ["1.006", 1.006, "$1.006", "1.006 USD"])
def test_a_price_whose_key_says_dollars_needs_no_sign(value):
    assert quantities.parse_usd(value, **WHERE) == (Decimal("1.006"), "USD")


def test_plain_figures_are_numbers_with_or_without_their_unit():
    assert quantities.parse_rate(120, **WHERE) == quantities.parse_rate("120/s", **WHERE) == 120
    assert quantities.parse_energy(3.5, **WHERE) == quantities.parse_energy("3.5 J", **WHERE) == 3.5
    assert quantities.parse_energy("350 mJ", **WHERE) == 0.35
    assert quantities.parse_number("0.92", **WHERE) == 0.92
    assert quantities.parse_count("6", **WHERE) == quantities.parse_count(6, **WHERE) == 6


@pytest.mark.parametrize(
    ("parse", "value", "remedy"),
    [
        (quantities.parse_percent, 0.05, '"5%"'),
        (quantities.parse_percent, "5", '"5%"'),
        (quantities.parse_duration, 50, '"50ms"'),
        (quantities.parse_duration, "50", '"50ms"'),
        (quantities.parse_duration, "50 msec", "'ms'"),
        (quantities.parse_size, 1024, '"1.5GiB"'),
        (quantities.parse_size, "1.5Gib", "'GiB'"),
        (quantities.parse_money, 0.02, '"$0.02"'),
        (quantities.parse_money, "¥5", "currency"),
        (quantities.parse_count, 1.5, "whole number"),
        (quantities.parse_count, True, "whole number"),
        (quantities.parse_number, True, "0.92"),
        (quantities.parse_share, "101%", "100%"),
        (quantities.parse_percent, "1e308%", '"5%"'),
        (quantities.parse_duration, "1e300h", '"50ms"'),
        (quantities.parse_duration, "1e-300ns", '"50ms"'),
        (quantities.parse_threads, 100_000, "4096"),
    ],
)
def test_what_could_be_mistaken_is_refused_with_an_example(parse, value, remedy):
    with pytest.raises(ConfigError) as error:
        parse(value, **WHERE)

    assert remedy in error.value.remedy
    assert error.value.message.startswith("marker of tests/test_a.py::test_b: budget.p99 = ")


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "1e999", "", "1,5", "٣"])
def test_no_parser_takes_a_number_that_is_negative_or_not_finite(parse, number):
    for unit in ("", "s", "MB", "%", " USD", "/s", " J"):
        with pytest.raises(ConfigError):
            parse(number + unit, **WHERE)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -1, -0.5, None, [], b"5%", 10**5000], ids=lambda _: "figure"
)
def test_no_parser_takes_a_value_that_is_no_figure(parse, number):
    with pytest.raises(ConfigError):
        parse(number, **WHERE)


@pytest.mark.parametrize(
    ("parse", "value", "problem"),
    [
        (quantities.parse_percent, "10001%", "is more than 10000%"),
        (quantities.parse_duration, "8785h", "is more than a year"),
        (quantities.parse_duration, "0.9ns", "is less than 1ns"),
    ],
)
def test_what_nobody_means_is_called_too_much_or_too_little(parse, value, problem):
    with pytest.raises(ConfigError, match=problem):
        parse(value, **WHERE)


def test_a_negative_figure_is_called_negative():
    with pytest.raises(ConfigError, match="is negative"):
        quantities.parse_duration("-50ms", **WHERE)


@given(count=st.integers(1, 8000), unit=st.sampled_from(sorted(SCALES)), space=st.booleans())
def test_a_written_duration_comes_back(count, unit, space):
    text = f"{count}{' ' * space}{unit}"

    seconds = quantities.parse_duration(text, **WHERE)

    assert math.isclose(seconds * SCALES[unit], count, rel_tol=1e-12)


@given(size=st.integers(1, 2**63 - 1))
def test_a_written_size_comes_back(size):
    assert quantities.parse_size(f"{size}B", **WHERE) == size


@given(amount=st.decimals("0.000001", "100000", places=6), code=st.sampled_from(["USD", "EUR"]))
def test_a_written_amount_comes_back(amount, code):
    assert quantities.parse_money(f"{amount} {code}", **WHERE) == (amount, code)


@given(percent=st.decimals("0", "1000", places=3))
def test_a_written_percentage_comes_back(percent):
    assert quantities.parse_percent(f"{percent}%", **WHERE) == float(percent / 100)


WRITTEN = st.one_of(
    st.text(),
    st.text(alphabet="0123456789.eE+-%$€/ smhunBGiMJUSD", max_size=12),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
)


@settings(max_examples=300)
@given(value=WRITTEN, parse=st.sampled_from(PARSERS))
def test_whatever_is_written_only_a_config_error_comes_out(value, parse):
    try:
        read = parse(value, **WHERE)
    except ConfigError:
        return
    number = read[0] if isinstance(read, tuple) else read
    assert number >= 0
    assert math.isfinite(number)
