"""The worker's side: a loaded workload that does what the coordinator says, until it may go on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pytest_costguard.engine.channel import Channel
from pytest_costguard.engine.protocol import (
    Began,
    Begin,
    BeginMeter,
    BlockDone,
    Calibrate,
    Calibrated,
    Command,
    Count,
    End,
    Ended,
    EndedTogether,
    EndMeter,
    EndTogether,
    Event,
    Metered,
    Proceed,
    RunBlock,
    RunTogether,
    RunWindow,
    SearchRate,
    Stop,
    Stopped,
    TogetherDone,
    WarmedUp,
    WarmUp,
    WindowDone,
)
from pytest_costguard.measure.event_loop import running_under_trio
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Block, Energy, Measurement, Memory, Sensors

WorkerChannel = Channel[Command, Event]


class Instruments(Protocol):
    """What the worker reads from its machine between `begin` and `end`, and beside that."""

    @property
    def has_meter(self) -> bool:
        """Whether this machine counts energy."""

    def watch(self) -> Callable[[], Sensors]:
        """Start the sensors alone; return what reads them."""

    def begin(self) -> None:
        """Reset the memory peak; start sensors and thread clocks."""

    def serving(self) -> AbstractContextManager[object]:
        """Return a context for a block: what its thread does outside of it is the tool's work."""

    def beside_another(self) -> AbstractContextManager[object]:
        """Return a context for serving while another process serves on the same core."""

    def end(self) -> tuple[Sensors, Memory | None, tuple[str, ...]]:
        """Read what `begin` started; the last are notes that a reader must know.

        Raises:
            WorkloadError: what was measured cannot stand, for instance more threads than declared.
        """

    def peak(self) -> Memory | None:
        """Read the memory peak since `begin`, and nothing else."""

    def begin_meter(self) -> None:
        """Read the energy counters."""

    def end_meter(self, *, items: int) -> Energy | None:
        """Read them again; what was spent since went into `items` items."""


@dataclass(slots=True, kw_only=True)
class WorkloadServer:
    """Answers commands about one workload with `reply`, or `reply_async` on the caller's loop."""

    served: Served
    instruments: Instruments
    quality: Callable[[Sequence[Any]], float | None]
    calibrate: Callable[[], float]
    memory: Memory | None = None
    """What `End` has read last."""

    def reply(self, command: Command) -> Event:
        """Do what the command says and return the answer."""
        if isinstance(command, WarmUp):
            read = self.instruments.watch()
            return self._warmed(self.served.warm_up(max_seconds=command.max_seconds), read())
        if isinstance(command, RunBlock):
            with self.instruments.serving():
                block, latency_seconds = self.served.block(
                    first=command.first, requests=command.requests, discard=command.discard
                )
            tokens = self.served.tokens(block)
            return BlockDone(block=block, latency_seconds=latency_seconds, tokens=tokens)
        if isinstance(command, RunWindow | SearchRate):
            with self.instruments.serving():
                return self._under_load(command)
        if isinstance(command, End):
            ended = self._read()
            return self._ended(ended, self.served.outputs() if command.quality else None)
        if isinstance(command, EndTogether):
            self.memory = self.instruments.peak()
            quality = self.quality(self.served.outputs()) if command.quality else None
            return EndedTogether(memory=self.memory, quality=quality)
        return self._plain(command)

    async def reply_async(self, command: Command) -> Event:
        """Do what the command says for a coroutine function and return the answer."""
        if isinstance(command, WarmUp):
            read = self.instruments.watch()
            warmup = await self.served.warm_up_async(max_seconds=command.max_seconds)
            return self._warmed(warmup, read())
        if isinstance(command, RunBlock):
            with self.instruments.serving():
                block, latency_seconds = await self.served.block_async(
                    first=command.first, requests=command.requests, discard=command.discard
                )
            return BlockDone(block=block, latency_seconds=latency_seconds)
        if isinstance(command, End):
            ended = self._read()
            return self._ended(
                ended, await self.served.outputs_async() if command.quality else None
            )
        return self._plain(command)

    def _plain(self, command: Command) -> Event:
        if isinstance(command, Begin):
            self.instruments.begin()
            return Began()
        if isinstance(command, BeginMeter):
            self.instruments.begin_meter()
            return Began()
        if isinstance(command, EndMeter):
            return Metered(energy=self.instruments.end_meter(items=command.items))
        if isinstance(command, Calibrate):
            return Calibrated(seconds=self.calibrate())
        raise AssertionError(f"unknown command {command!r}")

    def _under_load(self, command: RunWindow | SearchRate) -> WindowDone:
        load = self.served.under_load()
        if isinstance(command, RunWindow):
            window = load.window(
                rate=command.rate,
                requests=command.requests,
                turn=command.turn,
                longest_seconds=command.longest_seconds,
            )
            seen = window.open_loop
        else:
            seen, window = load.search(
                start=command.start,
                known=command.known,
                turn=command.turn,
                max_seconds=command.max_seconds,
                alone_seconds=self.served.seconds_per_request(),
            )
        return WindowDone(
            block=window.block,
            latency_seconds=window.latency_seconds,
            open_loop=seen,
            tokens=window.tokens,
        )

    def keep_company(self, command: RunTogether, channel: WorkerChannel) -> None:
        """Serve beside the other side until told to stop, timing what is to be counted.

        The side that is done first goes on serving, so that the other is never alone.
        """
        channel.send(Began())
        told = channel.receive()
        assert isinstance(told, Count | Stop), "nothing else follows `RunTogether`"
        if isinstance(told, Count):
            with self.instruments.beside_another():
                self._count_together(command, channel)
        channel.send(Stopped())

    def _count_together(self, command: RunTogether, channel: WorkerChannel) -> None:
        blocks: list[Block] = []
        read = self.instruments.watch()
        with contextlib.closing(self.served.one_by_one(first=command.first)) as stream:
            for block in stream:
                if len(blocks) < command.requests:
                    blocks.append(block)
                    if len(blocks) == command.requests:
                        channel.send(TogetherDone(blocks=tuple(blocks), sensors=read()))
                elif (told := channel.receive(timeout_seconds=0.0)) is not None:
                    assert isinstance(told, Stop), "nothing else ends what goes on"
                    return

    def _warmed(self, warmup: Any, sensors: Sensors) -> WarmedUp:
        return WarmedUp(
            warmup=warmup,
            seconds_per_request=self.served.seconds_per_request(),
            sensors=sensors,
        )

    def _read(self) -> Ended:
        """Read the instruments, before a quality pass adds its own work and keeps every output."""
        sensors, self.memory, notes = self.instruments.end()
        return Ended(
            sensors=sensors,
            memory=self.memory,
            quality=None,
            has_meter=self.instruments.has_meter,
            notes=notes,
        )

    def _ended(self, read: Ended, outputs: list[Any] | None) -> Ended:
        quality = None if outputs is None else self.quality(outputs)
        return msgspec.structs.replace(read, quality=quality)


def serve(channel: WorkerChannel, server: WorkloadServer) -> Measurement | None:
    """Answer commands until the coordinator lets the test go on; return what it knows so far."""
    while not isinstance(command := _require(channel.receive()), Proceed):
        if isinstance(command, RunTogether):
            server.keep_company(command, channel)
        else:
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


async def _off_the_loop(blocking: Callable[[], Command | None]) -> Command | None:
    """Wait in a thread, so that tasks of the user's loop go on; trio and asyncio are told apart.

    Where the test cancels the waiting, the thread is waited for all the same: left behind, it
    would take the next measurement's command. The coordinator's word comes at once.
    """
    if running_under_trio():
        import trio

        return await trio.to_thread.run_sync(blocking)  # type: ignore[no-any-return]
    import asyncio

    waiting = asyncio.ensure_future(asyncio.to_thread(blocking))
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        while not waiting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({waiting})
        raise
