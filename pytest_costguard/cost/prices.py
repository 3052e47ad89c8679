"""The price table: which machine costs what an hour, where, since when, and who says so."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import msgspec

from pytest_costguard.cost.price_rows import COLUMNS, ON_DEMAND, REQUIRED, Place, rows, shown
from pytest_costguard.errors import PriceError
from pytest_costguard.records import Quote

__all__ = ["COLUMNS", "ON_DEMAND", "REQUIRED", "Key", "PriceTable", "discounted", "parse"]

Key = tuple[str, str, str, str]
"""Provider, instance, region, purchase model."""

_LISTED = 12
"""Names listed in a remedy at most."""
OWN_FILE = "put a row for it into your own price file (--costguard-prices=FILE.csv)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices by key. What is not in it has no price: nothing here ever guesses one."""

    quotes: Mapping[Key, Quote]
    origin: str

    @property
    def digest(self) -> str:
        """SHA-256 of every price with its source and date: equal digests price equally."""
        told = [msgspec.json.encode(self.quotes[key]) for key in sorted(self.quotes)]
        return hashlib.sha256(b"\n".join(told)).hexdigest()

    def find(self, key: str, purchase_model: str = ON_DEMAND) -> Quote:
        """Return the price of exactly this machine in this region under this purchase model.

        Args:
            key: `provider:instance:region`, as `aws:g5.xlarge:us-east-1`; a fourth part is the
                purchase model, and wins over the argument.
            purchase_model: as the table writes it.

        Raises:
            PriceError: there is no such price; the remedy names the nearest ones that there are.
        """
        wanted = _split(key, purchase_model=purchase_model)
        found = self.quotes.get(wanted)
        if found is None:
            raise self._unknown(wanted)
        return found

    def over(self, below: PriceTable) -> PriceTable:
        """Return this table laid over another: its prices win, the other's fill what it lacks.

        A row that says nothing of its hardware takes vCPUs, memory and accelerator from the other
        table's rows of the same instance, which has the same hardware in every region.
        """
        hardware = {key[:2]: quote for key, quote in below.quotes.items()}
        own = {
            key: _with_hardware(quote, hardware.get(key[:2])) for key, quote in self.quotes.items()
        }
        return PriceTable(
            quotes=MappingProxyType({**below.quotes, **own}),
            origin=f"{self.origin}, then {below.origin}",
        )

    def own_price(
        self, key: str | None, *, purchase_model: str, usd_per_hour: Decimal, source: str
    ) -> Quote:
        """Return a price that the user has set, with the hardware that the table knows of it.

        Args:
            key: `provider:instance:region`, in the table or not; None for a machine without one.
            purchase_model: as the user calls it.
            usd_per_hour: what an hour costs.
            source: who says so.

        Raises:
            PriceError: the key is not of that form.
        """
        quote = Quote(usd_per_hour=usd_per_hour, source=source, purchase_model=purchase_model)
        if key is None:
            return quote
        provider, instance, region, model = _split(key, purchase_model=purchase_model)
        quote = msgspec.structs.replace(
            quote, provider=provider, instance=instance, region=region, purchase_model=model
        )
        same = (known for found, known in self.quotes.items() if found[:2] == (provider, instance))
        return _with_hardware(quote, next(same, None))

    def _unknown(self, wanted: Key) -> PriceError:
        provider, instance, region, model = wanted
        name = shown(f"{provider}:{instance}:{region}")
        models = sorted(key[3] for key in self.quotes if key[:3] == wanted[:3])
        if models:
            return PriceError(
                f"{name} has no price for the purchase model {shown(model)} in {self.origin}",
                remedy=f"name one that it has, purchase_model = {_any_of(models)}, or {OWN_FILE}",
            )
        regions = sorted({key[2] for key in self.quotes if key[:2] == wanted[:2]})
        if regions:
            return PriceError(
                f"{shown(f'{provider}:{instance}')} has no price in the region {shown(region)}"
                f" in {self.origin}, and one of another region is never taken",
                remedy=f"name a region that it has, {_any_of(regions)}, or {OWN_FILE}",
            )
        return PriceError(
            f"{name} has no price in {self.origin}",
            remedy=f"{self._nearest(wanted)}; or {OWN_FILE}",
        )

    def _nearest(self, wanted: Key) -> str:
        known = {":".join(key[:3]).lower(): ":".join(key[:3]) for key in self.quotes}
        near = difflib.get_close_matches(":".join(wanted[:3])[:80].lower(), known, n=3, cutoff=0.7)
        if near:
            return f"did you mean {_any_of([known[name] for name in near])}?"
        own = sorted({key[1] for key in self.quotes if key[0] == wanted[0]})
        if own:
            return f"the instances of {wanted[0]} are {_listed(own)}"
        return f"the providers are {_listed(sorted({key[0] for key in self.quotes})) or 'none'}"


def discounted(quote: Quote, discount: Decimal) -> Quote:
    """Return a price less a discount, which it remembers.

    Args:
        quote: the price before.
        discount: a fraction from 0 to below 1; 0.3 is 30 %.

    Raises:
        PriceError: the discount leaves nothing of the price, or adds to it.
    """
    if not 0 <= discount < 1:
        raise PriceError(
            f"a discount of {discount} is no fraction from 0 to below 1", remedy="0.3 is 30 %"
        )
    if not discount:
        return quote
    return msgspec.structs.replace(
        quote, usd_per_hour=quote.usd_per_hour * (1 - discount), discount=discount
    )


def parse(
    text: str, origin: str, *, today: dt.date | None = None, complete: bool = False
) -> PriceTable:
    """Return the price table in the text of a CSV file.

    Args:
        text: as `price_rows.rows` describes.
        origin: names the file in errors and reports.
        today: no price may be of a later day; None leaves dates unchecked against the clock.
        complete: whether every row must carry a date and a source, as the bundled table's do.

    Raises:
        PriceError: the text is not a sound table, and nothing else ever.
    """
    quotes: dict[Key, Quote] = {}
    places: dict[Key, Place] = {}
    for row in rows(text, origin=origin, today=today):
        quote = row.quote
        key = (quote.provider, quote.instance, quote.region, quote.purchase_model)
        if key in quotes:
            raise PriceError(
                f"{row.place}: a second price for {shown(quote.key)}, {quote.purchase_model};"
                f" the first stands in line {places[key].line}",
                remedy="keep one row for each provider, instance, region and purchase model",
            )
        if complete and (quote.as_of is None or quote.source == str(row.place)):
            raise PriceError(
                f"{row.place}: {shown(quote.key)} lacks its date or its source",
                remedy="fill in as_of and source",
            )
        quotes[key], places[key] = quote, row.place
    return PriceTable(quotes=MappingProxyType(quotes), origin=origin)


def _split(key: str, *, purchase_model: str) -> Key:
    parts = [part.strip() for part in key.split(":")]
    if len(parts) == 3:
        parts.append(purchase_model)
    if len(parts) != 4 or not all(parts):
        raise PriceError(
            f"{shown(key)} is not the key of a price",
            remedy="write provider:instance:region, as aws:g5.xlarge:us-east-1",
        )
    provider, instance, region, model = parts
    return provider, instance, region, model


def _any_of(names: list[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _with_hardware(quote: Quote, known: Quote | None) -> Quote:
    if known is None or quote.vcpu is not None or quote.memory_gib is not None or quote.accelerator:
        return quote
    return msgspec.structs.replace(
        quote,
        vcpu=known.vcpu,
        memory_gib=known.memory_gib,
        accelerator=known.accelerator,
        accelerator_count=known.accelerator_count,
    )
