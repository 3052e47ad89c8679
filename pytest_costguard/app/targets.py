"""From the settings to the target that this run is priced on, with cloud detection if asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pytest_costguard.app.pricing import TargetSettings, load_table, resolve_target
from pytest_costguard.config.model import Settings
from pytest_costguard.host.cloud import DetectedMachine, detect
from pytest_costguard.records import Target

NOT_DETECTED = (
    "this machine could not be detected, though --costguard-detect-target asks for it: its"
    " firmware names no cloud that is known here (AWS, Google Cloud, Azure), or the cloud's"
    " metadata service gave no answer; declare the target, or give the price of this machine"
    " (--costguard-price=USD_PER_HOUR)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSetup:
    """One snapshot of prices for everything that this run compares."""

    target: Target | None
    problem: str
    """Why there is no target, or "" """
    digest: str
    """Of the price table, so that a price change is never taken for a code change."""


def priced_setup(
    settings: Settings,
    *,
    today: dt.date,
    detect: Callable[[], DetectedMachine | None] = detect,
) -> PricedSetup:
    """Resolve target and prices; asks the cloud's metadata service only where told to.

    Args:
        settings: what was said about target and prices.
        today: no price in the user's own file may be of a later day.
        detect: tells which cloud machine this is, or None.

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
    detected = detect() if settings.detect_target else None
    target, problem = resolve_target(wanted, table, detected)
    if target is None and not problem and settings.detect_target:
        problem = NOT_DETECTED
    return PricedSetup(target=target, problem=problem, digest=table.digest)
