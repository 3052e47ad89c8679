"""A fixed piece of work that tells how fast the machine is at this moment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.stretch import collector_at_rest, span_ns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PRODUCTS = 80
_PRODUCT_SIZE = 64
"""64 by 64 by 64: OpenBLAS gives a product of up to 2^18 multiplications to one thread only."""
_FLOOR = 0.01
"""Keeps the products from fading into denormal numbers, which are slow on some processors."""
_STREAM = 1 << 18
_STREAMED = 4
_GATHERED = 1 << 16
_PYTHON_STEPS = 3_500


class _Workspace(NamedTuple):
    weights: NDArray[np.float32]
    activations: NDArray[np.float32]
    buffer: NDArray[np.float32]
    stream: NDArray[np.float32]
    rows: NDArray[np.intp]


def calibrate(clock: Clock) -> float:
    """Return the wall seconds of one run of the calibration kernel, 2 to 4 ms.

    One run goes before it, untimed, so that caches hold the kernel's data and not the
    workload's. The kernel's 2 MiB stay allocated and count in the process's memory.

    Raises:
        WorkloadError: the clock went backwards.
    """
    space = _workspace()
    with collector_at_rest():
        kernel(space)
        start = clock.wall_ns()
        kernel(space)
        end = clock.wall_ns()
    return span_ns(start, end) / 1e9


def kernel(space: _Workspace | None = None) -> float:
    """Do the fixed work and return its checksum, the same every time on one machine.

    What slows inference down slows it down: small matrix products (arithmetic in registers and
    the first cache; half the time), a stream through 1 MiB, gathered rows (embeddings) and
    interpreted Python (the code around a runtime). One thread. A stream through more than the
    inner caches was tried and left out: on a shared machine its time follows the neighbours'
    memory traffic far more than the time of small models does (measured over 146 s under load:
    dividing by it widened a model's spread from 21 to 35 %, by products to 18 %).
    """
    import numpy as np

    space = space or _workspace()
    np.copyto(space.buffer, space.activations)
    for _ in range(_PRODUCTS):
        product = np.matmul(space.weights, space.buffer)
        np.maximum(product, _FLOOR, out=space.buffer)
    total = float(space.buffer[0, 0])
    for _ in range(_STREAMED):
        total += float(np.add.reduce(space.stream)) + float(np.maximum.reduce(space.stream))
        total += float(np.add.reduce(np.take(space.stream, space.rows)))
    state = 1
    for _ in range(_PYTHON_STEPS):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return total + state


@cache
def _workspace() -> _Workspace:
    import numpy as np

    n = _PRODUCT_SIZE
    # Knuth's multiplicative hash: values that look random, the same with every numpy.
    hashed = (np.arange(2 * n * n, dtype=np.uint64) * 2_654_435_761) % (1 << 32)
    uniform = (hashed / 2**31 - 1).astype(np.float32).reshape(2, n, n)
    stream = (np.arange(_STREAM, dtype=np.float32) % 251) / np.float32(251)
    return _Workspace(
        weights=uniform[0] * np.float32(n**-0.5),
        activations=uniform[1],
        buffer=np.empty((n, n), dtype=np.float32),
        stream=stream,
        rows=(np.arange(_GATHERED, dtype=np.intp) * 196_613) % _STREAM,
    )
