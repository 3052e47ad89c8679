"""The worker's side: a loaded workload that does what the coordinator says, until it may go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_costguard.engine.channel import Channel
from pytest_costguard.engine.protocol import (
    Began,
    Begin,
    BlockDone,
    Calibrate,
    Calibrated,
    Command,
    End,
    Ended,
    Event,
    Proceed,
    RunBlock,
    WarmedUp,
    WarmUp,
)
from pytest_costguard.measure.event_loop import running_under_trio
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Energy, Measurement, Memory, Sensors

WorkerChannel = Channel[Command, Event]


class Instruments(Protocol):
    """What the worker reads from its machine between `begin` and `end`."""

    def begin(self) -> None:
        """Reset the memory peak; start sensors, thread clocks and the energy meter."""

    def end(self, *, items: int) -> tuple[Sensors, Memory | None, Energy | None, tuple[str, ...]]:
        """Read them; the last are notes that a reader must know.

        Raises:
            WorkloadError: what was measured cannot stand, for instance more threads than declared.
        """


@dataclass(slots=True, kw_only=True)
class WorkloadServer:
    """Answers commands about one workload with `reply`, or `reply_async` on the caller's loop."""

    served: Served
    instruments: Instruments
    quality: Callable[[Sequence[Any]], float | None]
    calibrate: Callable[[], float]
    items_measured: int = 0

    def reply(self, command: Command) -> Event:
        """Do what the command says and return the answer."""
        if isinstance(command, WarmUp):
            return self._warmed(self.served.warm_up(max_seconds=command.max_seconds))
        if isinstance(command, RunBlock):
            return self._measured(
                self.served.block(
                    first=command.first, requests=command.requests, discard=command.discard
                ),
                discard=command.discard,
            )
        if isinstance(command, End):
            return self._ended(self.served.outputs if command.quality else None)
        return self._plain(command)

    async def reply_async(self, command: Command) -> Event:
        """Do what the command says for a coroutine function and return the answer."""
        if isinstance(command, WarmUp):
            return self._warmed(await self.served.warm_up_async(max_seconds=command.max_seconds))
        if isinstance(command, RunBlock):
            return self._measured(
                await self.served.block_async(
                    first=command.first, requests=command.requests, discard=command.discard
                ),
                discard=command.discard,
            )
        if isinstance(command, End):
            outputs = await self.served.outputs_async() if command.quality else None
            return self._ended(None if outputs is None else lambda: outputs)
        return self._plain(command)

    def _plain(self, command: Command) -> Event:
        if isinstance(command, Begin):
            self.items_measured = 0
            self.instruments.begin()
            return Began()
        if isinstance(command, Calibrate):
            return Calibrated(seconds=self.calibrate())
        raise AssertionError(f"unknown command {command!r}")

    def _warmed(self, warmup: Any) -> WarmedUp:
        return WarmedUp(warmup=warmup, seconds_per_request=self.served.seconds_per_request())

    def _measured(self, measured: tuple[Any, tuple[float, ...]], *, discard: int) -> BlockDone:
        """Count what was served, the discarded requests too, since they cost energy as well."""
        block, latency_seconds = measured
        self.items_measured += block.items + round(discard * block.items / block.requests)
        return BlockDone(block=block, latency_seconds=latency_seconds)

    def _ended(self, outputs: Callable[[], list[Any]] | None) -> Ended:
        sensors, memory, energy, notes = self.instruments.end(items=max(1, self.items_measured))
        quality = None if outputs is None else self.quality(outputs())
        return Ended(sensors=sensors, memory=memory, energy=energy, quality=quality, notes=notes)


def serve(channel: WorkerChannel, server: WorkloadServer) -> Measurement | None:
    """Answer commands until the coordinator lets the test go on; return what it knows so far."""
    while not isinstance(command := _require(channel.receive()), Proceed):
        channel.send(server.reply(command))
    return command.measurement


async def serve_async(channel: WorkerChannel, server: WorkloadServer) -> Measurement | None:
    """Like `serve`, on the test's own event loop, which stays free between commands."""
    while not isinstance(command := _require(await _off_the_loop(channel.receive)), Proceed):
        channel.send(await server.reply_async(command))
    return command.measurement


def _require(command: Command | None) -> Command:
    assert command is not None, "receive without a time limit returns a message or raises"
    return command


def _off_the_loop(blocking: Callable[[], Command | None]) -> Awaitable[Command | None]:
    """Wait in a thread, so that tasks of the user's loop go on; trio and asyncio are told apart."""
    if running_under_trio():
        import trio

        return trio.to_thread.run_sync(blocking)  # type: ignore[no-any-return]
    import asyncio

    return asyncio.to_thread(blocking)
