"""Without `--costguard`: the workload runs once over its inputs, as a correctness test."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pytest_costguard.app.declared_servers import DeclaredServer
from pytest_costguard.app.measure_call import MeasureCall, refuse_coroutine
from pytest_costguard.app.result import Result
from pytest_costguard.app.servers import StartedServer, running
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario


class RunOnce:
    """Serves every input once and computes the quality; measures nothing."""

    def __init__(self, *, threads: int) -> None:
        self._threads = threads

    def measure(self, call: MeasureCall) -> Result:
        """Run the workload once; exceptions of the workload are the test's own."""
        with call.answering():
            served = self._served(call)
            refuse_coroutine(call, served.workload)
            outputs = served.outputs()
        return Result(call.workload, quality=call.quality_of(outputs))

    async def measure_async(self, call: MeasureCall) -> Result:
        """Run the coroutine function once, on the running loop."""
        with call.answering():
            served = self._served(call)
            asynchronous = served.workload.is_async
            outputs = await served.outputs_async() if asynchronous else served.outputs()
        return Result(call.workload, quality=call.quality_of(outputs))

    def server(self, declared: DeclaredServer) -> AbstractContextManager[StartedServer]:
        """Start it; a port that another test's server has is waited for."""
        return running(declared, patience_seconds=declared.startup_seconds)

    def _served(self, call: MeasureCall) -> Served:
        inputs = call.input_set()
        served = inputs.served_once
        adapter = call.adapter(threads=self._threads)
        adapter.load()
        return Served(
            workload=adapter,
            inputs=served,
            items=inputs.items(call.batch_size)[: len(served)],
            scenario=Scenario(),
            clock=Clock.system(),
        )
