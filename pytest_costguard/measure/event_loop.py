"""Running several coroutines at once on the caller's own loop, asyncio's or trio's."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Start = Callable[[], Awaitable[Any]]


def running_under_trio() -> bool:
    """Tell whether trio drives the running coroutine, without importing it for who has none."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


async def together(starts: Sequence[Start]) -> None:
    """Run all at once and wait for all; the first failure cancels the others.

    Raises:
        BaseException: whatever the first failing one raised, unchanged and in no group.
    """
    if len(starts) == 1:
        await starts[0]()
    elif running_under_trio():
        await _in_a_nursery(starts)
    else:
        await _in_tasks(starts)


async def _in_tasks(starts: Sequence[Start]) -> None:
    import asyncio

    async def run(start: Start) -> None:
        await start()

    tasks = [asyncio.ensure_future(run(start)) for start in starts]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _in_a_nursery(starts: Sequence[Start]) -> None:
    import trio

    failures: list[BaseException] = []

    async def run(start: Start, scope: Any) -> None:
        try:
            await start()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - re-raised below, out of trio's group
            failures.append(error)
            scope.cancel()

    async with trio.open_nursery() as nursery:
        for start in starts:
            nursery.start_soon(run, start, nursery.cancel_scope)
    if failures:
        raise failures[0]
