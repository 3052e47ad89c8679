"""What every workload adapter must keep: inherit, implement `make`, and name the class Test…

class TestCallableWorkload(WorkloadContract):
    def make(self): return CallableWorkload(len)
    def an_input(self): return "abc"
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from pytest_costguard.measure.ports import Clock, Description, Workload
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario


class WorkloadContract:
    """The suite; a class that inherits from it gives a fresh workload and an input of its."""

    def make(self) -> Workload:
        raise NotImplementedError

    def an_input(self) -> Any:
        raise NotImplementedError

    def same(self, first: Any, second: Any) -> bool:
        """Tell whether two answers are equal; override for arrays."""
        return bool(first == second)

    def loaded(self) -> Workload:
        workload = self.make()
        workload.load()
        return workload

    def answer(self, workload: Workload) -> Any:
        with workload.serving():
            answer = workload.function()(self.an_input())
            if workload.is_async:
                answer = asyncio.run(_awaited(answer))
            wait = workload.synchronise()
            if wait is not None:
                wait()
        return answer

    def test_is_a_workload(self):
        assert isinstance(self.make(), Workload)

    def test_names_its_kind_before_it_is_loaded(self):
        assert self.make().kind

    def test_says_whether_it_is_async_before_it_is_loaded(self):
        assert self.make().is_async in (True, False)

    def test_loading_twice_changes_nothing(self):
        workload = self.loaded()
        before = self.answer(workload)
        workload.load()
        assert self.same(before, self.answer(workload))

    def test_gives_the_same_answer_to_the_same_input(self):
        workload = self.loaded()
        assert self.same(self.answer(workload), self.answer(workload))

    def test_a_fresh_serving_context_can_be_entered_again_and_again(self):
        workload = self.loaded()
        with workload.serving():
            pass
        with workload.serving(), workload.serving():
            pass

    def test_serves_from_another_thread(self):
        workload = self.loaded()
        answers = _in_a_thread(lambda: self.answer(workload))
        assert self.same(answers, self.answer(workload))

    def test_describes_itself_in_text(self):
        description = self.loaded().describe()
        assert isinstance(description, Description)
        assert all(
            isinstance(key, str) and isinstance(value, str)
            for key, value in description.details.items()
        )

    def test_describes_itself_alike_each_time(self):
        assert self.loaded().describe() == self.loaded().describe()

    def test_device_peak_is_bytes_or_not_known(self):
        workload = self.loaded()
        workload.reset_device_peak()
        self.answer(workload)
        peak = workload.device_peak_bytes()
        assert peak is None or peak >= 0

    def test_can_be_measured(self):
        workload = self.loaded()
        served = Served(
            workload=workload,
            inputs=[self.an_input()],
            items=[1],
            scenario=Scenario(),
            clock=Clock.system(),
        )
        if workload.is_async:
            block, latencies = asyncio.run(served.block_async(first=0, requests=2, discard=1))
        else:
            block, latencies = served.block(first=0, requests=2, discard=1)
        assert (block.requests, len(latencies)) == (2, 2)


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _in_a_thread(function: Callable[[], Any]) -> Any:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]
