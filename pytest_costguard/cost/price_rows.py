"""Rows of a price file: one price of one machine each, checked field by field."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pytest_costguard.errors import PriceError
from pytest_costguard.records import Quote

REQUIRED = ("provider", "instance", "region", "usd_per_hour")
COLUMNS = (
    "provider",
    "instance",
    "region",
    "purchase_model",
    "usd_per_hour",
    "vcpu",
    "memory_gib",
    "accelerator",
    "accelerator_count",
    "accelerator_memory_gib",
    "as_of",
    "source",
)
ON_DEMAND = "on_demand"

LOWEST_USD_PER_HOUR = Decimal("0.0001")
"""Below it a price is in the wrong unit, or a placeholder for one that is not known."""
HIGHEST_USD_PER_HOUR = Decimal(250)
"""Of a machine without accelerators: the dearest ones cost 218. Catalogues carry 700.0 and more
where they mean that there is no price."""
HIGHEST_PER_ACCELERATOR = Decimal(25)
"""Added for each accelerator: the dearest list price in the bundled table is 14.24."""

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,15})?")
_COUNT = re.compile(r"[0-9]{1,5}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in which file a row stands, for messages."""

    origin: str
    line: int

    def __str__(self) -> str:
        return f"{self.origin}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sound row: its price, and where it stands."""

    quote: Quote
    place: Place


def shown(text: str) -> str:
    """Return a foreign text in quotes, printable and short enough for a message."""
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def rows(text: str, *, origin: str, today: dt.date | None) -> Iterator[Row]:
    """Yield the rows of a price file, in its order.

    Args:
        text: comma-separated values, the first line naming the columns; of `COLUMNS` only
            `REQUIRED` are needed, in any order. Blank lines are skipped.
        origin: names the file in errors, and is the source of rows that name none.
        today: no price may be of a later day; None leaves dates unchecked against the clock.

    Raises:
        PriceError: a row is not sound; the message names the file, the line and the column.
    """
    lines = _lines(text, origin=origin)
    header, place = next(lines, ([], Place(origin=origin, line=1)))
    columns = _columns(header, place=place)
    for cells, place in lines:
        if len(cells) != len(columns):
            raise PriceError(
                f"{place}: {len(cells)} fields where the header names {len(columns)} columns",
                remedy="leave a field empty by its comma; put text with a comma into quotes",
            )
        yield _row(dict(zip(columns, cells, strict=True)), place=place, today=today)


def _lines(text: str, *, origin: str) -> Iterator[tuple[list[str], Place]]:
    """Yield the fields of each line that is not blank, without the space around them."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.reader([f"{line}\n" for line in plain.split("\n")], strict=True)
    try:
        for cells in reader:
            place = Place(origin=origin, line=reader.line_num)
            stripped = [cell.strip() for cell in cells]
            for cell in stripped:
                if not cell.isprintable():
                    raise PriceError(
                        f"{place}: {shown(cell)} holds control characters",
                        remedy="save the file as plain comma-separated values in UTF-8",
                    )
            if any(stripped):
                yield stripped, place
    except csv.Error as error:
        raise PriceError(
            f"{origin}, line {reader.line_num}: {error}",
            remedy='close every quote, and write a quote within a quoted text twice: ""',
        ) from error


def _columns(header: Sequence[str], *, place: Place) -> Sequence[str]:
    if not header:
        raise PriceError(
            f"{place.origin}: there is nothing in this price file",
            remedy=f"begin it with the line {','.join(REQUIRED)}",
        )
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name[:_LONGEST].lower(), COLUMNS, n=1)
            raise PriceError(
                f"{place}: unknown column {shown(name)}",
                remedy=f"did you mean {near[0]!r}?"
                if near
                else f"the columns are {', '.join(COLUMNS)}, with commas between",
            )
        if header.count(name) > 1:
            raise PriceError(f"{place}: column {name!r} stands twice", remedy="remove one")
    for name in REQUIRED:
        if name not in header:
            raise PriceError(
                f"{place}: there is no column {name!r}",
                remedy=f"a price file needs the columns {', '.join(REQUIRED)}",
            )
    return header


def _row(fields: Mapping[str, str], *, place: Place, today: dt.date | None) -> Row:
    accelerator, count = _accelerator(fields, place)
    quote = Quote(
        usd_per_hour=_price(fields, place, accelerators=count),
        source=fields.get("source") or str(place),
        as_of=_date(fields, place, today=today),
        provider=_name(fields, "provider", place),
        instance=_name(fields, "instance", place),
        region=_name(fields, "region", place),
        purchase_model=_purchase_model(fields, place),
        vcpu=_count(fields, "vcpu", place),
        memory_gib=_amount(fields, "memory_gib", place),
        accelerator=accelerator,
        accelerator_count=count,
    )
    return Row(quote=quote, place=place)


def _refusal(fields: Mapping[str, str], column: str, place: Place, remedy: str) -> PriceError:
    found = fields.get(column) or ""
    said = shown(found) if found else "empty"
    return PriceError(f"{place}: {column} is {said}", remedy=remedy)


def _name(fields: Mapping[str, str], column: str, place: Place) -> str:
    name = fields[column]
    if not name or ":" in name or len(name) > _LONGEST:
        raise _refusal(
            fields, column, place, f"write a name of up to {_LONGEST} characters without a colon"
        )
    return name


def _purchase_model(fields: Mapping[str, str], place: Place) -> str:
    model = fields.get("purchase_model") or ON_DEMAND
    if not _WORD.fullmatch(model):
        raise _refusal(
            fields, "purchase_model", place, "write one word such as on_demand, spot or reserved_1y"
        )
    return model


def _amount(fields: Mapping[str, str], column: str, place: Place) -> Decimal | None:
    text = fields.get(column, "")
    if not text:
        return None
    if not _DECIMAL.fullmatch(text) or not Decimal(text):
        raise _refusal(fields, column, place, "write a plain number above zero, such as 0.526")
    return Decimal(text)


def _count(fields: Mapping[str, str], column: str, place: Place) -> int | None:
    text = fields.get(column, "")
    if not text:
        return None
    if not _COUNT.fullmatch(text) or not int(text):
        raise _refusal(fields, column, place, "write a whole number of at least 1, or nothing")
    return int(text)


def _price(fields: Mapping[str, str], place: Place, *, accelerators: int) -> Decimal:
    price = _amount(fields, "usd_per_hour", place)
    highest = HIGHEST_USD_PER_HOUR + accelerators * HIGHEST_PER_ACCELERATOR
    if price is None:
        raise _refusal(
            fields,
            "usd_per_hour",
            place,
            "write the US dollars of one hour, or leave the row out where there is no price",
        )
    if not LOWEST_USD_PER_HOUR <= price <= highest:
        raise _refusal(
            fields,
            "usd_per_hour",
            place,
            f"a price an hour of this machine is from {LOWEST_USD_PER_HOUR} to {highest} US"
            " dollars: check the unit, and that it is no placeholder",
        )
    return price


def _accelerator(fields: Mapping[str, str], place: Place) -> tuple[str, int]:
    """Return the accelerator's model and how many there are: both, or ("", 0)."""
    model = fields.get("accelerator", "")
    count = _count(fields, "accelerator_count", place)
    if model and count is None:
        raise _refusal(
            fields, "accelerator_count", place, f"say how many {shown(model)} the price includes"
        )
    if not model and (count or _amount(fields, "accelerator_memory_gib", place)):
        raise _refusal(fields, "accelerator", place, "name the accelerator, or empty its columns")
    _amount(fields, "accelerator_memory_gib", place)
    return model, count or 0


def _date(fields: Mapping[str, str], place: Place, *, today: dt.date | None) -> dt.date | None:
    text = fields.get("as_of", "")
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise _refusal(fields, "as_of", place, "write a day as YYYY-MM-DD")
    # A day ahead is not an error: the file's author may live east of this machine's clock.
    if today is not None and (day - today).days > 1:
        raise _refusal(fields, "as_of", place, f"today is {today}: write the day you saw the price")
    return day
