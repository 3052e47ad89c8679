"""The tables that only a file can hold: labels, gates, rules, targets, currency."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_costguard.config.files import ConfigFile, decode
from pytest_costguard.config.gates import parse_labels
from pytest_costguard.config.limits import parse_gates
from pytest_costguard.config.model import DeclaredGates, DeclaredTarget, Rule
from pytest_costguard.config.quantities import parse_factor, parse_threads
from pytest_costguard.config.targets import parse_targets
from pytest_costguard.config.traffic import declared_traffic
from pytest_costguard.config.words import optional, parse_text, refusal
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Currency

_CURRENCY_CODE = re.compile(r"[A-Z]{3}")


class RuleTable(msgspec.Struct, forbid_unknown_fields=True):
    """The shape of one `[[tool.costguard.rules]]`."""

    workload: str | None = None
    labels: dict[str, str] | None = None
    budget: dict[str, object] | None = None
    slo: dict[str, object] | None = None
    regression: dict[str, object] | None = None
    threads: int | None = None
    traffic: str | None = None


class CurrencyTable(msgspec.Struct, forbid_unknown_fields=True):
    """The shape of `[tool.costguard.currency]`."""

    code: str
    per_usd: str | int | float
    as_of: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTables:
    """The tables of a file, checked and in fixed units."""

    labels: dict[str, str]
    gates: DeclaredGates
    rules: tuple[Rule, ...]
    targets: dict[str, DeclaredTarget]
    currency: Currency


TABLE_KEYS = ("budget", "slo", "regression", "rules", "targets", "currency", "labels")


def parse_tables(file: ConfigFile) -> FileTables:
    """Return everything that the file's tables declare; its options are the cascade's.

    Raises:
        ConfigError: an unknown key, metric or currency, or a value that does not fit.
    """
    currency = _currency(file)
    table = file.table
    gates = parse_gates(
        budget=table.get("budget"),
        slo=table.get("slo"),
        regression=table.get("regression"),
        origin=file.name,
        path=file.prefix,
    )
    rules = _rules(file)
    _require_rates(currency, gates, *(rule.gates for rule in rules))
    return FileTables(
        labels=parse_labels(table.get("labels"), origin=file.name, key=file.key("labels")),
        gates=gates,
        rules=rules,
        targets=parse_targets(file, currency),
        currency=currency,
    )


def _require_rates(currency: Currency, *declared: DeclaredGates) -> None:
    """Raise now, rather than at the first test, for a limit in a currency without a rate."""
    for gates in declared:
        for limit in gates.limits.values():
            if limit is not None:
                limit.priced_in(currency)


def _currency(file: ConfigFile) -> Currency:
    """Return the declared currency, US dollars if there is none."""
    if "currency" not in file.table:
        return Currency()
    key = file.key("currency")
    table = decode(file.table["currency"], CurrencyTable, origin=file.name, key=key)
    if not _CURRENCY_CODE.fullmatch(table.code):
        raise refusal(
            table.code,
            "is no currency code",
            origin=file.name,
            key=f"{key}.code",
            remedy='write three capital letters, like "EUR"',
        )
    per_usd = parse_factor(table.per_usd, origin=file.name, key=f"{key}.per_usd")
    if table.code == "USD" and per_usd != 1:
        raise refusal(
            table.per_usd,
            "makes a US dollar worth something else",
            origin=file.name,
            key=f"{key}.per_usd",
            remedy="leave the table out for US dollars",
        )
    return Currency(code=table.code, per_usd=per_usd, as_of=table.as_of)


def _rules(file: ConfigFile) -> tuple[Rule, ...]:
    key = file.key("rules")
    declared = file.table.get("rules", [])
    if not isinstance(declared, list):
        raise refusal(
            declared,
            "is not a list of rules",
            origin=file.name,
            key=key,
            remedy="write each rule as [[tool.costguard.rules]], in YAML as an item of a list",
        )
    root = Path() if file.path is None else file.path.parent
    return tuple(
        _rule(value, origin=file.name, key=f"{key}[{place}]", root=root)
        for place, value in enumerate(declared)
    )


def _rule(value: object, *, origin: str, key: str, root: Path) -> Rule:
    table = decode(value, RuleTable, origin=origin, key=key)
    if table.workload is None and not table.labels:
        raise ConfigError(
            f"{origin}: {key} applies to everything: it has neither workload nor labels",
            remedy="give it a workload pattern or labels, or set its limits outside of the rules",
        )
    traffic = declared_traffic(table.traffic, origin=origin, key=f"{key}.traffic")
    rule = Rule(
        workload=optional(table.workload, parse_text, origin=origin, key=f"{key}.workload") or "",
        labels=parse_labels(table.labels, origin=origin, key=f"{key}.labels"),
        gates=parse_gates(
            budget=table.budget,
            slo=table.slo,
            regression=table.regression,
            origin=origin,
            path=key,
        ),
        threads=optional(table.threads, parse_threads, origin=origin, key=f"{key}.threads"),
        # Read at once: what a rule says is part of the configuration's digest.
        traffic=None if traffic is None else traffic.read(root),
        origin=f"{origin} {key}",
    )
    if not rule.gates and rule.threads is None and rule.traffic is None:
        raise ConfigError(
            f"{origin}: {key} sets nothing",
            remedy="give it a budget, slo, regression, threads or traffic",
        )
    return rule
