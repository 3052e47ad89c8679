"""What may be noted while a workload is measured, and which of it is no warning."""

from __future__ import annotations

THREADS_NOT_TOLD = "threads could not be verified on this system"
THREADS_UNVERIFIED = "threads were not verified: a unit served for less than 0.2 s"
MORE_THREADS_SERVED = (
    "more threads than are declared may have served, or one has handed requests to others: cost"
    " counts those that are declared (@pytest.mark.costguard(threads=n))"
)
MORE_THREADS_READY = (
    "more threads than are declared were ready to run, and other processes may have kept them from"
    " it: cost counts those that are declared (@pytest.mark.costguard(threads=n))"
)
SERVER_BUSIER = (
    "the server kept more cores busy than threads are declared, and cost counts those that are:"
    " @pytest.mark.costguard(threads=n)"
)
SERVER_UNSEEN = (
    "peak memory and energy were not measured: the server at this address is none that the test"
    " has started (costguard.server)"
)
SERVER_MEMORY_NOT_TOLD = (
    "a server's memory is not told on this system, so peak memory was not measured"
)
INPUTS_BY_TYPE_ONLY = (
    "some of its inputs can be told apart by their type only, so a change of them may go unseen:"
    " give arrays, numbers, text, or containers and dataclasses of them"
)
FACTS = frozenset(
    {
        THREADS_NOT_TOLD,
        THREADS_UNVERIFIED,
        MORE_THREADS_SERVED,
        SERVER_UNSEEN,
        SERVER_MEMORY_NOT_TOLD,
    }
)
"""No warnings: what this system or the way to serve leaves open in every run, with nothing to mend.

Threads that served without having used, or waited for, more cores than are declared cost no more
than those.
"""
