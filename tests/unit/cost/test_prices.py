from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from factories.money import TODAY
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.prices import PriceTable, discounted, parse
from pytest_costguard.errors import PriceError

HEADER = "provider,instance,region,usd_per_hour"


def table(*rows: str, header: str = HEADER, origin: str = "own.csv") -> PriceTable:
    return parse("\n".join((header, *rows)), origin, today=TODAY)


def refusal(*rows: str, header: str = HEADER) -> PriceError:
    with pytest.raises(PriceError) as caught:
        table(*rows, header=header)
    return caught.value


def test_four_columns_are_enough_for_a_price():
    found = table("aws,g5.xlarge,us-east-1,0.90").find("aws:g5.xlarge:us-east-1")
    assert (found.usd_per_hour, found.purchase_model, found.source, found.as_of) == (
        Decimal("0.90"),
        "on_demand",
        "own.csv, line 2",
        None,
    )


def test_columns_may_stand_in_any_order_between_quotes_blanks_and_windows_line_ends():
    text = '\ufeffusd_per_hour, region,"instance",provider\r\n\r\n 0.9 ,north,"big, box",me\r\n'
    assert parse(text, "own.csv").find("me:big, box:north").usd_per_hour == Decimal("0.9")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("aws,a,b,0", "usd_per_hour"),
        ("aws,a,b,0.00", "usd_per_hour"),
        ("aws,a,b,-1", "usd_per_hour"),
        ("aws,a,b,nan", "usd_per_hour"),
        ("aws,a,b,Infinity", "usd_per_hour"),
        ("aws,a,b,1e3", "usd_per_hour"),
        ("aws,a,b,", "usd_per_hour"),
        ("aws,a,b,700.0", "usd_per_hour"),
        ("aws,a,b,0.00001", "usd_per_hour"),
        ("aws,a,b,٣", "usd_per_hour"),
        (",a,b,1", "provider"),
        ("aws,a:x,b,1", "instance"),
        ("aws,a,,1", "region"),
    ],
)
def test_an_unsound_row_is_refused_naming_file_line_and_column(row, column):
    error = refusal("aws,good,b,1", row)
    assert error.message.startswith(f"own.csv, line 3: {column} is ")
    assert error.remedy


@pytest.mark.parametrize(
    ("extra", "column"),
    [
        ("NVIDIA L4,,,", "accelerator_count"),
        ("NVIDIA L4,0,,", "accelerator_count"),
        (",2,,", "accelerator"),
        (",,24,", "accelerator"),
        ("NVIDIA L4,1,24,2026-11-26", "as_of"),
        ("NVIDIA L4,1,24,2026-02-30", "as_of"),
        ("NVIDIA L4,1,24,20260101", "as_of"),
    ],
)
def test_hardware_and_dates_are_checked_too(extra, column):
    header = f"{HEADER},accelerator,accelerator_count,accelerator_memory_gib,as_of"
    assert f"line 2: {column} is " in refusal(f"aws,a,b,1,{extra}", header=header).message


def test_a_price_of_tomorrow_is_taken_since_the_world_has_time_zones():
    tomorrow = TODAY + dt.timedelta(days=1)
    found = table(f"aws,a,b,1,{tomorrow}", header=f"{HEADER},as_of")
    assert found.find("aws:a:b").as_of == tomorrow


def test_a_machine_of_many_accelerators_may_cost_more_than_the_bound_of_one_without():
    header = f"{HEADER},accelerator,accelerator_count"
    found = table("aws,rack,b,762,NVIDIA GB200,36", header=header)
    assert found.find("aws:rack:b").usd_per_hour == 762


def test_a_second_price_for_the_same_key_is_refused_naming_both_lines():
    error = refusal("aws,a,b,1", "aws,a,b,2")
    assert "line 3" in error.message
    assert "line 2" in error.message


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "nothing in this price file"),
        ("provider,instance,region", "no column 'usd_per_hour'"),
        (f"{HEADER},pruchase_model", "did you mean 'purchase_model'?"),
        ("provider;instance;region;usd_per_hour", "with commas between"),
        (f"{HEADER},region", "'region' stands twice"),
    ],
)
def test_an_unsound_header_is_refused_with_its_remedy(header, says):
    assert says in str(refusal(header=header))


@pytest.mark.parametrize(
    ("row", "line"), [("aws,a,b", 2), ('aws,"a,b,1', 2), ("aws,a\x1b[2J,b,1", 2), ('"a"b,a,b,1', 2)]
)
def test_broken_lines_are_refused_naming_the_line(row, line):
    assert f"own.csv, line {line}" in refusal(row).message


def test_an_unknown_region_is_refused_with_the_regions_that_exist():
    prices = table("aws,g5,east,1", "aws,g5,west,2", "aws,g6,north,3")
    with pytest.raises(PriceError) as caught:
        prices.find("aws:g5:north")
    assert "'north'" in caught.value.message
    assert "'east' or 'west'" in caught.value.remedy


def test_an_unknown_purchase_model_is_refused_with_those_that_exist():
    prices = table("aws,g5,east,1,spot", header=f"{HEADER},purchase_model")
    with pytest.raises(PriceError, match="on_demand") as caught:
        prices.find("aws:g5:east")
    assert "'spot'" in caught.value.remedy


def test_a_key_may_name_its_purchase_model():
    prices = table("aws,g5,east,0.4,spot", "aws,g5,east,1,", header=f"{HEADER},purchase_model")
    assert prices.find("aws:g5:east:spot").usd_per_hour == Decimal("0.4")


def test_a_misspelt_key_gets_the_nearest_ones():
    with pytest.raises(PriceError) as caught:
        table("aws,g5.xlarge,us-east-1,1").find("AWS:g5.xlrge:us-east-1")
    assert "did you mean 'aws:g5.xlarge:us-east-1'?" in caught.value.remedy


@pytest.mark.parametrize("key", ["", "aws", "aws:g5", "aws::east", "a:b:c:d:e", ":::"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(PriceError, match="not the key of a price"):
        table("aws,g5,east,1").find(key)


def test_the_users_price_wins_and_keeps_the_hardware_that_the_other_table_knows():
    bundled = table(
        "aws,g5,east,1,4,NVIDIA A10G,1",
        "aws,c7,east,0.2,4,,",
        header=f"{HEADER},vcpu,accelerator,accelerator_count",
    )
    own = table("aws,g5,west,0.7", "aws,g5,east,0.6")
    both = own.over(bundled)
    east, west = both.find("aws:g5:east"), both.find("aws:g5:west")
    assert (east.usd_per_hour, east.accelerator, east.vcpu) == (Decimal("0.6"), "NVIDIA A10G", 4)
    assert (west.usd_per_hour, west.accelerator_count) == (Decimal("0.7"), 1)
    assert both.find("aws:c7:east").usd_per_hour == Decimal("0.2")


def test_the_digest_tells_prices_dates_and_sources_apart_but_not_the_order_of_rows():
    one, other = "aws,a,b,1,2026-01-01,me", "aws,c,d,2,2026-01-01,me"
    header = f"{HEADER},as_of,source"
    digest = table(one, other, header=header).digest
    assert digest == table(other, one, header=header, origin="elsewhere.csv").digest
    for changed in (
        "aws,a,b,1.1,2026-01-01,me",
        "aws,a,b,1,2026-01-02,me",
        "aws,a,b,1,2026-01-01,x",
    ):
        assert digest != table(changed, other, header=header).digest


def test_a_discount_is_taken_off_and_remembered():
    less = discounted(table("aws,a,b,2").find("aws:a:b"), Decimal("0.3"))
    assert (less.usd_per_hour, less.discount) == (Decimal("1.4"), Decimal("0.3"))


@pytest.mark.parametrize("discount", ["1", "1.5", "-0.1"])
def test_a_discount_never_makes_a_price_free_or_dearer(discount):
    with pytest.raises(PriceError):
        discounted(table("aws,a,b,2").find("aws:a:b"), Decimal(discount))


PLAIN = ("aws", "gcp", "a", "b", "east", "west", "on_demand", "spot", "NVIDIA L4", "2026-01-01")
ODD = ("0", "1", "0.5", "700", "1e9", "-1", "nan", "", " ", "2027-01-01", '"', "\x00", "\u2028")
CELLS = st.sampled_from(PLAIN + ODD)
LINES = st.lists(CELLS, min_size=3, max_size=6).map(",".join)
FILES = st.lists(LINES, max_size=6).map(
    lambda lines: "\n".join(("provider,instance,region,usd_per_hour,as_of", *lines))
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), FILES))
def test_any_text_is_a_sound_table_or_a_price_error_that_names_the_file(text):
    refused, quotes = None, {}
    try:
        quotes = parse(text, "fuzzed.csv", today=TODAY).quotes
    except PriceError as error:
        refused = error
    assert refused is None or re.match(r"fuzzed\.csv(, line \d+)?: ", refused.message)
    assert all(
        Decimal("0.0001") <= quote.usd_per_hour <= 250 + 25 * quote.accelerator_count
        for quote in quotes.values()
    )


PRICES = st.decimals("0.0001", "250", places=4)
PLACES = st.tuples(
    st.sampled_from(["aws", "gcp"]),
    st.sampled_from(["small", "large", "Large"]),
    st.sampled_from(["east", "west", "east-1"]),
    st.sampled_from(["on_demand", "spot"]),
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(PLACES, PRICES, max_size=8), PLACES)
def test_a_look_up_gives_exactly_what_was_written_or_nothing(written, wanted):
    lines = [f"{p},{i},{r},{m},{price}" for (p, i, r, m), price in written.items()]
    header = "provider,instance,region,purchase_model,usd_per_hour"
    prices = parse("\n".join((header, *lines)), "own.csv")
    provider, instance, region, model = wanted
    try:
        found = prices.find(f"{provider}:{instance}:{region}", model)
    except PriceError:
        assert wanted not in written
    else:
        assert (found.provider, found.instance, found.region, found.purchase_model) == wanted
        assert found.usd_per_hour == written[wanted]
