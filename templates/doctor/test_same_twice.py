"""Two workloads of one thread that `costguard doctor` measures against themselves."""

import numpy as np

SIZE = 64
PRODUCTS = 120
STREAM_BYTES = 64 * 2**20


def test_products_in_cache(costguard):
    """About 1 ms: small matrix products, whose data stays in the first caches."""
    weights = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32) / SIZE

    def multiply(seed):
        value = np.full((SIZE, SIZE), float(seed), dtype=np.float32)
        for _ in range(PRODUCTS):
            value = np.maximum(weights @ value, 0.01)
        return float(value[0, 0])

    costguard.measure(multiply, inputs=[1, 2, 3, 4])


def test_stream_from_memory(costguard):
    """About 10 ms: two passes over more than the caches hold, as over a model's weights."""
    stream = np.arange(STREAM_BYTES // 4, dtype=np.float32)

    def add(seed):
        return float(np.add.reduce(stream)) + float(np.maximum.reduce(stream)) + seed

    costguard.measure(add, inputs=[1, 2, 3, 4])
