"""The options of a plan, which the commands share that rest on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pytest_costguard.app.plan_subjects import PlanTerms
    from pytest_costguard.cost.queueing import Objective
    from pytest_costguard.records import Plan, Report

Command = TypeVar("Command", bound=Callable[..., Any])

_SHOWN = 200
_SCALERS = {"hpa": "HPA", "keda": "KEDA", "none": None}
_OPTIONS = (
    click.option(
        "--traffic",
        metavar="PROFILE",
        help="3M/day; peak=120/s,average=30/s; a CSV file with the columns time,rate or hour,rate;"
        " or the JSON of a Prometheus query_range. By default what each workload declares.",
    ),
    click.option(
        "--slo",
        multiple=True,
        metavar="PERCENTILE=DURATION",
        help="p95=50ms, for waiting and serving together; by default the SLOs of each workload.",
    ),
    click.option(
        "--utilisation",
        default="70%",
        show_default=True,
        metavar="PERCENT",
        help="How full replicas may be, where waiting times do not tell.",
    ),
    click.option("--spare", type=click.IntRange(0), default=0, help="More than are needed."),
    click.option(
        "--min",
        "minimum",
        type=click.IntRange(0),
        help="No fewer; by default one, and none at all where KEDA may stop the last.",
    ),
    click.option("--max", "maximum", type=click.IntRange(1), help="No more than these."),
    click.option(
        "--autoscaler",
        type=click.Choice([*_SCALERS]),
        default="hpa",
        show_default=True,
        help="Simulated over the profile, with its own defaults.",
    ),
    click.option(
        "--startup",
        metavar="DURATION",
        help="Until a new replica serves; by default its measured cold start.",
    ),
)


def plan_options(command: Command) -> Command:
    """Declare the options of a plan; `terms_of` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def terms_of(
    *,
    traffic: str | None,
    slo: tuple[str, ...],
    utilisation: str,
    spare: int,
    minimum: int | None,
    maximum: int | None,
    autoscaler: str,
    startup: str | None,
) -> PlanTerms:
    """Return what the options say.

    Raises:
        ConfigError: one of them is not understood.
        click.UsageError: they contradict each other.
    """
    from pytest_costguard.app.plan_subjects import PlanTerms
    from pytest_costguard.config.quantities import parse_duration, parse_share
    from pytest_costguard.config.words import optional
    from pytest_costguard.cost.autoscaling import SCALERS
    from pytest_costguard.cost.capacity import FleetLimits

    if maximum is not None and maximum < (minimum or 0):
        raise click.UsageError("--max is below --min")
    share = parse_share(utilisation, origin="command line", key="--utilisation")
    if not share > 0:
        raise click.UsageError("--utilisation must be above 0%")
    name = _SCALERS[autoscaler]
    return PlanTerms(
        traffic=traffic,
        objectives=tuple(map(_objective, slo)),
        limits=FleetLimits(minimum=minimum, maximum=maximum, spare=spare, utilisation=float(share)),
        scaler=next((one for one in SCALERS if one == name), None),
        startup_seconds=optional(startup, parse_duration, origin="command line", key="--startup"),
    )


def names_of(report: Report, wanted: tuple[str, ...], *, origin: str) -> tuple[str, ...]:
    """Return the workloads that are asked for, by `str(workload)`; none stands for all.

    Raises:
        ConfigError: there is none of that name.
    """
    from pytest_costguard.cli.chosen_workloads import chosen

    found = [one for text in wanted for one in chosen(report, text, origin=origin)]
    return tuple(dict.fromkeys(str(one.workload) for one in found))


def require_some(plan: Plan, *, origin: str, or_else: str = "") -> None:
    """Raise `ConfigError` where there is no plan of any workload.

    Args:
        plan: of a report.
        origin: where the report is.
        or_else: what can be done but for mending the first.
    """
    from pytest_costguard.errors import ConfigError

    if plan.workloads:
        return
    if not plan.unplanned:
        raise ConfigError(f"{origin}: no workload was measured", remedy="give another report")
    one = plan.unplanned[0]
    raise ConfigError(f"{one.workload}: no plan: {one.reason}", remedy=one.remedy + or_else)


@contextmanager
def figures_of(*paths: Path) -> Iterator[None]:
    """Tell figures with which nothing can be computed as damage of the files that hold them.

    Raises:
        RecordError: in place of the errors of arithmetic and of records that cannot be made.
    """
    from pytest_costguard.errors import RecordError

    try:
        yield
    except (ArithmeticError, ValueError) as error:
        words = str(error).partition("\n")[0][:_SHOWN] or type(error).__name__
        raise RecordError(
            f"{' or '.join(map(str, paths))}: a figure there is none that is measured: {words}",
            remedy="restore the file from where it came from, or measure again and write a new one;"
            " if it is whole, an option of the plan makes it so",
        ) from error


def _objective(text: str) -> Objective:
    from pytest_costguard.config.quantities import parse_duration
    from pytest_costguard.config.words import parse_choice
    from pytest_costguard.cost.queueing import Objective
    from pytest_costguard.records import PERCENTILES

    name, _, limit = text.partition("=")
    metric = parse_choice(name.strip(), [*PERCENTILES], origin="command line", key="--slo")
    seconds = parse_duration(limit.strip(), origin="command line", key=f"--slo {metric}")
    return Objective(quantile=PERCENTILES[metric], seconds=seconds)
