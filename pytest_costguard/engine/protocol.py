"""What a coordinator and a worker say to each other: one frozen message for each sentence."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pytest_costguard.records import (
    Block,
    ColdStart,
    Declaration,
    Energy,
    Fingerprint,
    Measurement,
    Memory,
    OpenLoop,
    Sensors,
    Tokens,
    Warmup,
    WorkloadId,
)


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of the protocol; the concrete class is its tag."""


# From the worker -------------------------------------------------------------------------------


class DeclaredMarks(_Message, frozen=True, kw_only=True):
    """What a test's markers say, as far as its processes depend on it."""

    threads: int | None = None
    labels: dict[str, str] = {}


class Hello(_Message, frozen=True, kw_only=True, tag=True):
    """The worker is up; `missing` are tests that were asked for and not collected."""

    tool_version: str
    fingerprint: Fingerprint
    missing: tuple[str, ...] = ()
    census: dict[str, DeclaredMarks] = {}
    """Every test that measures, by node id, where the task asked for it."""


class Reached(_Message, frozen=True, kw_only=True, tag=True):
    """A test has come to this workload, which is not loaded yet: `Load` it, or `Proceed`."""

    workload: WorkloadId
    parallel: int = 1
    """How many cores its threads and callers can keep busy; 0: not known, as of a server."""


class Announced(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `Load`: the workload is loaded, has answered once, and waits for commands."""

    workload: WorkloadId
    declaration: Declaration
    cold_start: ColdStart | None
    """None where an earlier workload was loaded by this process."""
    has_quality: bool
    alone: bool
    """Whether no other workload was loaded by this process before."""
    notes: tuple[str, ...] = ()
    """What a reader must know of how it was declared."""
    leaks: tuple[str, ...] = ()
    """Modules of the project that this process took from elsewhere than its own tree."""
    own_files: tuple[str, ...] = ()
    """Files of its tree that it loaded as modules, relative to the tree; none without a guard."""
    is_async: bool = False
    uses_device: bool = False
    """Whether something other than the CPU does its work."""
    in_server: bool = False
    """Whether a server does its work."""
    pinned: bool = True
    """Whether the process is held to the cores that it was told."""
    cpu_time_step_seconds: float = 0.0
    """How finely the process's CPU time is told."""


class WarmedUp(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `WarmUp`."""

    warmup: Warmup
    seconds_per_request: float
    sensors: Sensors
    """Of the whole warm-up."""


class BlockDone(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `RunBlock`."""

    block: Block
    latency_seconds: tuple[float, ...]
    tokens: Tokens | None = None


class WindowDone(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `RunWindow` and `SearchRate`: what one window of load has shown."""

    block: Block
    latency_seconds: tuple[float, ...]
    open_loop: OpenLoop
    tokens: Tokens | None = None


class TogetherDone(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `Count`: a block for each request; the worker goes on serving until `Stop`."""

    blocks: tuple[Block, ...]
    sensors: Sensors | None = None
    """Of these requests: the core was shared, so they waited for it."""


class Stopped(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `Stop`."""


class Calibrated(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `Calibrate`: seconds of one run of the calibration kernel."""

    seconds: float


class Began(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `Begin`, `BeginMeter` and `RunTogether`."""


class Ended(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `End`: what was observed since `Begin`."""

    sensors: Sensors
    memory: Memory | None
    quality: float | None
    has_meter: bool = False
    """Whether this machine counts energy, so that metering is worth its time."""
    notes: tuple[str, ...] = ()


class EndedTogether(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `EndTogether`."""

    memory: Memory | None
    """The peak since `Begin`."""
    quality: float | None


class Metered(_Message, frozen=True, kw_only=True, tag=True):
    """The answer to `EndMeter`; None where a counter could not be read."""

    energy: Energy | None


class Refused(_Message, frozen=True, kw_only=True, tag=True):
    """A workload could not be loaded or served; the test goes on as it likes."""

    workload: WorkloadId
    reason: str
    remedy: str
    details: str = ""
    needs_the_machine: str = ""
    """What both sides cannot have at the same time, where that may be why; then each alone can."""


class Skipped(_Message, frozen=True, kw_only=True, tag=True):
    """Loading or serving a workload skipped the test, or said that it was expected to fail."""

    workload: WorkloadId
    reason: str
    expected_failure: bool = False


class TestEnded(_Message, frozen=True, kw_only=True, tag=True):
    """A test of the worker session ended."""

    nodeid: str
    outcome: Literal["passed", "failed", "skipped"]
    details: str = ""


class SessionEnded(_Message, frozen=True, kw_only=True, tag=True):
    """The worker session ended by itself, with pytest's exit status."""

    status: int


# From the coordinator --------------------------------------------------------------------------


class Task(_Message, frozen=True, kw_only=True, tag=True):
    """What a worker session is told first, before it collects anything."""

    nodeids: tuple[str, ...]
    threads: int
    options: dict[str, Any] = {}
    """Values of the options that the project's own conftest files define."""
    settings: dict[str, Any] = {}
    """What the worker's measuring needs of the configuration."""
    census: bool = False
    """Run nothing: say which tests measure."""


class Load(_Message, frozen=True, kw_only=True, tag=True):
    """Load the workload that was reached, and let it answer once."""

    cores: tuple[int, ...] = ()
    """Hold the process to these cores first; none: it stays where it is."""


class WarmUp(_Message, frozen=True, kw_only=True, tag=True):
    """Warm the announced workload up, for at most `max_seconds`."""

    max_seconds: float


class Begin(_Message, frozen=True, kw_only=True, tag=True):
    """Reset the memory peak and start the sensors."""


class RunBlock(_Message, frozen=True, kw_only=True, tag=True):
    """Serve `discard` untimed requests, then `requests` timed ones, from input `first` on."""

    first: int
    requests: int
    discard: int


class RunWindow(_Message, frozen=True, kw_only=True, tag=True):
    """Send `requests` requests at a rate, in an open loop, after a ramp that is not counted."""

    rate: float
    requests: int
    turn: int
    """Both sides send the same schedule in the same turn."""
    longest_seconds: float
    """What a window is planned to take at most."""


class SearchRate(_Message, frozen=True, kw_only=True, tag=True):
    """Search for the highest rate that keeps the SLO, for at most `max_seconds` and a window."""

    start: float
    known: bool
    """Whether an earlier search has ended at `start`."""
    turn: int
    max_seconds: float


class RunTogether(_Message, frozen=True, kw_only=True, tag=True):
    """Be ready to serve request after request while the other side does too, from input `first` on.

    On `Count` they begin; after one that is not timed, `requests` of them are.
    """

    first: int
    requests: int


class Count(_Message, frozen=True, kw_only=True, tag=True):
    """Both sides are ready: begin."""


class Stop(_Message, frozen=True, kw_only=True, tag=True):
    """End what `RunTogether` has begun, after the request that is under way."""


class Calibrate(_Message, frozen=True, kw_only=True, tag=True):
    """Run the calibration kernel once."""


class End(_Message, frozen=True, kw_only=True, tag=True):
    """Read everything that was started by `Begin`, and the quality where it is asked for."""

    quality: bool


class EndTogether(_Message, frozen=True, kw_only=True, tag=True):
    """Read the memory peak once more after both sides have served, then the quality if asked for.

    Threads and sensors are not looked at again: what `End` has read is about requests that ran
    alone.
    """

    quality: bool


class BeginMeter(_Message, frozen=True, kw_only=True, tag=True):
    """Read the energy counters; the answer is `Began`."""


class EndMeter(_Message, frozen=True, kw_only=True, tag=True):
    """Read the energy counters again, after blocks that held `items` items and nothing else."""

    items: int


class Proceed(_Message, frozen=True, kw_only=True, tag=True):
    """Let the test go on, with what is known of the workload so far."""

    measurement: Measurement | None


Event = (
    Hello
    | Reached
    | Announced
    | WarmedUp
    | BlockDone
    | WindowDone
    | TogetherDone
    | Stopped
    | Calibrated
    | Began
    | Ended
    | EndedTogether
    | Metered
    | Refused
    | Skipped
    | TestEnded
    | SessionEnded
)
Command = (
    Task
    | Load
    | WarmUp
    | Begin
    | RunBlock
    | RunWindow
    | SearchRate
    | RunTogether
    | Count
    | Stop
    | Calibrate
    | End
    | EndTogether
    | BeginMeter
    | EndMeter
    | Proceed
)
