"""One loaded workload with its inputs, ready to be driven command by command."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.coroutines import single_stream_async
from pytest_costguard.measure.ports import Clock, Prepares, Workload
from pytest_costguard.measure.scenarios import SCENARIOS, callers, inputs_per_request
from pytest_costguard.measure.shapes import one_of_each_shape
from pytest_costguard.measure.streamed import Kept, output_of, streams
from pytest_costguard.measure.streams import followed, single_stream
from pytest_costguard.measure.stretch import Server, Slice, Timed
from pytest_costguard.measure.warmup import Round, Warmed, warming
from pytest_costguard.records import Block, Scenario, Tokens, Warmup

if TYPE_CHECKING:
    from pytest_costguard.measure.serving_pool import Collate
    from pytest_costguard.measure.under_load import UnderLoad


class Served:
    """A workload that serves its inputs in its scenario, as often as asked, and tells the time.

    The methods that end in `_async` do the same for coroutine functions on the caller's running
    loop (asyncio or trio). What a request raises propagates unchanged; the garbage collector is
    restored and every thread has ended by then.
    """

    def __init__(
        self,
        *,
        workload: Workload,
        inputs: Sequence[Any],
        items: Sequence[int],
        scenario: Scenario,
        clock: Clock,
        collate: Collate | None = None,
        parts: Sequence[int] = (),
    ) -> None:
        """Take a workload that has been loaded.

        Args:
            workload: What serves.
            inputs: The representative requests.
            items: How many inferences each input holds, in the same order.
            scenario: How requests arrive.
            clock: The two clocks.
            collate: Makes one request of several, where an open loop serves in batches.
            parts: Of a mixture, which part each input belongs to, in the same order.

        Raises:
            WorkloadError: there is no input, or not one number of items for each; or an open loop
                is asked for of a coroutine function.
        """
        if not inputs:
            raise WorkloadError(
                "there is no input to measure with",
                remedy="give `inputs` at least one representative request",
            )
        if len(items) != len(inputs) or min(items) < 1:
            raise WorkloadError(
                f"{len(inputs)} inputs need as many numbers of items, each at least 1, "
                f"got {len(items)}",
                remedy="let `batch_size` say for every input how many items it holds",
            )
        if scenario.load is not None and workload.is_async:
            raise WorkloadError(
                "open-loop load is served by plain functions, in threads",
                remedy="give a plain function or an address, or measure concurrent(k)",
            )
        if isinstance(workload, Prepares):
            workload.prepare(inputs)
        self.workload = workload
        self._inputs = inputs
        self._items = items
        self._scenario = scenario
        self._runner = SCENARIOS[scenario.kind]
        self._function = workload.function()
        self._kept = Kept(self._function) if streams(workload) else None
        self._server = Server(
            serve=self._function if self._kept is None else self._kept.serve,
            synchronise=workload.synchronise(),
            serving=workload.serving,
            clock=clock,
        )
        self._collate = collate
        self._parts = parts
        self._warmed: Warmed | None = None

    def under_load(self) -> UnderLoad:
        """Return what sends the inputs in an open loop; the scenario must be one."""
        from pytest_costguard.measure.under_load import UnderLoad

        assert self._scenario.load is not None, "closed loops are served in blocks"
        return UnderLoad(
            replace(self._server, serve=self._function, streams=self._kept is not None),
            inputs=self._inputs,
            items=self._items,
            load=self._scenario.load,
            collate=self._collate,
            parts=self._parts,
        )

    def first_call(self) -> float:
        """Return the wall seconds of one request, the first input's; call it before all else."""
        self._require(is_async=False)
        return _seconds(single_stream(self._alone(), self._first(), 1).wall_ns)

    async def first_call_async(self) -> float:
        """Like `first_call`, for a coroutine function."""
        self._require(is_async=True)
        return _seconds((await single_stream_async(self._server, self._first(), 1)).wall_ns)

    def warm_up(self, *, max_seconds: float) -> Warmup:
        """Serve until times have settled, or `max_seconds` have gone; see `warmup.warming`."""
        self._require(is_async=False)
        steps, timed = self._warming(max_seconds), None
        while True:
            try:
                step = steps.send(timed) if timed else next(steps)
            except StopIteration as end:
                return self._keep(end.value)
            run = single_stream if step.singly else self._runner.run
            timed = run(self._alone(), self._round(step), self._scenario.n)

    async def warm_up_async(self, *, max_seconds: float) -> Warmup:
        """Like `warm_up`, for a coroutine function."""
        self._require(is_async=True)
        steps, timed = self._warming(max_seconds), None
        while True:
            try:
                step = steps.send(timed) if timed else next(steps)
            except StopIteration as end:
                return self._keep(end.value)
            run = single_stream_async if step.singly else self._runner.run_async
            timed = await run(self._server, self._round(step), self._scenario.n)

    def seconds_per_request(self) -> float:
        """Return the estimate from the warm-up, in the scenario's own requests.

        With concurrent callers it is the stretch's wall time over its requests, so that it sizes
        blocks; a request's latency is longer.

        Raises:
            WorkloadError: there was no warm-up.
        """
        if self._warmed is None:
            raise WorkloadError(
                "the workload has not been warmed up", remedy="call warm_up before sizing blocks"
            )
        return self._warmed.seconds_per_request

    def block(self, *, first: int, requests: int, discard: int) -> tuple[Block, tuple[float, ...]]:
        """Serve `requests` requests from input index `first` on, wrapping, and time them.

        Untimed and first go `discard` requests (of each caller, where there are several): the
        ones before `first`, as if the stream had been running. Latencies are in seconds, in
        order of completion; `offline` has one, the mean of the block.

        Raises:
            WorkloadError: the clock went backwards, or the workload is a coroutine function.
        """
        self._require(is_async=False)
        self._require_requests(requests)
        stretch = self._slice(first=first, requests=requests, discard=discard)
        timed = self._runner.run(self._server, stretch, self._scenario.n)
        return self._measured(timed, first)

    def tokens(self, block: Block) -> Tokens | None:
        """Return what the answers of the last block tell of tokens, in order of completion.

        None where the workload does not stream.

        Args:
            block: that was just served.
        """
        if self._kept is None:
            return None
        return self._kept.last(block.requests * inputs_per_request(self._scenario))

    async def block_async(
        self, *, first: int, requests: int, discard: int
    ) -> tuple[Block, tuple[float, ...]]:
        """Like `block`, for a coroutine function."""
        self._require(is_async=True)
        self._require_requests(requests)
        stretch = self._slice(first=first, requests=requests, discard=discard)
        timed = await self._runner.run_async(self._server, stretch, self._scenario.n)
        return self._measured(timed, first)

    def one_by_one(self, *, first: int) -> Generator[Block, None, None]:
        """Serve request after request from input index `first` on, wrapping, without an end.

        Yields a block for each. One request goes before, untimed. Close the generator to end.

        Raises:
            WorkloadError: the clock went backwards, the workload is a coroutine function, or its
                scenario does not tell requests of one caller apart.
        """
        self._require(is_async=False)
        if self._runner.callers or not self._runner.tells_requests_apart:
            raise WorkloadError(
                f"scenario {self._scenario} has no requests that follow each other",
                remedy="measure it in alternating blocks",
            )
        taken = inputs_per_request(self._scenario)
        position = first - taken
        for timed in followed(self._server, self._requests(position), query=self._runner.query):
            if position >= first:
                yield self._measured(timed, position)[0]
            position += taken

    def _requests(self, position: int) -> Iterator[Any]:
        """Request after request from an input on: an input each, or as many as a query takes."""
        taken, count = inputs_per_request(self._scenario), len(self._inputs)
        while True:
            samples = [self._inputs[k % count] for k in range(position, position + taken)]
            yield samples if self._runner.query else samples[0]
            position += taken

    def outputs(self) -> list[Any]:
        """Return what the workload answers to each input, in order, untimed."""
        self._require(is_async=False)
        with self._server.serving():
            answers = [output_of(self._function(value)) for value in self._inputs]
            self._wait()
        return answers

    async def outputs_async(self) -> list[Any]:
        """Like `outputs`, for a coroutine function."""
        self._require(is_async=True)
        with self._server.serving():
            answers = [await self._server.serve(value) for value in self._inputs]
            self._wait()
        return answers

    def _alone(self) -> Server:
        """What serves one request after another before the measuring.

        Under load a request may fail, and is counted; before it, it is asked again a few times.
        """
        if self._scenario.load is None:
            return self._server
        from pytest_costguard.measure.under_load import persistent

        return replace(self._server, serve=persistent(self._server.serve))

    def _first(self) -> Slice:
        return Slice(timed=[self._inputs[0]])

    def _warming(self, max_seconds: float) -> Generator[Round, Timed, Warmed]:
        gc.collect()
        return warming(
            shapes=one_of_each_shape(self._inputs, self._parts),
            callers=callers(self._scenario),
            max_seconds=max_seconds,
        )

    def _keep(self, warmed: Warmed) -> Warmup:
        self._warmed = warmed
        return warmed.warmup

    def _round(self, step: Round) -> Slice:
        """Return a warm-up round: single inputs, or a block spread evenly over the whole set."""
        if step.singly:
            return Slice(timed=[self._inputs[index] for index in step.singly])
        count, wanted = len(self._inputs), step.requests * inputs_per_request(self._scenario)
        stride = max(1, count // wanted)
        return Slice(timed=[self._inputs[(stride * k) % count] for k in range(wanted)])

    def _slice(self, *, first: int, requests: int, discard: int) -> Slice:
        taken, count = inputs_per_request(self._scenario), len(self._inputs)
        before = discard * taken * callers(self._scenario)
        return Slice(
            timed=[self._inputs[k % count] for k in range(first, first + requests * taken)],
            discard=[self._inputs[k % count] for k in range(first - before, first)],
        )

    def _measured(self, timed: Timed, first: int) -> tuple[Block, tuple[float, ...]]:
        served = timed.requests * inputs_per_request(self._scenario)
        passes, rest = divmod(served, len(self._items))
        items = passes * sum(self._items) if passes else 0
        items += sum(self._items[k % len(self._items)] for k in range(first, first + rest))
        block = Block(
            wall_seconds=_seconds(timed.wall_ns),
            cpu_seconds=_seconds(timed.cpu_ns),
            requests=timed.requests,
            items=items,
        )
        return block, tuple(_seconds(latency) for latency in timed.latency_ns)

    def _wait(self) -> None:
        if self._server.synchronise is not None:
            self._server.synchronise()

    def _require(self, *, is_async: bool) -> None:
        if self.workload.is_async and not is_async:
            raise WorkloadError(
                "the workload is a coroutine function, but was measured as a plain one",
                remedy="use `await costguard.measure_async(...)` in an async test",
            )
        if is_async and not self.workload.is_async:
            raise WorkloadError(
                "the workload is a plain function, but was measured as a coroutine function",
                remedy="use `costguard.measure(...)`",
            )

    @staticmethod
    def _require_requests(requests: int) -> None:
        if requests < 1:
            raise WorkloadError(
                f"a block needs at least one request, got {requests}",
                remedy="plan blocks with measure.blocks.plan_unit",
            )


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / 1e9
