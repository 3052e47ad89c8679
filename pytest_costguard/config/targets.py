"""The hardware that serves, as `[tool.costguard.targets.NAME]` declares it."""

from __future__ import annotations

import re
import warnings
from decimal import Decimal

import msgspec

from pytest_costguard.config.files import ConfigFile, decode
from pytest_costguard.config.model import DeclaredTarget, in_usd
from pytest_costguard.config.quantities import parse_count, parse_share, parse_usd
from pytest_costguard.config.words import optional, parse_text, refusal, require_table
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Currency


class TargetTable(msgspec.Struct, forbid_unknown_fields=True):
    """The shape of one `[tool.costguard.targets.NAME]`."""

    instance: str | None = None
    usd_per_hour: str | int | float | None = None
    purchase_model: str = "on_demand"
    discount: str | None = None
    cpu_model: str | None = None
    cores: int | None = None
    gpu: str | None = None
    stands_for: bool = False
    instance_share: str | None = None
    workers_per_instance: int | None = None


def parse_targets(file: ConfigFile, currency: Currency) -> dict[str, DeclaredTarget]:
    """Return the targets that a file declares, by name; own prices in US dollars.

    Raises:
        ConfigError: a target without a price, an unknown key, or a value that does not fit.
    """
    key = file.key("targets")
    declared = require_table(file.table.get("targets", {}), origin=file.name, key=key)
    targets: dict[str, DeclaredTarget] = {}
    for name, value in declared.items():
        known = parse_text(name, origin=file.name, key=f"a name in {key}")
        at = f"{key}.{known}"
        table = decode(value, TargetTable, origin=file.name, key=at)
        targets[known] = _target(known, table, currency=currency, origin=file.name, key=at)
    return targets


def _target(
    name: str, table: TargetTable, *, currency: Currency, origin: str, key: str
) -> DeclaredTarget:
    if table.instance is None and table.usd_per_hour is None:
        raise ConfigError(
            f"{origin}: {key} has no price",
            remedy='give it an instance such as "aws:c7i.large:us-east-1", or usd_per_hour',
        )
    share = _share(table.instance_share, origin=origin, key=f"{key}.instance_share")
    if share is not None and table.workers_per_instance is not None:
        raise ConfigError(
            f"{origin}: {key} has instance_share and workers_per_instance",
            remedy="keep one: they say the same thing in two ways",
        )
    return DeclaredTarget(
        name=name,
        instance=optional(table.instance, parse_text, origin=origin, key=f"{key}.instance"),
        usd_per_hour=_usd_per_hour(table, currency=currency, origin=origin, key=key),
        purchase_model=parse_text(table.purchase_model, origin=origin, key=f"{key}.purchase_model"),
        discount=_discount(table.discount, origin=origin, key=f"{key}.discount"),
        cpu_model=_pattern(table.cpu_model, origin=origin, key=f"{key}.cpu_model"),
        cores=optional(table.cores, parse_count, origin=origin, key=f"{key}.cores"),
        gpu=optional(table.gpu, parse_text, origin=origin, key=f"{key}.gpu"),
        stands_for=table.stands_for,
        instance_share=share,
        workers_per_instance=optional(
            table.workers_per_instance,
            parse_count,
            origin=origin,
            key=f"{key}.workers_per_instance",
        ),
        origin=f"{origin} {key}",
    )


def _usd_per_hour(
    table: TargetTable, *, currency: Currency, origin: str, key: str
) -> Decimal | None:
    if table.usd_per_hour is None:
        return None
    key = f"{key}.usd_per_hour"
    amount, code = parse_usd(table.usd_per_hour, origin=origin, key=key)
    return in_usd(
        amount,
        code=code,
        currency=currency,
        origin=f"{origin} {key}",
        text=str(table.usd_per_hour),
    )


def _share(value: str | None, *, origin: str, key: str) -> Decimal | None:
    share = optional(value, parse_share, origin=origin, key=key)
    if share is not None and share == 0:
        raise refusal(
            value, "is nothing", origin=origin, key=key, remedy='write a share like "25%"'
        )
    return share


def _discount(value: str | None, *, origin: str, key: str) -> Decimal:
    discount = Decimal(0) if value is None else parse_share(value, origin=origin, key=key)
    if discount == 1:
        raise refusal(value, "makes it free", origin=origin, key=key, remedy="write less than 100%")
    return discount


def _pattern(value: str | None, *, origin: str, key: str) -> str | None:
    pattern = optional(value, parse_text, origin=origin, key=key)
    try:
        with warnings.catch_warnings():  # of syntax that may change its meaning one day
            warnings.simplefilter("ignore")
            re.compile(pattern or "")
    except (re.error, OverflowError, RecursionError) as error:
        raise refusal(
            value,
            f"is not a regular expression ({error})",
            origin=origin,
            key=key,
            remedy='escape special characters, or write a part of the name: "8488C"',
        ) from error
    return pattern
