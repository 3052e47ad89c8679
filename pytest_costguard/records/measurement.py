"""What one side yields for one workload: units of blocks, latencies, memory, energy, quality."""

from __future__ import annotations

from typing import Literal

from pytest_costguard.records.base import (
    LEAST_SECONDS,
    MOST_COUNT,
    MOST_SECONDS,
    Record,
    require_all_seconds,
    require_counts,
    require_from,
    require_seconds,
    require_waits,
)
from pytest_costguard.records.load import Load, OpenLoop
from pytest_costguard.records.tokens import Tokens

SideName = Literal["base", "head"]
SIDES: tuple[SideName, SideName] = ("base", "head")
ScenarioKind = Literal[
    "single_stream", "multi_stream", "concurrent", "offline", "server", "max_rate"
]
OPEN_LOOPS: frozenset[ScenarioKind] = frozenset({"server", "max_rate"})
"""Where requests arrive whether or not those before were answered."""
TOGETHER = "together"
"""The name of a mixture, or its end where the test gave it one."""
_ALONE = " alone"
MOST_QUALITY = 1e100
"""In either direction."""
_MOST_JOULES = 1e18
_MOST_SENSED = 1e15
"""In any unit: seconds of all cores, megahertz, switches."""
FailedSide = Literal["base", "head", "both"]
PairingKind = Literal["alternating", "together", "restart"]
ClockName = Literal["wall", "cpu"]


class WorkloadId(Record, frozen=True, kw_only=True):
    """Who a workload is: the test's node id and, if there are several in a test, a name."""

    nodeid: str
    name: str = ""

    def __post_init__(self) -> None:
        if not self.nodeid:
            raise ValueError("nodeid must not be empty")
        if self.nodeid.startswith("-"):
            raise ValueError("nodeid must not begin with -: in a command it would be an option")

    def __str__(self) -> str:
        return f"{self.nodeid} [{self.name}]" if self.name else self.nodeid

    def alone(self, part: str) -> WorkloadId:
        """Return, of a mixture, who one of its parts is where it is measured alone."""
        before = self.name.removesuffix(TOGETHER)
        return WorkloadId(nodeid=self.nodeid, name=f"{before}{part}{_ALONE}")


def first_side(unit: int) -> SideName:
    """Return the side that is started first in a unit: the first one is slower by up to 3 %."""
    return SIDES[unit % 2]


class Scenario(Record, frozen=True, kw_only=True):
    """How requests arrive; `n` is the samples of a query or the number of callers."""

    kind: ScenarioKind = "single_stream"
    n: int = 1
    load: Load | None = None
    """Of an open loop, and of nothing else."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")
        if (self.kind in OPEN_LOOPS) != (self.load is not None):
            raise ValueError("an open loop, and nothing else, needs load")
        if self.load is not None and (self.kind == "server") != (self.load.rate is not None):
            raise ValueError("server needs a rate, and max_rate searches for it")

    def __str__(self) -> str:
        if self.kind in ("multi_stream", "concurrent"):
            return f"{self.kind}({self.n})"
        told = "" if self.load is None else str(self.load)
        return f"{self.kind}({told})" if told else self.kind


class Block(Record, frozen=True, kw_only=True):
    """One timed stretch: how long `requests` requests, holding `items` items, took together."""

    wall_seconds: float
    cpu_seconds: float
    requests: int
    items: int

    def __post_init__(self) -> None:
        # A report holds tens of thousands of blocks: look closer only where something is wrong.
        if (
            LEAST_SECONDS <= self.wall_seconds <= MOST_SECONDS
            and 0 <= self.cpu_seconds <= MOST_SECONDS
            and 0 < self.requests <= MOST_COUNT
            and 0 < self.items <= MOST_COUNT
        ):
            return
        require_seconds("wall_seconds", self.wall_seconds)
        require_waits("cpu_seconds", (self.cpu_seconds,))
        require_counts("requests", (self.requests,), least=1)
        require_counts("items", (self.items,), least=1)

    @property
    def seconds_per_request(self) -> float:
        """Wall seconds of one request."""
        return self.wall_seconds / self.requests


class Sensors(Record, frozen=True, kw_only=True):
    """What disturbed a timed stretch; `None` where this machine does not tell."""

    wall_seconds: float
    cpu_seconds: float
    run_queue_wait_seconds: float | None = None
    involuntary_switches: int | None = None
    voluntary_switches: int | None = None
    """How often a thread waited for something other than a core."""
    steal_seconds: float | None = None
    throttled_seconds: float | None = None
    load_average: float | None = None
    idle_seconds: float | None = None
    """How long the process waited between the timed blocks."""
    idle_cpu_seconds: float | None = None
    """CPU time that threads other than the waiting one used meanwhile: pools that spin."""
    device_clock_mhz: float | None = None
    """The lowest clock that a device had between the blocks."""
    device_lowered_by: tuple[str, ...] = ()
    """What held a device's clock down: heat, a power limit."""
    server_cpu_seconds: float | None = None
    """CPU time of the server's processes, where a server that the test started has answered."""
    server_idle_cpu_seconds: float | None = None
    """What they used of it between the timed blocks."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            # Counters of a machine may go back, so that what lies between two is below zero.
            if isinstance(value, int | float):
                require_from(name, value, least=-_MOST_SENSED, most=_MOST_SENSED)


class Memory(Record, frozen=True, kw_only=True):
    """The peak resident memory of the serving phase, and whether this workload was alone."""

    peak_bytes: int
    method: str
    device_peak_bytes: int | None = None
    alone: bool = True

    def __post_init__(self) -> None:
        require_counts("peak_bytes", (self.peak_bytes,), least=1)
        if self.device_peak_bytes is not None:
            require_counts("device_peak_bytes", (self.device_peak_bytes,))


class ColdStart(Record, frozen=True, kw_only=True):
    """Seconds of loading in a fresh process, and of the first call after it.

    The process's start and the imports of the test file are not in it. `load_seconds` is None
    where the test gave what it had loaded itself; of a server that the test has started, it is the
    time from its process's start until it was ready.
    """

    load_seconds: float | None
    first_call_seconds: float

    def __post_init__(self) -> None:
        if self.load_seconds is not None:
            require_waits("load_seconds", (self.load_seconds,))
        require_waits("first_call_seconds", (self.first_call_seconds,))

    @property
    def seconds(self) -> float | None:
        """Load to first answer; None where loading was not measured."""
        if self.load_seconds is None:
            return None
        return self.load_seconds + self.first_call_seconds


class Energy(Record, frozen=True, kw_only=True):
    """Joules spent while `items` items were served, and who measured them."""

    joules: float
    items: int
    source: str

    def __post_init__(self) -> None:
        require_from("joules", self.joules, least=0, most=_MOST_JOULES)
        require_counts("items", (self.items,), least=1)


class Warmup(Record, frozen=True, kw_only=True):
    """How a workload was warmed up; `settled` is False where it was still drifting."""

    requests: int
    seconds: float
    settled: bool

    def __post_init__(self) -> None:
        require_counts("requests", (self.requests,))
        require_waits("seconds", (self.seconds,))


class Pairing(Record, frozen=True, kw_only=True):
    """How both sides of a workload were measured beside each other, and why so.

    `alternating`: block by block. `together`: at the same time on one core, by CPU time.
    `restart`: one after the other, each alone.
    """

    kind: PairingKind
    clock: ClockName = "wall"
    """Which clock the mean latency, throughput and cost were compared by."""
    reason: str


class Unit(Record, frozen=True, kw_only=True):
    """What one fresh process measured of one workload."""

    index: int
    blocks: tuple[Block, ...]
    latency_seconds: tuple[float, ...]
    """Per-request latencies, in order of completion; in `offline` one for each block."""
    calibration_seconds: tuple[float, ...] = ()
    """Runs of the calibration kernel, interleaved with the blocks."""
    warmup: Warmup
    sensors: Sensors
    memory: Memory | None = None
    cold_start: ColdStart | None = None
    energy: Energy | None = None
    quality: float | None = None
    clock: ClockName = "wall"
    """By which clock its blocks are compared with the other side's."""
    together: tuple[Block, ...] = ()
    """Requests served while the other side ran on the same core: only their CPU time counts.

    They begin with the first input, a block each.
    """
    together_sensors: Sensors | None = None
    """Of those requests."""
    open_loop: OpenLoop | None = None
    """What load on it has shown; None where the next request waited for the last."""
    tokens: Tokens | None = None
    """What its answers tell of tokens; None where they are no text of a language model."""

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("a unit needs at least one block")
        loop = self.open_loop
        if loop and len(self.latency_seconds) != loop.requests - len(loop.unanswered):
            raise ValueError("latency_seconds must hold one for each answered request")
        require_all_seconds("latency_seconds", self.latency_seconds)
        require_all_seconds("calibration_seconds", self.calibration_seconds)
        if self.quality is not None:
            require_from("quality", self.quality, least=-MOST_QUALITY, most=MOST_QUALITY)

    @property
    def requests(self) -> int:
        """Measured requests."""
        return sum(block.requests for block in self.blocks)

    @property
    def items(self) -> int:
        """Measured items."""
        return sum(block.items for block in self.blocks)


class Declaration(Record, frozen=True, kw_only=True):
    """What the test said about a workload, as far as a comparison depends on it."""

    adapter: str
    scenario: Scenario = Scenario()
    threads: int = 1
    input_count: int
    input_digest: str
    model_digest: str | None = None
    details: dict[str, str] = {}
    """What the adapter says of itself: device, providers, precision."""
    labels: dict[str, str] = {}
    in_server: bool = False
    """Whether another process serves: what its threads take of a machine is not known here."""

    def __post_init__(self) -> None:
        require_counts("threads", (self.threads,), least=1)
        require_counts("input_count", (self.input_count,))


class Measurement(Record, frozen=True, kw_only=True):
    """What one side yields for one workload."""

    workload: WorkloadId
    declaration: Declaration
    units: tuple[Unit, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know: threads not as declared, modules not reset, and the like."""

    def __post_init__(self) -> None:
        load = self.declaration.scenario.load
        for unit in self.units:
            if (unit.open_loop is not None) != (load is not None):
                raise ValueError("open_loop must be in each unit of an open loop, and in no other")
        if len({unit.index for unit in self.units}) < len(self.units):
            raise ValueError(f"units of {self.workload} must have an index each of its own")


class Failure(Record, frozen=True, kw_only=True):
    """A workload, or a whole test, that could not be measured, and why."""

    workload: WorkloadId
    reason: str
    remedy: str
    details: str = ""
    """A traceback or the last output of the worker."""
    side: FailedSide = "head"
    """Where it was seen; `both` where base and head do not fit together, so that neither is at
    fault alone."""
