"""Several workloads on one target: each part alone, and all of them served by one pool."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_costguard.app.adapters import is_address
from pytest_costguard.app.declared_scenarios import declared_scenario
from pytest_costguard.app.measure_call import MeasureCall, Quality
from pytest_costguard.config.loads import LOAD_OPTIONS
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import OPEN_LOOPS, TOGETHER, Load, Scenario, WorkloadId
from pytest_costguard.workloads.inputs import InputSet
from pytest_costguard.workloads.mixture import MixedInputs, MixedRequest, Mixture, MixturePart
from pytest_costguard.workloads.options import require_known

if TYPE_CHECKING:
    from pytest_costguard.app.servers import StartedServer

_LONGEST_NAME = 60
_EXAMPLE = (
    'costguard.measure_together({"reranker": costguard.part(rerank, inputs=[…], share=3),'
    ' "embedder": costguard.part(embed, inputs=[…])}, scenario="server", rate=100)'
)
_WITHOUT_PARTS = {
    "max_batch_size": "joins requests of one model, and not of several",
    "popularity": "would take the place of the shares",
}
_OF_ALL_PARTS = (*LOAD_OPTIONS, "scenario", "name", "collate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several workloads, as the test wrote it; nothing is loaded or consumed yet."""

    thing: Any
    load: Callable[[], Any] | None
    inputs: Callable[[], InputSet]
    """Consumes them once; alone and in the mixture the same ones are served."""
    batch_size: int | Callable[[Any], int] | None
    quality: Quality | None
    share: Fraction
    server: StartedServer | None
    """The server of the test that answers; None where none does."""
    options: Mapping[str, Any]

    @property
    def loads(self) -> bool:
        """Whether loading it is part of the measurement."""
        is_path = isinstance(self.thing, str | PathLike) and not is_address(self.thing)
        return self.load is not None or is_path

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process answers."""
        return self.server is not None or is_address(self.thing)

    def made(self) -> Any:
        """Return the workload, loaded by its own function where it has one."""
        return self.thing if self.load is None else self.load()

    def items_of(self, value: Any) -> Any:
        """Return how many inferences one of its inputs holds, as the test says it."""
        if self.batch_size is None:
            return 1
        return self.batch_size(value) if callable(self.batch_size) else self.batch_size


def declared_part(
    thing: Any,
    *,
    load: Callable[[], Any] | None,
    inputs: Any,
    batch_size: int | Callable[[Any], int] | None,
    quality: Quality | None,
    share: float,
    server: StartedServer | None,
    options: Mapping[str, Any],
    origin: str,
) -> Part:
    """Return a part of a mixture; raises `ConfigError` where an argument has no meaning in one."""
    for given in options:
        if given in _OF_ALL_PARTS:
            raise ConfigError(
                f"{origin}: part() got {given}=, which is said of all parts at once",
                remedy=f"give it to measure_together(…, {given}=…)",
            )
    if inspect.iscoroutinefunction(thing):
        raise ConfigError(
            f"{origin}: a part is a coroutine function, and open-loop load is served by plain"
            " functions, in threads",
            remedy="give a plain function or an address",
        )
    return Part(
        thing=thing,
        load=load,
        inputs=cache(lambda: InputSet.of(inputs)),
        batch_size=batch_size,
        quality=quality,
        share=_share(share, origin=origin),
        server=server,
        options=dict(options),
    )


def calls_of(
    parts: Mapping[str, Part],
    *,
    scenario: str,
    options: Mapping[str, Any],
    name: str,
    nodeid: str,
) -> dict[str, MeasureCall]:
    """Return the measurements of a mixture: each part alone by its name, then all together.

    Args:
        parts: by name, at least two.
        scenario: `server` or `max_rate`, of all parts.
        options: of the load, the rate of all parts among them.
        name: before the names of these workloads, where the test has several mixtures.
        nodeid: of the test.

    Raises:
        ConfigError: an argument is not understood, or does not fit a mixture.
    """
    _check(parts, options, nodeid=nodeid)
    declared = declared_scenario(
        scenario, thing=next(iter(parts.values())).thing, options=options, nodeid=nodeid
    )
    load = declared.scenario.load
    if load is None:
        raise ConfigError(
            f"{nodeid}: in scenario={scenario!r} no request meets another part's",
            remedy=f"use one of {', '.join(sorted(OPEN_LOOPS))}: {_EXAMPLE}",
        )
    require_known(declared.options, known=LOAD_OPTIONS, adapter=f"{nodeid}: measure_together")
    parts = {key: _with_timeout(one, load) for key, one in parts.items()}
    together = WorkloadId(nodeid=nodeid, name=f"{name} {TOGETHER}" if name else TOGETHER)
    total = sum(one.share for one in parts.values())
    shares = {key: float(one.share / total) for key, one in parts.items()}
    kind = declared.scenario.kind
    return {
        key: MeasureCall(
            workload=together.alone(key),
            thing=one.thing,
            load=one.load,
            inputs=one.inputs,
            batch_size=one.batch_size,
            quality=one.quality,
            scenario=Scenario(kind=kind, load=_alone(load, share=shares[key])),
            options=one.options,
            server=one.server,
        )
        for key, one in parts.items()
    } | {
        TOGETHER: _mixed(
            parts,
            workload=together,
            scenario=Scenario(kind=kind, load=msgspec.structs.replace(load, shares=shares)),
        )
    }


def _with_timeout(part: Part, load: Load) -> Part:
    """Let an address wait as long as the load does; it has a time limit of its own."""
    if not is_address(part.thing):
        return part
    return replace(part, options={**part.options, "timeout": load.timeout_seconds})


def _mixed(parts: Mapping[str, Part], *, workload: WorkloadId, scenario: Scenario) -> MeasureCall:
    declared = tuple(parts.values())
    mixture = Mixture(
        parts=tuple(
            MixturePart(name=key, make=one.made, options=one.options) for key, one in parts.items()
        )
    )
    # Of several servers none is the one whose memory and cold start are the mixture's.
    servers = {id(one.server): one.server for one in declared}
    server = declared[0].server if len(servers) == 1 else None
    # A cold start is that of all parts, or of none: it would be told as the whole machine's.
    loads = all(one.loads for one in declared)

    def inputs() -> InputSet:
        return MixedInputs.of_parts(
            [one.inputs() for one in declared], [one.share for one in declared]
        )

    def items(request: MixedRequest) -> int:
        return declared[request.part].items_of(request.value)  # type: ignore[no-any-return]  # whoever counts it checks it

    return MeasureCall(
        workload=workload,
        thing=None if loads else mixture,
        load=(lambda: mixture) if loads else None,
        inputs=inputs,
        batch_size=items,
        quality=None,
        scenario=scenario,
        options={},
        server=server,
        parts_elsewhere=all(one.is_elsewhere for one in declared),
    )


def _alone(load: Load, *, share: float) -> Load:
    """The load of one part: as many requests of it as there are in the mixture."""
    return load if load.rate is None else msgspec.structs.replace(load, rate=load.rate * share)


def _check(parts: Mapping[str, Part], options: Mapping[str, Any], *, nodeid: str) -> None:
    if not isinstance(parts, Mapping) or len(parts) < 2:
        raise ConfigError(
            f"{nodeid}: measure_together() needs two parts or more, by their names",
            remedy=f"{_EXAMPLE}; one workload alone is measured by costguard.measure(…)",
        )
    for name, one in parts.items():
        _check_name(name, nodeid=nodeid)
        if not isinstance(one, Part):
            raise ConfigError(
                f"{nodeid}: the part {name!r} is a {type(one).__qualname__}",
                remedy=f"declare it: costguard.part(…): {_EXAMPLE}",
            )
    if len({is_address(one.thing) for one in parts.values()}) > 1:
        raise ConfigError(
            f"{nodeid}: some parts are addresses and others are served in this process: no pool"
            " serves both",
            remedy="serve all parts behind addresses, or all in this process",
        )
    for option, why in _WITHOUT_PARTS.items():
        if options.get(option) is not None:
            raise ConfigError(
                f"{nodeid}: {option}= {why}, so it has no meaning in measure_together()",
                remedy=f"leave {option}= out",
            )


def _check_name(name: object, *, nodeid: str) -> None:
    sound = isinstance(name, str) and name == name.strip() and name.isprintable()
    if not sound or not name or len(str(name)) > _LONGEST_NAME:
        raise ConfigError(
            f"{nodeid}: a part is called {name!r}",
            remedy=f"give it a name of 1 to {_LONGEST_NAME} visible characters",
        )
    if name == TOGETHER:
        raise ConfigError(
            f"{nodeid}: a part is called {TOGETHER!r}, which is the name of all parts",
            remedy="call it by what it does: 'reranker'",
        )


def _share(share: float, *, origin: str) -> Fraction:
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not (is_number and math.isfinite(share) and share > 0):
        raise ConfigError(
            f"{origin}: share={share!r} is no number above zero",
            remedy="give each part its share of the requests: share=3 beside share=1 is 75 %",
        )
    # By its decimal text: 0.1 is a tenth, and not the nearest binary fraction.
    return Fraction(str(share))
