"""From the settings to the target that this run is priced on, with cloud detection if asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pytest_costguard.app.pricing import TargetSettings, load_table, resolve_target
from pytest_costguard.config.model import Settings
from pytest_costguard.host.cloud import DetectedMachine, detect
from pytest_costguard.records import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSetup:
    """One snapshot of prices for everything that this run compares."""

    target: Target | None
    problem: str
    """Why there is no target, or "" """
    digest: str
    """Of the price table, so that a price change is never taken for a code change."""


def priced_setup(settings: Settings, *, today: dt.date) -> PricedSetup:
    """Resolve target and prices; asks the cloud's metadata service only where told to.

    Raises:
        PriceError: the target or its price is not known, or a price file is not sound.
    """
    table = load_table(settings.prices_csv, today)
    wanted = TargetSettings(
        name=settings.target_name,
        name_origin=settings.target_origin or "configuration",
        price_usd_per_hour=settings.price_usd_per_hour,
        declared=settings.targets,
        currency=settings.currency,
    )
    target, problem = resolve_target(wanted, table, _detected(settings))
    return PricedSetup(target=target, problem=problem, digest=table.digest)


def _detected(settings: Settings) -> DetectedMachine | None:
    return detect() if settings.detect_target else None
