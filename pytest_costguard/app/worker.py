"""Inside a worker: `measure` reaches a workload, loads it when told, serves, and goes on.

One is started a unit and side, so what few tests need is imported where they need it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from pytest_costguard import __version__
from pytest_costguard.app.endings import Endings
from pytest_costguard.app.instruments import MachineInstruments
from pytest_costguard.app.measure_call import MeasureCall, refuse_coroutine
from pytest_costguard.app.refusals import refusal_of
from pytest_costguard.app.result import Result
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.engine.channel import (
    WORKER_VARIABLE,
    Address,
    Channel,
    ChannelClosed,
    dial,
)
from pytest_costguard.engine.protocol import (
    Announced,
    Command,
    Count,
    DeclaredMarks,
    Event,
    Hello,
    Load,
    Proceed,
    Reached,
    SessionEnded,
    Skipped,
    Stop,
    Task,
    TestEnded,
)
from pytest_costguard.engine.serving import WorkloadServer, serve, serve_async
from pytest_costguard.host.affinity import pin
from pytest_costguard.host.cpu_time import cpu_time_step
from pytest_costguard.host.fingerprint import fingerprint
from pytest_costguard.host.process import holds_device
from pytest_costguard.measure.calibration import calibrate
from pytest_costguard.measure.ports import Clock, Description, Workload
from pytest_costguard.measure.scenarios import at_once
from pytest_costguard.measure.served import Served
from pytest_costguard.records import (
    ColdStart,
    Declaration,
    Fingerprint,
    Measurement,
    Memory,
    Target,
    WorkloadId,
)
from pytest_costguard.records.notes import INPUTS_BY_TYPE_ONLY
from pytest_costguard.revisions.guard import current, modules_loaded
from pytest_costguard.stats.summary import figures, unit_metrics
from pytest_costguard.workloads.inputs import InputSet

if TYPE_CHECKING:
    from pytest_costguard.app.declared_servers import DeclaredServer
    from pytest_costguard.app.servers import StartedServer

_CPU_PROVIDER = "CPUExecutionProvider"


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker's measuring needs of the configuration."""

    labels: dict[str, dict[str, str]] = {}
    """By node id."""
    target: Target | None = None
    target_problem: str = ""
    threads_asked: int = 0
    """Threads that a person has asked for by a variable of this side; as many may work."""
    threads_on_any_side: int = 0
    """The most that they have asked for on either side: both get as many cores."""


@dataclass(slots=True, kw_only=True)
class _Loaded:
    adapter: Workload
    served: Served
    inputs: InputSet
    cold_start: ColdStart
    alone: bool
    pinned: bool
    notes: tuple[str, ...]

    def answered(self, *, first_call_seconds: float) -> None:
        """Note how long the first answer took."""
        self.cold_start = msgspec.structs.replace(
            self.cold_start, first_call_seconds=first_call_seconds
        )

    def complete(
        self, measurement: Measurement | None, *, memory: Memory | None
    ) -> Measurement | None:
        """Give the last unit, which is this process's, what only a lone process's record keeps.

        For the test's own eyes: here it cannot wait for the processes that serve it alone.
        """
        if measurement is None or memory is None:
            return measurement
        *before, last = measurement.units
        last = msgspec.structs.replace(last, memory=memory, cold_start=self.cold_start)
        return msgspec.structs.replace(measurement, units=(*before, last))


class Worker:
    """The worker session: its channel, what it was told, and what it has served."""

    def __init__(self, task: Task, channel: Channel[Command, Event], *, endings: Endings) -> None:
        self.task = task
        self._endings = endings
        self._channel = channel
        self._settings = msgspec.convert(task.settings, WorkerSettings)
        self._fingerprint: Fingerprint = fingerprint(environ=os.environ)
        self._clock = Clock.system()
        self._loaded_before = False

    @classmethod
    def from_environment(cls, endings: Endings) -> Worker | None:
        """Return this process's worker, or None where the process is none.

        The variable is removed, so that what the tests start is no worker.

        Args:
            endings: the test runner's exceptions that are no failures of a workload.
        """
        text = os.environ.pop(WORKER_VARIABLE, None)
        if text is None:
            return None
        address = msgspec.json.decode(text, type=Address)
        channel: Channel[Command, Event] = Channel(dial(address), receives=Command)
        try:
            task = channel.receive()
        except ChannelClosed:
            raise SystemExit("the coordinator is gone") from None
        assert isinstance(task, Task), "a coordinator says first what the task is"
        if current() is None and not task.census:
            # Calibrating one side needs it later, when a workload may let nothing be imported.
            import_module("numpy")
        return cls(task, channel, endings=endings)

    def hello(
        self, *, missing: tuple[str, ...] = (), census: Mapping[str, DeclaredMarks] | None = None
    ) -> None:
        """Say that the session is up, which tests it could not collect, or which measure."""
        self._channel.send(
            Hello(
                tool_version=__version__,
                fingerprint=self._fingerprint,
                missing=missing,
                census=dict(census or {}),
            )
        )

    def test_ended(self, nodeid: str, *, outcome: str, details: str) -> None:
        """Say how a test ended."""
        self._tell(TestEnded(nodeid=nodeid, outcome=outcome, details=details[-20_000:]))  # type: ignore[arg-type]  # pytest's outcomes are these three

    def session_ended(self, status: int) -> None:
        """Say that the session is over."""
        self._tell(SessionEnded(status=status))
        self._channel.close()

    def measure(self, call: MeasureCall) -> Result:
        """Serve a workload as the coordinator commands; return what is known of it so far."""
        command = self._reach(call)
        if isinstance(command, Proceed):
            return self._result(call, command.measurement)
        try:
            with call.answering():
                loaded = self._load(call, cores=command.cores)
                refuse_coroutine(call, loaded.adapter)
                return self._serve(call, loaded)
        except ChannelClosed:
            raise SystemExit("the coordinator is gone") from None
        except BaseException as error:
            self._give_up(call.workload, error)
            raise

    async def measure_async(self, call: MeasureCall) -> Result:
        """Serve a coroutine function on the test's own loop; a plain one is served plainly."""
        command = self._reach(call)
        if isinstance(command, Proceed):
            return self._result(call, command.measurement)
        try:
            with call.answering():
                loaded = self._load(call, cores=command.cores)
                if not loaded.adapter.is_async:
                    return self._serve(call, loaded)
                return await self._serve_async(call, loaded)
        except ChannelClosed:
            raise SystemExit("the coordinator is gone") from None
        except BaseException as error:
            self._give_up(call.workload, error)
            raise

    @contextmanager
    def server(self, declared: DeclaredServer) -> Iterator[StartedServer]:
        """Start a server; where it does not come up, say why the test measures nothing."""
        from pytest_costguard.app.servers import LINGER_SECONDS, running

        with ExitStack() as undo:
            try:
                started = undo.enter_context(running(declared, patience_seconds=LINGER_SECONDS))
            except BaseException as error:
                self._give_up(WorkloadId(nodeid=declared.nodeid), error)
                raise
            yield started

    def _serve(self, call: MeasureCall, loaded: _Loaded) -> Result:
        server = self._server(call, loaded)
        loaded.answered(first_call_seconds=loaded.served.first_call())
        self._announce(call, loaded)
        measurement = serve(self._channel, server)
        return self._result(call, loaded.complete(measurement, memory=server.memory))

    async def _serve_async(self, call: MeasureCall, loaded: _Loaded) -> Result:
        server = self._server(call, loaded)
        loaded.answered(first_call_seconds=await loaded.served.first_call_async())
        self._announce(call, loaded)
        measurement = await serve_async(self._channel, server)
        return self._result(call, loaded.complete(measurement, memory=server.memory))

    def _reach(self, call: MeasureCall) -> Proceed | Load:
        """Ask what to do about a workload."""
        try:
            most = max(self.task.threads, self._settings.threads_on_any_side)
            parallel = 0 if call.is_elsewhere else most * at_once(call.scenario)
            self._channel.send(Reached(workload=call.workload, parallel=parallel))
            command = self._channel.receive()
            while isinstance(command, Count | Stop):  # for a workload that has refused meanwhile
                command = self._channel.receive()
        except ChannelClosed:
            raise SystemExit("the coordinator is gone") from None
        assert isinstance(command, Proceed | Load), "nothing else answers `Reached`"
        return command

    def _load(self, call: MeasureCall, *, cores: tuple[int, ...]) -> _Loaded:
        guard_imports()
        unpinned = pin(cores) if cores else ""
        alone, self._loaded_before = not self._loaded_before, True
        inputs = call.input_set()
        items = inputs.items(call.batch_size)
        if call.scenario.load is not None:
            # What sends it is needed later, when a workload may let nothing be imported.
            import_module("pytest_costguard.measure.under_load")
        started = time.perf_counter()
        adapter = call.adapter(threads=self.task.threads)
        adapter.load()
        seconds = time.perf_counter() - started if call.loads else None
        if call.server is not None:  # what a replica takes until it can serve
            seconds = call.server.startup_seconds
        served = Served(
            workload=adapter,
            inputs=inputs.inputs,
            items=items,
            scenario=call.scenario,
            clock=self._clock,
            collate=call.collate,
            parts=inputs.parts,
        )
        return _Loaded(
            adapter=adapter,
            served=served,
            inputs=inputs,
            cold_start=ColdStart(load_seconds=seconds, first_call_seconds=0.0),
            alone=alone,
            pinned=bool(cores) and not unpinned,
            notes=(unpinned,) * bool(unpinned),
        )

    def _announce(self, call: MeasureCall, loaded: _Loaded) -> None:
        description = loaded.adapter.describe()
        server = {} if call.server is None else call.server.details
        leaks, own_files = _imported()
        self._channel.send(
            Announced(
                workload=call.workload,
                declaration=Declaration(
                    adapter=loaded.adapter.kind,
                    scenario=call.scenario,
                    threads=self.task.threads,
                    input_count=len(loaded.inputs.inputs),
                    input_digest=loaded.inputs.digest,
                    model_digest=description.model_digest,
                    details=description.details | server,
                    in_server=call.is_elsewhere,
                    labels=self._settings.labels.get(call.workload.nodeid, {}),
                ),
                cold_start=loaded.cold_start,
                has_quality=call.quality is not None,
                alone=loaded.alone,
                notes=(*loaded.notes, *(INPUTS_BY_TYPE_ONLY,) * loaded.inputs.digest_is_partial),
                leaks=leaks,
                own_files=own_files,
                is_async=loaded.adapter.is_async,
                uses_device=_uses_device(loaded.adapter, description),
                in_server=call.is_elsewhere,
                pinned=loaded.pinned,
                cpu_time_step_seconds=cpu_time_step(),
            )
        )

    def _server(self, call: MeasureCall, loaded: _Loaded) -> WorkloadServer:
        return WorkloadServer(
            served=loaded.served,
            instruments=MachineInstruments(
                threads=max(self.task.threads, self._settings.threads_asked),
                scenario=call.scenario,
                is_async=loaded.adapter.is_async,
                device_peak_bytes=loaded.adapter.device_peak_bytes,
                reset_device_peak=loaded.adapter.reset_device_peak,
                server=call.server,
                is_elsewhere=call.is_elsewhere,
            ),
            quality=call.quality_of,
            calibrate=lambda: calibrate(self._clock),
        )

    def _give_up(self, workload: WorkloadId, error: BaseException) -> None:
        """Say why this workload is not measured; the exception itself is the test's own."""
        ending = self._endings.recognise(error)
        if ending is None:
            self._tell(refusal_of(workload, error))
            return
        self._tell(
            Skipped(
                workload=workload,
                reason=ending.reason,
                expected_failure=ending.expected_failure,
            )
        )

    def _tell(self, event: Event) -> None:
        try:
            self._channel.send(event)
        except ChannelClosed:
            return  # The coordinator is gone; this process ends as soon as it reaches for it.

    def _result(self, call: MeasureCall, measurement: Measurement | None) -> Result:
        cost = None
        if measurement is not None:
            cost, _ = cost_of(
                target=self._settings.target,
                target_problem=self._settings.target_problem,
                fingerprint=self._fingerprint,
                threads=measurement.declaration.threads,
                throughputs=[unit_metrics(unit)["throughput"] for unit in measurement.units],
                scenario=measurement.declaration.scenario,
                in_server=measurement.declaration.in_server,
                interval=figures(measurement)["throughput"],
                # No `today`: it only warns of an old price, which the coordinator does once.
            )
        return Result(call.workload, measurement=measurement, cost=cost, final=False)


def guard_imports() -> None:
    """Have the import guard go first, whoever was put before it meanwhile."""
    if (guard := current()) is not None:
        guard.go_first()


def _uses_device(adapter: Workload, description: Description) -> bool:
    providers = description.details.get("providers", _CPU_PROVIDER)
    if adapter.device_peak_bytes() is not None or providers != _CPU_PROVIDER:
        return True
    return holds_device()


def _imported() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What came from elsewhere than this side's tree, and which of its files were loaded."""
    if (guard := current()) is None:
        return (), ()
    modules = modules_loaded()
    return guard.leaks(modules), guard.loaded(modules)
