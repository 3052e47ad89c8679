"""What `measure` does in the user's own session, after the measuring: it returns what was found."""

from __future__ import annotations

from contextlib import AbstractContextManager

from pytest_costguard.app.checking import Check
from pytest_costguard.app.declared_servers import DeclaredServer
from pytest_costguard.app.endings import Endings
from pytest_costguard.app.measure_call import MeasureCall
from pytest_costguard.app.result import Result
from pytest_costguard.app.servers import StartedServer, running
from pytest_costguard.errors import WorkloadError
from pytest_costguard.records import WorkloadId


class Unmeasured:
    """The backend where nothing was measured though measuring was asked for: it refuses."""

    def measure(self, call: MeasureCall) -> Result:
        """Refuse: without a measurement there is no verdict."""
        __tracebackhide__ = True
        raise WorkloadError(
            f"{call.workload} was not measured: the test was not seen to use costguard",
            remedy="name the costguard fixture among the test's arguments",
        )

    async def measure_async(self, call: MeasureCall) -> Result:
        """Refuse: without a measurement there is no verdict."""
        __tracebackhide__ = True
        return self.measure(call)

    def server(self, declared: DeclaredServer) -> AbstractContextManager[StartedServer]:
        """Start it: a test may talk to it before it measures anything."""
        return running(declared, patience_seconds=declared.startup_seconds)


class FinalPass:
    """The backend of `measure` after the measuring: it returns the merged result at once."""

    def __init__(self, check: Check, *, endings: Endings) -> None:
        self._check = check
        self._endings = endings

    def measure(self, call: MeasureCall) -> Result:
        """Return the merged result."""
        __tracebackhide__ = True  # pytest and --pdb then show the test's own line
        return self._check.result(call, endings=self._endings)

    async def measure_async(self, call: MeasureCall) -> Result:
        """Return the merged result."""
        __tracebackhide__ = True  # pytest and --pdb then show the test's own line
        return self._check.result(call, endings=self._endings)

    def server(self, declared: DeclaredServer) -> AbstractContextManager[StartedServer]:
        """Start it once more, since the test may talk to it, unless it is known that it fails.

        Raises:
            WorkloadError: it did not come up in a worker.
        """
        __tracebackhide__ = True
        self._check.require_sound(WorkloadId(nodeid=declared.nodeid))
        return running(declared, patience_seconds=declared.startup_seconds)
