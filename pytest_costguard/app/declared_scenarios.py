"""How requests arrive, as a test writes it: a scenario's name, and the options that are its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from pytest_costguard.app.adapters import is_address
from pytest_costguard.config.calls import parse_call
from pytest_costguard.config.loads import LOAD_OPTIONS, parse_load
from pytest_costguard.config.quantities import parse_duration
from pytest_costguard.config.words import nearest
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import OPEN_LOOPS, QUANTILES, Scenario, ScenarioKind
from pytest_costguard.workloads.collating import joined_requests

_COUNTED = ("multi_stream", "concurrent")
_SCENARIOS = (
    "use single_stream, multi_stream(n), concurrent(k), offline, server with rate=, or max_rate"
    " with slo="
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredScenario:
    """How requests arrive, and what is left of the options for the adapter."""

    scenario: Scenario
    options: Mapping[str, Any]
    collate: Callable[[list[Any]], Any] | None = None


def declared_scenario(
    text: str | Scenario, *, thing: object, options: Mapping[str, Any], nodeid: str
) -> DeclaredScenario:
    """Read a scenario with the options that are its own.

    Raises:
        ConfigError: it is not known, or its number, rate or SLO is missing, wrong or not wanted.
    """
    given = {name: value for name, value in options.items() if value is not None}
    kind, number = _named(text, nodeid=nodeid)
    if isinstance(text, Scenario):
        return DeclaredScenario(scenario=text, options=given)
    if kind not in OPEN_LOOPS:
        strange = [name for name in LOAD_OPTIONS if name in given and name != "timeout"]
        if strange:
            raise ConfigError(
                f"{nodeid}: {strange[0]}= has no meaning in scenario={text!r}",
                remedy="use scenario='server' or 'max_rate', where requests arrive by themselves",
            )
        if "timeout" in given and is_address(thing):
            given["timeout"] = parse_duration(given["timeout"], origin=nodeid, key="timeout")
        return DeclaredScenario(
            scenario=_closed_loop(kind, number, text=text, nodeid=nodeid), options=given
        )
    return _open_loop(kind, number, given, text=text, thing=thing, nodeid=nodeid)


def require_slo_of_search(
    text: str | Scenario, *, slo: object, marker_slo: Mapping[str, object], nodeid: str
) -> None:
    """Raise where a search has no SLO of its own and the marker has one that was meant for it.

    Args:
        text: the scenario, as the test wrote it.
        slo: what `measure` was given.
        marker_slo: the `slo=` of the test's markers, as they say it.
        nodeid: of the test.

    Raises:
        ConfigError: with the argument to write.
    """
    meant = {metric: limit for metric, limit in marker_slo.items() if metric in QUANTILES}
    if slo or not meant or isinstance(text, Scenario) or str(text).strip() != "max_rate":
        return
    written = ", ".join(f'"{metric}": "{limit}"' for metric, limit in meant.items())
    raise ConfigError(
        f"{nodeid}: scenario='max_rate' needs the SLO that the rate must keep in measure(): the"
        " slo= of the marker is what the test's own latencies are held to, and a search has none",
        remedy=f"write it there: costguard.measure(…, scenario='max_rate', slo={{{written}}})",
    )


def _open_loop(
    kind: ScenarioKind,
    number: str | None,
    given: dict[str, Any],
    *,
    text: str,
    thing: object,
    nodeid: str,
) -> DeclaredScenario:
    if number is not None:
        if "rate" in given:
            raise ConfigError(
                f"{nodeid}: scenario={text!r} has a rate, and rate={given['rate']!r} is another",
                remedy="say it once: scenario='server', rate=100",
            )
        given["rate"] = number
    collate = given.pop("collate", None)
    options = {name: value for name, value in given.items() if name not in LOAD_OPTIONS}
    for name in options:
        if near := nearest(name, LOAD_OPTIONS, cutoff=0.75):
            raise ConfigError(
                f"{nodeid}: unknown option {name!r}", remedy=f"did you mean {near!r}?"
            )
    load = parse_load(
        {name: value for name, value in given.items() if name in LOAD_OPTIONS},
        searched=kind == "max_rate",
        is_endpoint=is_address(thing),
        origin=nodeid,
    )
    if load.max_batch_size > 1:
        collate = collate or joined_requests
    if is_address(thing):
        options["timeout"] = load.timeout_seconds
    return DeclaredScenario(
        scenario=Scenario(kind=kind, load=load),
        options=options,
        collate=collate,
    )


def _named(text: str | Scenario, *, nodeid: str) -> tuple[ScenarioKind, str | None]:
    if isinstance(text, Scenario):
        return text.kind, None
    found = parse_call(text)
    if found is None or found.name not in get_args(ScenarioKind):
        raise ConfigError(f"{nodeid}: scenario={text!r} is not understood", remedy=_SCENARIOS)
    return cast(ScenarioKind, found.name), found.number


def _closed_loop(kind: ScenarioKind, number: str | None, *, text: str, nodeid: str) -> Scenario:
    if (kind in _COUNTED) != (number is not None):
        raise ConfigError(f"{nodeid}: scenario={text!r} is not understood", remedy=_SCENARIOS)
    if number is not None and (not re.fullmatch(r"[0-9]{1,6}", number) or int(number) < 1):
        raise ConfigError(
            f"{nodeid}: scenario={text!r} needs a number of at least 1",
            remedy=f"for example {kind}(4)",
        )
    return Scenario(kind=kind, n=int(number or 1))


def parse_scenario(text: str, *, nodeid: str) -> Scenario:
    """Read a scenario that has no options beside its name; raises `ConfigError`."""
    return declared_scenario(text, thing=None, options={}, nodeid=nodeid).scenario
