"""A plan as rows of the FinOps Foundation's FOCUS 1.2: a month's forecast, by workload and label.

A forecast was billed to nobody: BilledCost is 0, and the effective, contracted and list costs are
what the month would come to.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from pytest_costguard.cost.traffic import HOURS_A_MONTH
from pytest_costguard.records import Month, Plan, Target
from pytest_costguard.reports.escaping import plain

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
)
"""The mandatory ones of FOCUS 1.2, in alphabetical order as there."""
_OWN = ("x_Workload", "x_Forecast", "x_EffectiveCostLower", "x_EffectiveCostUpper")
_FORMULAS = ("=", "+", "-", "@", "\t")
_UNFIT = re.compile(r"[^A-Za-z0-9_]")
_CENTS = Decimal("0.000001")


def render(plan: Plan, *, month: dt.date, account: str = "forecast") -> str:
    """Return the forecast of one calendar month as CSV, a row a workload.

    Args:
        plan: with a target; the autoscaled month where there is one, else the static one.
        month: any day of it.
        account: the billing account's id and name.
    """
    labels = sorted({key for one in plan.workloads for key in one.labels})
    written = io.StringIO()
    names = {key: f"x_Label_{_UNFIT.sub('_', key)}" for key in labels}
    writer = csv.DictWriter(
        written, fieldnames=[*COLUMNS, *_OWN, *names.values()], lineterminator="\r\n"
    )
    writer.writeheader()
    for row in _rows(plan, month=month, account=account, names=names):
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return written.getvalue()


def _rows(
    plan: Plan, *, month: dt.date, account: str, names: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    if plan.target is None:
        return
    start = dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC)
    following = (start + dt.timedelta(days=32)).replace(day=1)
    period = {"Start": start, "End": following}
    for one in plan.paid_for:
        way = one.autoscaled or one.static
        yield {
            **_money(way, target=plan.target),
            "BillingAccountId": account,
            "BillingAccountName": account,
            **{f"BillingPeriod{end}": f"{at:%Y-%m-%dT%H:%M:%SZ}" for end, at in period.items()},
            **{f"ChargePeriod{end}": f"{at:%Y-%m-%dT%H:%M:%SZ}" for end, at in period.items()},
            "ChargeCategory": "Usage",
            "ChargeClass": "",
            "ChargeDescription": f"Forecast of inference: {one.workload}, {one.traffic}",
            "InvoiceIssuerName": _provider(plan.target),
            "PricingQuantity": str(Decimal(repr(way.replicas)) * HOURS_A_MONTH),
            "PricingUnit": "Hours",
            "ProviderName": _provider(plan.target),
            "PublisherName": _provider(plan.target),
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": "Inference",
            "x_Workload": str(one.workload),
            "x_Forecast": "true",
            **{names[key]: value for key, value in one.labels.items()},
        }


def _money(way: Month, *, target: Target) -> dict[str, str]:
    currency = target.currency
    discount = target.quote.discount
    listed = way.bill.usd / (1 - discount) if 0 < discount < 1 else way.bill.usd

    def told(usd: Decimal | None) -> str:
        return "" if usd is None else str((usd * currency.per_usd).quantize(_CENTS))

    return {
        "BilledCost": "0",
        "BillingCurrency": currency.code,
        "ContractedCost": told(way.bill.usd),
        "EffectiveCost": told(way.bill.usd),
        "ListCost": told(listed),
        "x_EffectiveCostLower": told(way.bill.lower),
        "x_EffectiveCostUpper": told(way.bill.upper),
    }


def _provider(target: Target) -> str:
    return target.quote.provider or target.name


def _cell(value: str) -> str:
    """Return one line that a spreadsheet takes for text, and for no formula."""
    text = plain(value, limit=500)
    return f"'{text}" if text.startswith(_FORMULAS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False
