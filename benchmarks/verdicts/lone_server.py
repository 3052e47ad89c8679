"""A process that serves one workload by hand, for pilots that the engine has no way to run.

It reads a word a line and answers with a line: `pin CORE`, `serve REQUESTS` (wall and CPU seconds,
after one request that does not count), `kernel` (seconds of the calibration kernel), `fork` (a
child takes over; its parent answers again once the child has ended), `end`.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator

from benchmarks.verdicts.workloads import PROJECT
from pytest_costguard.measure.calibration import calibrate
from pytest_costguard.measure.ports import Clock


def answers(name: str) -> Iterator[str]:
    """Answer what comes in; the generator ends with the process's work."""
    sys.path.insert(0, str(PROJECT))
    import stacks

    serve = stacks.served(name, 100)
    given = itertools.cycle(stacks.inputs(name))
    clock = Clock.system()
    serve(next(given))
    yield "ready"
    while (line := sys.stdin.readline().split()) and line[0] != "end":
        if line[0] == "pin":
            os.sched_setaffinity(0, {int(line[1])})
            yield "pinned"
        elif line[0] == "kernel":
            yield f"{calibrate(clock)}"
        elif line[0] == "fork":
            if child := os.fork():
                os.waitpid(child, 0)
            yield "ready"
        else:
            serve(next(given))
            wall, cpu = clock.wall_ns(), clock.cpu_ns()
            for _ in range(int(line[1])):
                serve(next(given))
            cpu, wall = clock.cpu_ns() - cpu, clock.wall_ns() - wall
            yield f"{wall / 1e9} {cpu / 1e9}"


if __name__ == "__main__":
    for answer in answers(sys.argv[1]):
        print(answer, flush=True)
