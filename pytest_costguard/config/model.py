"""The frozen settings of a run: everything resolved, in fixed units, with where it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pytest_costguard.config.acceptances import AcceptedChange
from pytest_costguard.config.commands import Commands
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import (
    Budget,
    ClockName,
    Currency,
    FailOn,
    PairingKind,
    Regression,
    Traffic,
)

Source = Literal["default", "file", "environment", "command line", "job"]
BudgetKind = Literal["budget", "slo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a setting was said: the rank of the place, and the place in words."""

    source: Source
    text: str
    """`--costguard-units`, `COSTGUARD_UNITS`, `pyproject.toml [tool.costguard] units`, `default`"""

    @property
    def this_run(self) -> bool:
        """Whether it was said for this run alone, so that it wins over tests and files."""
        return self.source in ("job", "command line", "environment")

    @property
    def is_default(self) -> bool:
        """Whether nobody has said it."""
        return self.source == "default"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget as declared: money is still in the currency in which it was written."""

    metric: str
    amount: float | Decimal
    """In the metric's unit; for `cost_per_1k` a Decimal in `currency`."""
    currency: str = ""
    bound: Literal["at most", "at least"]
    relative: bool = False
    kind: BudgetKind
    origin: str
    text: str

    def priced_in(self, currency: Currency, *, own: bool = False) -> Budget:
        """Return the budget in the metric's own unit, money in US dollars.

        Args:
            currency: The declared currency, with its rate.
            own: Whether it is said of one test, and not of many.

        Raises:
            ConfigError: the limit is in a currency that has no declared rate.
        """
        amount = self.amount
        if isinstance(amount, Decimal):
            amount = in_usd(
                amount, code=self.currency, currency=currency, origin=self.origin, text=self.text
            )
        return Budget(
            metric=self.metric,
            limit=float(amount),
            bound=self.bound,
            relative=self.relative,
            kind=self.kind,
            origin=self.origin,
            text=self.text,
            own=own,
        )


def in_usd(amount: Decimal, *, code: str, currency: Currency, origin: str, text: str) -> Decimal:
    """Return an amount in US dollars, by the declared rate.

    Raises:
        ConfigError: the amount is neither in US dollars nor in the declared currency.
    """
    if code == "USD":
        return amount
    if code == currency.code:
        return amount / currency.per_usd
    raise ConfigError(
        f"{origin}: {text!r} is in {code}, and no exchange rate for {code} is declared",
        remedy=f'write it in US dollars, or declare currency = {{ code = "{code}", per_usd = … }}',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredGates:
    """Budgets and regression rules that one place declares; None stands for "off"."""

    limits: Mapping[tuple[BudgetKind, str], Limit | None] = field(default_factory=dict)
    regressions: Mapping[str, Regression | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.limits or self.regressions)

    def over(self, below: DeclaredGates) -> DeclaredGates:
        """Return these gates laid over less specific ones: what is said here wins."""
        return DeclaredGates(
            limits={**below.limits, **self.limits},
            regressions={**below.regressions, **self.regressions},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of the file's rules: to which workloads it applies, and what it sets."""

    workload: str = ""
    """A pattern over the whole node id; `*` and `?` are wild, "" is every workload."""
    labels: Mapping[str, str] = field(default_factory=dict)
    gates: DeclaredGates = field(default_factory=DeclaredGates)
    threads: int | None = None
    traffic: Traffic | None = None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTarget:
    """Hardware that serves, as the configuration declares it: by instance, own price, or both."""

    name: str
    instance: str | None = None
    """A key of the price table, `provider:instance:region`."""
    usd_per_hour: Decimal | None = None
    purchase_model: str = "on_demand"
    discount: Decimal = Decimal(0)
    """A fraction to subtract from the price; 0.3 is 30 %."""
    cpu_model: str | None = None
    """A regular expression for the CPU model, known to compile."""
    cores: int | None = None
    gpu: str | None = None
    stands_for: bool = False
    instance_share: Decimal | None = None
    """The fraction of the instance that one worker takes."""
    workers_per_instance: int | None = None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one run, resolved by `cascade.resolve`."""

    measure: bool
    units: int
    unit_seconds: float
    timeout_seconds: float
    threads: int
    baseline: str
    store: str
    """Where baselines are kept, as it was written."""
    against: str | None
    """The revision to compare with, side by side."""
    escalate: bool
    """Whether what a stored baseline leaves in doubt is measured again, side by side."""
    workload_seconds: float
    suite_seconds: float
    deep: bool
    pairing: PairingKind | None
    """None: chosen for each workload."""
    clock: ClockName | None
    """None: chosen for each workload."""
    share: tuple[str, ...]
    """Patterns of ignored files that both revisions need."""
    base_python: str | None
    """The interpreter of base: an absolute path, one that starts where pytest was started, or a
    name to look for on PATH. Never set together with `base_environment`."""
    base_environment: Commands | None
    """What makes base's environment."""
    build: Commands | None
    """What builds each revision's tree."""
    save: str | None
    report_dir: Path | None
    fail_on: tuple[FailOn, ...]
    target_name: str | None
    target_origin: Literal["command line", "configuration"] | None
    """Who named the target; None where none is named."""
    price_usd_per_hour: Decimal | None
    """The price of this very machine; never set together with `target_name`."""
    prices_csv: Path | None
    detect_target: bool
    benchmarks: bool
    runner_spread: float | None
    """A fraction: 0.005 is 0.5 %."""
    isolate: Literal["test", "suite"]
    labels: Mapping[str, str]
    accepted: tuple[AcceptedChange, ...]
    """Regressions that somebody has accepted."""
    gates: DeclaredGates
    """The file-wide ones; `gates.gates_for` lays everything over each other."""
    rules: tuple[Rule, ...]
    targets: Mapping[str, DeclaredTarget]
    currency: Currency
    limits_of_this_run: DeclaredGates
    """Budgets from the command line or the environment."""
    allow: float | None
    catch: float | None
    origins: Mapping[str, Origin]
    """By option key."""
    rootdir: Path
    """What paths of markers begin at."""
    config_file: Path | None
    digest: str
    """SHA-256 of everything that measuring and deciding depend on, wherever it was said."""
