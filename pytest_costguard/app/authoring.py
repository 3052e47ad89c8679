"""The `costguard` fixture: what a test author calls, whatever mode the session is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from pytest_costguard.app.adapters import is_address
from pytest_costguard.app.declared_scenarios import declared_scenario, require_slo_of_search
from pytest_costguard.app.measure_call import MeasureCall, Quality, declared_quality
from pytest_costguard.app.result import Result
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Scenario, WorkloadId

if TYPE_CHECKING:
    from pytest_costguard.app.declared_servers import DeclaredServer, Ready
    from pytest_costguard.app.servers import StartedServer
    from pytest_costguard.app.together import Part


class Backend(Protocol):
    """What a call of `measure` does: once, in a worker, or with the merged result."""

    def measure(self, call: MeasureCall) -> Result:
        """Serve a plain function, module, session or model path."""

    async def measure_async(self, call: MeasureCall) -> Result:
        """Serve a coroutine function on the running loop."""

    def server(self, declared: DeclaredServer) -> AbstractContextManager[StartedServer]:
        """Return what starts a server, waits until it is ready, and stops it in the end."""


class _TheTestsLine:
    """Shows an argument that is not understood where the test gives it, not where we read it."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, ConfigError):
            error.__traceback__ = error.__cause__ = None
            error.__suppress_context__ = True


class Costguard:
    """Measures inference workloads; without `--costguard` it runs each of them once.

    Attributes:
        nodeid: the test that this fixture was made for.
    """

    def __init__(
        self, *, nodeid: str, backend: Backend, marker_slo: Mapping[str, object] | None = None
    ) -> None:
        self.nodeid = nodeid
        self._marker_slo = marker_slo or {}
        self._backend = backend
        self._names: set[str] = set()
        self._servers: list[StartedServer] = []
        """Those that are up, the one started last at the end."""

    def measure(
        self,
        workload: Any = None,
        *,
        inputs: Any,
        load: Callable[[], Any] | None = None,
        batch_size: int | Callable[[Any], int] | None = None,
        quality: Quality | None = None,
        reference: Sequence[Any] | None = None,
        tolerance: float = 1e-5,
        scenario: str | Scenario = "single_stream",
        rate: float | str | None = None,
        slo: Mapping[str, str] | None = None,
        name: str = "",
        served_by: StartedServer | None = None,
        **options: Any,
    ) -> Result:
        """Measure one workload over its representative inputs.

        Args:
            workload: a callable of one input, a `torch.nn.Module`, the path of an ONNX model, an
                onnxruntime session, or the address of an endpoint.
            inputs: the representative requests: a list, an iterator (consumed once and kept), or
                a function without arguments that returns either.
            load: instead of `workload`, a function without arguments that returns it: its time is
                reported as cold start, with that of the first call. Imports count if `load`
                makes them; those of the test file, and the start of the process, do not.
            batch_size: items (inferences) that a request holds: a number, or a function of the
                input. Throughput and cost count items; latency counts requests.
            quality: a function of the list of outputs that returns one number, higher is better.
            reference: instead of `quality`, the expected outputs: the quality is the share of
                outputs within `tolerance`. Several outputs of one input, as a list or by name,
                are compared one by one, and all of them must agree.
            tolerance: largest absolute or relative difference from `reference`.
            scenario: `single_stream`, `multi_stream(n)`, `concurrent(k)`, `offline`; `server`,
                where requests arrive at `rate` whatever became of those before; or `max_rate`,
                which searches for the highest rate that keeps `slo`.
            rate: requests a second, for `server`; also `server(100)`.
            slo: limits on percentiles, for `max_rate`: `{"p99": "50ms"}`, of a language model
                `{"ttft_p99": "300ms", "itl_p99": "50ms"}`. With `server` it makes the goodput
                known.
            name: tells several workloads of one test apart.
            served_by: the server of `costguard.server(…)` that answers, where the workload is a
                function that asks it. An address on a port of it needs no word.
            options: for the adapter: `autocast`, `device`, `providers`, `io_binding` and so on,
                of an address `headers`, `timeout`, `binary` (docs/serving-protocols.md), of a
                language model `model`, `parameters`, `stream` (docs/llm.md); for load: `arrivals`,
                `workers`, `max_batch_size` and so on (docs/load.md).

        Returns:
            The figures. Reading one that was not measured raises `NotMeasured`. With
            `--costguard` the test first runs in workers, where the figures are what is known so
            far; assertions decide in the last run, on the figures of all units. Measure everything
            before asserting: an assertion that fails in a worker loses the measurements after it.

        Raises:
            ConfigError: an argument is not understood.
            WorkloadError: the workload cannot be loaded, or raised.
        """
        __tracebackhide__ = True
        with _TheTestsLine():
            call = self._call(
                workload,
                inputs=inputs,
                load=load,
                batch_size=batch_size,
                quality=declared_quality(quality, reference, tolerance),
                scenario=scenario,
                name=name,
                served_by=served_by,
                options={"rate": rate, "slo": slo, **options},
            )
        return self._backend.measure(call)

    async def measure_async(
        self,
        workload: Any = None,
        *,
        inputs: Any,
        load: Callable[[], Any] | None = None,
        batch_size: int | Callable[[Any], int] | None = None,
        quality: Quality | None = None,
        reference: Sequence[Any] | None = None,
        tolerance: float = 1e-5,
        scenario: str | Scenario = "single_stream",
        rate: float | str | None = None,
        slo: Mapping[str, str] | None = None,
        name: str = "",
        served_by: StartedServer | None = None,
        **options: Any,
    ) -> Result:
        """Measure a coroutine function on the test's own event loop; else as `measure`."""
        __tracebackhide__ = True
        with _TheTestsLine():
            call = self._call(
                workload,
                inputs=inputs,
                load=load,
                batch_size=batch_size,
                quality=declared_quality(quality, reference, tolerance),
                scenario=scenario,
                name=name,
                served_by=served_by,
                options={"rate": rate, "slo": slo, **options},
            )
        return await self._backend.measure_async(call)

    def server(
        self,
        command: Sequence[str | PathLike[str]] | str,
        *,
        ready: Ready | Sequence[Ready],
        port: int | None = None,
        env: Mapping[str, object] | None = None,
        cwd: str | PathLike[str] | None = None,
        startup_timeout: str = "60s",
        stop_timeout: str = "10s",
    ) -> AbstractContextManager[StartedServer]:
        """Return a context in which a server runs that answers what is measured.

        `{port}` in `command`, `env` and `ready` is replaced by a port that is free, so that base
        and head can be up at the same time. Peak memory and cold start of what is measured at its
        address are the server's. docs/servers.md

        Args:
            command: the program and its arguments, never a shell; a text is split as a shell would.
            ready: an address that answers 200 once the server can serve, a function that returns
                whether it can, or a list of them, all of which must be.
            port: where it answers, if `{port}` is not used. Known from `ready` if it says so.
            env: variables in addition to this process's own.
            cwd: where it runs; this process's folder if not given.
            startup_timeout: how long it may take to be ready.
            stop_timeout: how long it may take to end after SIGTERM, before it is sent SIGKILL.

        Returns:
            A context manager of the started server: `port`, `url`, `log` (the file of its output),
            `pid`, `startup_seconds`.

        Raises:
            ConfigError: an argument is not understood.
            ServerError: on entering: it ended, or was not ready in time; its last output is told.
            PortInUse: on entering: something else answers where it should.
        """
        __tracebackhide__ = True
        from pytest_costguard.app.declared_servers import declared_server
        from pytest_costguard.app.servers import AtTheTestsLine

        with _TheTestsLine():
            declared = declared_server(
                nodeid=self.nodeid,
                command=command,
                ready=ready,
                port=port,
                env=env,
                cwd=cwd,
                startup_timeout=startup_timeout,
                stop_timeout=stop_timeout,
            )
        return AtTheTestsLine(self._up(declared))

    @contextmanager
    def _up(self, declared: DeclaredServer) -> Iterator[StartedServer]:
        with self._backend.server(declared) as server:
            self._servers.append(server)
            try:
                yield server
            finally:
                self._servers.remove(server)

    def _answering(self, thing: Any, served_by: StartedServer | None) -> StartedServer | None:
        """Return the running server that answers: the one that is named, or at the address."""
        if served_by is not None and served_by not in self._servers:
            raise ConfigError(
                f"{self.nodeid}: served_by={served_by!r} is no server of this test that is up",
                remedy="with costguard.server(…) as server: costguard.measure(…, served_by=server)",
            )
        if served_by is not None or not is_address(thing):
            return served_by
        return next((one for one in reversed(self._servers) if one.serves(thing)), None)

    def part(
        self,
        workload: Any = None,
        *,
        inputs: Any,
        load: Callable[[], Any] | None = None,
        batch_size: int | Callable[[Any], int] | None = None,
        quality: Quality | None = None,
        reference: Sequence[Any] | None = None,
        tolerance: float = 1e-5,
        share: float = 1,
        served_by: StartedServer | None = None,
        **options: Any,
    ) -> Part:
        """Declare one of several workloads for `measure_together`; nothing is loaded yet.

        Args:
            workload: this, and what follows, as for `measure`.
            inputs: the representative requests.
            load: instead of `workload`, a function that returns it.
            batch_size: items that a request holds.
            quality: a function of the list of outputs of the part alone.
            reference: instead of `quality`, the expected outputs.
            tolerance: largest difference from `reference`.
            share: of all requests, against the shares of the other parts: 3 beside 1 is 75 %.
            served_by: the server of `costguard.server(…)` that answers.
            options: for the adapter. How requests arrive is said to `measure_together`.

        Raises:
            ConfigError: an argument is not understood.
        """
        from pytest_costguard.app.together import declared_part

        self._require_one_workload(workload, load)
        return declared_part(
            workload,
            load=load,
            inputs=inputs,
            batch_size=batch_size,
            quality=declared_quality(quality, reference, tolerance),
            share=share,
            server=self._answering(workload, served_by),
            options=options,
            origin=self.nodeid,
        )

    def measure_together(
        self,
        parts: Mapping[str, Part],
        *,
        scenario: str = "server",
        rate: float | str | None = None,
        slo: Mapping[str, str] | None = None,
        name: str = "",
        **options: Any,
    ) -> dict[str, Result]:
        """Measure several workloads alone, and then all of them served by one pool.

        Each part is an ordinary workload of this test, `NAME alone`, at its share of the rate. The
        mixture is one more, `together`: its requests are those of the parts, by their shares.

        Args:
            parts: what `part` returns, by name.
            scenario: `server`, where requests arrive at `rate`, or `max_rate`, which searches for
                the highest rate that keeps `slo`; of each part alone, and of all together.
            rate: requests a second of all parts together.
            slo: limits on percentiles of the latency, for every request.
            name: tells several mixtures of one test apart; their workloads' names begin with it.
            options: for load, as `measure` takes them: `arrivals`, `workers` and so on.

        Returns:
            The figures of each part alone by its name, and of the mixture as "together", whose
            `part(name)` tells a part's latency beside the others.

        Raises:
            ConfigError: an argument is not understood.
            WorkloadError: a workload cannot be loaded, or raised.
        """
        __tracebackhide__ = True
        from pytest_costguard.app.together import calls_of

        with _TheTestsLine():
            self._require_slo(scenario, slo)
            calls = calls_of(
                parts,
                scenario=scenario,
                options={"rate": rate, "slo": slo, **options},
                name=name,
                nodeid=self.nodeid,
            )
            for call in calls.values():
                self._claim(call.workload.name)
        return {key: self._backend.measure(call) for key, call in calls.items()}

    def _call(
        self,
        thing: Any,
        *,
        scenario: str | Scenario,
        name: str,
        options: Mapping[str, Any],
        served_by: StartedServer | None,
        **fields: Any,
    ) -> MeasureCall:
        self._require_one_workload(thing, fields["load"])
        self._require_slo(scenario, options.get("slo"))
        server = self._answering(thing, served_by)
        self._claim(name)
        declared = declared_scenario(scenario, thing=thing, options=options, nodeid=self.nodeid)
        return MeasureCall(
            workload=WorkloadId(nodeid=self.nodeid, name=name),
            thing=thing,
            scenario=declared.scenario,
            options=declared.options,
            collate=declared.collate,
            server=server,
            **fields,
        )

    def _require_slo(self, scenario: str | Scenario, slo: object) -> None:
        require_slo_of_search(scenario, slo=slo, marker_slo=self._marker_slo, nodeid=self.nodeid)

    def _require_one_workload(self, thing: Any, load: Callable[[], Any] | None) -> None:
        if (thing is None) == (load is None):
            raise ConfigError(
                f"{self.nodeid}: measure() takes a workload or load=, and exactly one of them",
                remedy="costguard.measure(model, inputs=[…]), or load=lambda: make_model()",
            )

    def _claim(self, name: str) -> None:
        """Give a workload its name, which no other of this test may have."""
        if name in self._names:
            raise ConfigError(
                f"{self.nodeid}: two workloads of this test have the name {name!r}",
                remedy="tell them apart: costguard.measure(…, name='int8')",
            )
        self._names.add(name)
