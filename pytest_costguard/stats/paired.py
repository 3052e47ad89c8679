"""The rule for two sides measured together: a few looks at a growing number of paired units.

A unit restarts both sides and yields one logarithm a metric, log(head ÷ base), signed so that
above 0 is worse. The side that is started first is slower by up to 3 %, so the starting order is
part of the model: D = δ + b·s + noise with s = +1 where base was first and -1 where head was, by
least squares, t on m - 2 degrees of freedom. At each look the change δ is held against what is
allowed and what must be caught; the error is split among the looks (Bonferroni), so that
stopping early costs nothing of what is promised.

What is typical is not all there is. Where the inputs differ, a unit also says what the change of
their total is, and, of times that add up, what that of all requests together is: few requests that
got much slower may move nothing else. A change that is surely above what is allowed in any of these
views, each with its share of the error, is a regression; and nothing is unchanged whose estimate in
one of them is what must be caught. Where CPU time decides, the sum by wall time may keep it back
too, and is never called a regression: what others do on the core is in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from types import MappingProxyType
from typing import Literal, TypeVar

from pytest_costguard.records import SideName, Verdict
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.limits import BETA, SUITE_ALPHA, Limits
from pytest_costguard.stats.quantiles import t_quantile, t_survival

Key = TypeVar("Key")
View = Literal["typical", "total", "summed", "waited"]
"""Of what a change is: what is typical, the total of the inputs, or all requests together.

The last one is that of all requests by wall time where CPU time decides.
"""

FEWEST_UNITS = 4
"""Two of each starting order: below it the model has no residuals to speak of."""
_SUM_SHARE = 0.1
"""Of alpha, for the sum over all requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedUnit:
    """What one unit says about one metric: log(head ÷ base), above 0 worse, and who was first."""

    change: float
    first: SideName
    total: float | None = None
    """The same of the whole input set, where `change` is what is typical of its parts."""
    summed: float | None = None
    """The same of the sum over all requests, those that are seldom slow with their full weight."""
    waited: float | None = None
    """The same by wall time, where CPU time decides: what waits now and then is in nothing else."""

    def __post_init__(self) -> None:
        for name in ("change", "total", "summed", "waited"):
            if not math.isfinite(getattr(self, name) or 0.0):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)!r}")

    def seen(self, view: View) -> float:
        """Return the change in a view; where that is not known, it is what is typical."""
        value = self.change if view == "typical" else getattr(self, view)
        return self.change if value is None else float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """After how many units to look, and which share of the error each look may spend."""

    units: tuple[int, ...]
    alpha_shares: tuple[float, ...] = ()
    """Of alpha, one a look; they sum to at most 1. Equal shares where none are given."""
    beta_shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.units or self.units[0] < FEWEST_UNITS:
            raise ValueError(f"looks begin at {FEWEST_UNITS} units, got {self.units}")
        if any(later <= earlier for earlier, later in pairwise(self.units)):
            raise ValueError(f"looks must grow, got {self.units}")
        for name in ("alpha_shares", "beta_shares"):
            shares = getattr(self, name) or (1 / len(self.units),) * len(self.units)
            if len(shares) != len(self.units) or min(shares) <= 0 or math.fsum(shares) > 1 + 1e-9:
                raise ValueError(f"{name} must be positive, one a look, and sum to at most 1")
            object.__setattr__(self, name, shares)

    @property
    def most(self) -> int:
        """The units of the last look."""
        return self.units[-1]

    def passed(self, units: int) -> tuple[int, ...]:
        """The positions of the looks that `units` units have reached."""
        return tuple(i for i, wanted in enumerate(self.units) if wanted <= units)


USUAL_LOOKS = Looks(units=(6, 10, 16, 24))
DEEP_LOOKS = Looks(units=(6, 10, 16, 24, 36, 48))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The change of units, free of the starting order, and how well it is known."""

    change: float
    order_effect: float
    """What being started first costs base, as a logarithm; 0 where one order was never seen."""
    standard_error: float
    spread: float
    """The standard deviation of a unit round the model."""
    df: int

    def lower(self, alpha: float) -> float:
        """What the change is above with probability 1 - `alpha`."""
        return self.change - t_quantile(1 - alpha, self.df) * self.standard_error

    def upper(self, alpha: float) -> float:
        """What the change is below with probability 1 - `alpha`."""
        return self.change + t_quantile(1 - alpha, self.df) * self.standard_error

    def p_above(self, limit: float) -> float:
        """The probability of a change as large as this one if the true one were `limit`."""
        if self.standard_error == 0.0:
            return 0.0 if self.change > limit else 1.0
        return t_survival((self.change - limit) / self.standard_error, self.df)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A change in one view, with its bounds as in `PairedDecision`."""

    view: View
    change: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBack:
    """What is not unchanged where what is typical is: the estimate in the view that says so."""

    view: View
    change: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDecision:
    """A verdict, or None before the first that can be given, with all that it rests on."""

    verdict: Verdict | None
    """None while there are looks to come; `inconclusive` at the last one."""
    units: int
    """How many units it rests on: those of the deciding look, or all."""
    change: float
    lower: float
    """The change is surely above it, at 1 - alpha of this look."""
    upper: float
    """The change is surely below it: at 1 - beta, and at 1 - alpha where `improved` is said."""
    smallest_visible: float
    """The smallest change that could have been called regressed."""
    units_needed: int
    """About how many units would decide a change that is not between the two limits."""
    p_regressed: float
    """P-value of "no more than allowed" over all looks so far (Bonferroni); for `holm`."""
    view: View = "typical"
    """Of what change and bounds are: another than what is typical where only that got worse."""
    kept_back: KeptBack | None = None
    """What keeps back "unchanged", where what is typical would allow it."""
    worst: Bounded | None = None
    """The view with the smallest p-value now, where it is another: what is shown with `holm`."""


def fit(units: Sequence[PairedUnit]) -> Fit:
    """Fit the change and the effect of the starting order by least squares.

    Raises:
        ValueError: for fewer than 4 units, or where both orders were not seen.
    """
    if len(units) < FEWEST_UNITS:
        raise ValueError(f"paired units: at least {FEWEST_UNITS} are needed, got {len(units)}")
    changes = [unit.change for unit in units]
    signs = [1.0 if unit.first == "base" else -1.0 for unit in units]
    sign_mean, change_mean = mean(signs), mean(changes)
    sign_squares = math.fsum((sign - sign_mean) ** 2 for sign in signs)
    if sign_squares == 0.0:
        raise ValueError("paired units: both starting orders are needed")
    order_effect = (
        math.fsum(
            (sign - sign_mean) * (change - change_mean)
            for sign, change in zip(signs, changes, strict=True)
        )
        / sign_squares
    )
    change = change_mean - order_effect * sign_mean
    squares = math.fsum(
        (value - change - order_effect * sign) ** 2
        for sign, value in zip(signs, changes, strict=True)
    )
    df = len(units) - 2
    spread = math.sqrt(squares / df)
    return Fit(
        change=change,
        order_effect=order_effect,
        standard_error=spread * math.sqrt(1 / len(units) + sign_mean**2 / sign_squares),
        spread=spread,
        df=df,
    )


def decide_paired(
    units: Sequence[PairedUnit], *, limits: Limits, looks: Looks = USUAL_LOOKS, final: bool = False
) -> PairedDecision:
    """Look at the units as often as they allow, and stop at the first look that decides.

    Called again with the same units it says the same, so a stored comparison repeats its verdict
    exactly; called with more it never takes back what a look has decided.

    Args:
        units: in the order in which they were measured; at least 4, with both orders.
        limits: what is allowed, what must be caught, how many hypotheses share the error.
        looks: when to look. Units beyond the last look are not used.
        final: no more units will come: what is undecided is `inconclusive`. Units after the last
            look that was reached inform the estimate, and no verdict.

    Raises:
        ValueError: for fewer than 4 units, or where both orders were not seen.
    """
    best_p = 1.0
    reached = looks.passed(len(units))
    for look in reached:
        decision = _look(units[: looks.units[look]], look, looks=looks, limits=limits)
        best_p = min(best_p, decision.p_regressed)
        if decision.verdict is not None:
            return replace(decision, p_regressed=best_p)
    ended = final or len(reached) == len(looks.units)
    # Nothing is decided between looks: what is shown there are the bounds of the look to come.
    coming = min(len(reached), len(looks.units) - 1)
    estimate = _look(units[: looks.most], coming, looks=looks, limits=limits)
    return replace(estimate, verdict=Verdict.INCONCLUSIVE if ended else None, p_regressed=best_p)


def holm(
    decisions: Mapping[Key, PairedDecision], *, hypotheses: int | None = None
) -> frozenset[Key]:
    """Return the inconclusive hypotheses that are regressed once all are seen together.

    Holm's step-down procedure over the p-values of "no more than allowed", each multiplied by
    its looks; it keeps the error of the whole suite (Holm, Scand. J. Statist. 6 (1979) 65). It
    turns an inconclusive into a regressed, and nothing else.

    Args:
        decisions: of every hypothesis that is compared side by side, whatever its verdict.
        hypotheses: of the whole suite, budgets and all: they keep their share of its error. None:
            there are no others.
    """
    alpha = SUITE_ALPHA * min(1.0, len(decisions) / (hypotheses or max(1, len(decisions))))
    ordered = sorted(decisions, key=lambda key: decisions[key].p_regressed)
    rejected = []
    for position, key in enumerate(ordered):
        if decisions[key].p_regressed > alpha / (len(ordered) - position):
            break
        rejected.append(key)
    return frozenset(key for key in rejected if decisions[key].verdict is Verdict.INCONCLUSIVE)


def shares(*, total: bool, summed: bool) -> Mapping[View, float]:
    """Return which share of alpha each view may spend on "regressed"; they sum to 1.

    Few requests that got much slower show after more units, or when they cost much: so the sum
    over all requests gets little, and what is typical keeps nearly all of its power.

    Args:
        total: whether the inputs' total is another than what is typical.
        summed: whether times are summed over all requests.
    """
    rest = 1.0 - (_SUM_SHARE if summed else 0.0)
    found: dict[View, float] = {"typical": rest}
    if total:
        found = {"typical": rest / 2, "total": rest / 2}
    if summed:
        found["summed"] = _SUM_SHARE
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the units say in one view, and what error it may spend."""

    view: View
    share: float
    """Of the look's alpha."""
    alpha: float
    fitted: Fit
    centre: float
    """The estimate that "unchanged" needs to agree."""

    @property
    def lower(self) -> float:
        return self.fitted.lower(self.alpha)

    def p_above(self, limit: float) -> float:
        """The p-value of "no more than `limit`", for all views together."""
        return self.fitted.p_above(limit) / self.share


def _views(units: Sequence[PairedUnit], *, alpha: float) -> Sequence[_Seen]:
    """Look at the units in every view there is, what is typical first.

    A unit without a total has served all inputs in every pair, so that what is typical is its
    total. One without a sum says nothing about it, and then there is none.
    """
    known = shares(
        total=any(unit.total is not None for unit in units),
        summed=all(unit.summed is not None for unit in units),
    )
    found = []
    for view, share in known.items():
        seen = as_seen(units, view)
        fitted = fit(seen)
        centre = median([unit.change for unit in seen]) if view == "total" else fitted.change
        found.append(
            _Seen(view=view, share=share, alpha=share * alpha, fitted=fitted, centre=centre)
        )
    return found


def _look(
    units: Sequence[PairedUnit], look: int, *, looks: Looks, limits: Limits
) -> PairedDecision:
    """What these units say with the error that this look may spend; verdict None if nothing."""
    alpha, beta = limits.alpha * looks.alpha_shares[look], BETA * looks.beta_shares[look]
    allowed, caught = math.log1p(limits.allow), math.log1p(limits.catch)
    better = -math.log1p(limits.improvement)
    views = _views(units, alpha=alpha)
    shown = next((seen for seen in views if seen.lower > allowed), views[0])
    centres = _centres(units, views)
    highest = max(centres.values())
    worst = min(views, key=lambda seen: seen.p_above(allowed))
    fitted, lower = shown.fitted, shown.lower
    near, far = fitted.upper(beta), fitted.upper(alpha)
    verdict, upper = None, near
    if lower > allowed:
        verdict = Verdict.REGRESSED
    elif near < caught and far < better and highest < better:
        verdict, upper = Verdict.IMPROVED, far
    elif near < caught and highest < caught:
        verdict = Verdict.UNCHANGED
    reach = t_quantile(1 - shown.alpha, fitted.df) + t_quantile(1 - beta, fitted.df)
    return PairedDecision(
        verdict=verdict,
        units=len(units),
        change=fitted.change,
        lower=lower,
        upper=upper,
        smallest_visible=allowed + fitted.change - lower,
        units_needed=math.ceil((reach * fitted.spread / (caught - allowed)) ** 2),
        p_regressed=min(1.0, worst.p_above(allowed) / looks.alpha_shares[look]),
        view=shown.view,
        kept_back=_kept_back(centres, caught) if verdict is None and near < caught else None,
        worst=None
        if worst.view == "typical"
        else Bounded(
            view=worst.view,
            change=worst.fitted.change,
            lower=worst.lower,
            upper=worst.fitted.upper(beta),
        ),
    )


def _centres(units: Sequence[PairedUnit], views: Sequence[_Seen]) -> Mapping[View, float]:
    """Return the estimates that "unchanged" needs to agree, by view."""
    centres = {seen.view: seen.centre for seen in views}
    if all(unit.waited is not None for unit in units):
        centres["waited"] = fit(as_seen(units, "waited")).change
    return centres


def _kept_back(centres: Mapping[View, float], caught: float) -> KeptBack | None:
    """Return the first view in which the estimate is what must be caught."""
    return next(
        (
            KeptBack(view=view, change=centre)
            for view, centre in centres.items()
            if centre >= caught
        ),
        None,
    )


def as_seen(units: Sequence[PairedUnit], view: View) -> tuple[PairedUnit, ...]:
    """Return the units with the change in one view in place of what is typical.

    A unit that does not know it has what is typical.
    """
    return tuple(PairedUnit(change=unit.seen(view), first=unit.first) for unit in units)
