"""Which price a run is held to: the table, and the target that its settings come down to.

Precedence, first found: what the command line names, what the configuration names or declares, the
machine that was detected. A declared own price wins over any table, the user's price file over the
bundled table.
"""

from __future__ import annotations

import datetime as dt
import difflib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pytest_costguard.config.model import DeclaredTarget
from pytest_costguard.cost.prices import PriceTable, discounted, parse
from pytest_costguard.errors import PriceError
from pytest_costguard.host.cloud import DetectedMachine
from pytest_costguard.records import Currency, Quote, Target

NameOrigin = Literal["command line", "configuration"]

BUNDLED = "the bundled price table"
_LARGEST_FILE_BYTES = 16 * 1024 * 1024
"""A hundred thousand rows: a whole cloud's catalogue, and no more than a moment to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """What was said about the hardware that serves."""

    name: str | None = None
    """A declared target's name, or the key of a price, `provider:instance:region`."""
    name_origin: NameOrigin = "configuration"
    price_usd_per_hour: Decimal | None = None
    """What an hour of this very machine costs; wins over a name."""
    declared: Mapping[str, DeclaredTarget] = field(default_factory=dict)
    currency: Currency = field(default_factory=Currency)


def load_table(user_csv: Path | None, today: dt.date) -> PriceTable:
    """Return the bundled price table, with the user's own price file laid over it.

    Args:
        user_csv: the user's file, or None.
        today: no price in the user's file may be of a later day.

    Raises:
        PriceError: the file is missing, is not text, or a row of it is not sound.
    """
    resource = importlib.resources.files("pytest_costguard") / "_data" / "list_prices.csv"
    # Its dates are checked by its tests: a runner whose clock is wrong must not fail over them.
    bundled = parse(resource.read_text(encoding="utf-8"), BUNDLED, complete=True)
    if user_csv is None:
        return bundled
    return parse(_text(user_csv), str(user_csv), today=today).over(bundled)


def resolve_target(
    settings: TargetSettings, table: PriceTable, detected: DetectedMachine | None
) -> tuple[Target | None, str]:
    """Return the target that a run is priced on, or None and the problem with its remedy.

    What is named must exist. What is declared or detected may lack a price: then the run is not
    priced, and only a budget that needs the price fails. A single declared target need not be
    named, and a declared one always wins over the machine that was detected: a CI runner is
    usually not what serves. Where nothing is
    said at all, the answer is None and "".

    Args:
        settings: what the command line and the configuration say.
        table: where prices are looked up.
        detected: the machine that this is, where that was asked for and is known.

    Raises:
        PriceError: the name is neither a declared target's nor the key of a price.
    """
    if settings.price_usd_per_hour is not None:
        return _this_machine(settings.price_usd_per_hour, settings.currency), ""
    if settings.name is not None:
        return _named(settings.name, settings=settings, table=table)
    if len(settings.declared) == 1:
        (only,) = settings.declared.values()
        return _declared(only, settings=settings, table=table)
    if settings.declared:
        names = ", ".join(sorted(settings.declared))
        return None, f"several targets are declared ({names}): name one by --costguard-target=NAME"
    if detected is not None:
        return _detected(detected, settings=settings, table=table)
    return None, ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise PriceError(
            f"{path}: the price file could not be read: {error.strerror or error}",
            remedy="check the path that --costguard-prices or the key `prices` gives",
        ) from error
    if len(data) > _LARGEST_FILE_BYTES:
        raise PriceError(
            f"{path}: larger than {_LARGEST_FILE_BYTES // 2**20} MiB",
            remedy="keep only the rows of the machines that you price by",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PriceError(
            f"{path}: not UTF-8 text: {error.reason} at byte {error.start}",
            remedy="save it as comma-separated values in UTF-8",
        ) from error


def _this_machine(usd_per_hour: Decimal, currency: Currency) -> Target:
    quote = Quote(usd_per_hour=usd_per_hour, source="given as the price of this machine")
    return Target(name="this machine", origin="price", quote=quote, currency=currency)


def _named(name: str, *, settings: TargetSettings, table: PriceTable) -> tuple[Target | None, str]:
    declared = settings.declared.get(name)
    if declared is not None:
        return _declared(declared, settings=settings, table=table)
    if ":" in name:
        return Target(
            name=name,
            origin=settings.name_origin,
            quote=table.find(name),
            currency=settings.currency,
        ), ""
    near = difflib.get_close_matches(name[:80], settings.declared, n=1)
    known = ", ".join(sorted(settings.declared))
    raise PriceError(
        f"no target {name[:80]!r} is declared",
        remedy=f"did you mean {near[0]!r}?"
        if near
        else f"name one that is ({known or 'none is'}), or the key of a price such as"
        " aws:c7i.large:us-east-1",
    )


def _declared(
    declared: DeclaredTarget, *, settings: TargetSettings, table: PriceTable
) -> tuple[Target | None, str]:
    try:
        quote = _quote(declared, table)
    except PriceError as error:
        return None, f"{declared.origin}: {_problem(error)}"
    return Target(
        name=declared.name,
        origin=settings.name_origin if settings.name is not None else "configuration",
        quote=quote,
        currency=settings.currency,
        cpu_model=declared.cpu_model,
        cores=declared.cores,
        gpu=declared.gpu,
        stands_for=declared.stands_for,
        instance_share=declared.instance_share,
        workers_per_instance=declared.workers_per_instance,
    ), ""


def _quote(declared: DeclaredTarget, table: PriceTable) -> Quote:
    """Return the declared target's price, its own before the table's, less its discount."""
    if declared.usd_per_hour is not None:
        quote = table.own_price(
            declared.instance,
            purchase_model=declared.purchase_model,
            usd_per_hour=declared.usd_per_hour,
            source=f"own price, {declared.origin}",
        )
    elif declared.instance is not None:
        quote = table.find(declared.instance, declared.purchase_model)
    else:
        raise PriceError(
            f"the target {declared.name!r} has no price",
            remedy="give it an instance such as aws:c7i.large:us-east-1, or usd_per_hour",
        )
    return discounted(quote, declared.discount)


def _detected(
    detected: DetectedMachine, *, settings: TargetSettings, table: PriceTable
) -> tuple[Target | None, str]:
    key = f"{detected.provider}:{detected.instance}:{detected.region}"
    try:
        quote = table.find(key)
    except PriceError as error:
        return None, f"this machine was detected as {key}: {_problem(error)}"
    return Target(name=key, origin="detected", quote=quote, currency=settings.currency), ""


def _problem(error: PriceError) -> str:
    return f"{error.message}; {error.remedy}"
