"""What a replica of the digit server can take, with and without adaptive batching.

MLServer wants an environment of its own; the variable MLSERVER names its program (README.md).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from digits_service.preprocess import prepare

MLSERVER = shutil.which(os.environ.get("MLSERVER", "mlserver"))
SERVICE = Path(__file__).parents[1]
BATCHING = {
    "one by one": {},
    # Up to 16 requests at once; the first of them waits at most 2 ms for the others.
    "batched": {"MLSERVER_MODEL_MAX_BATCH_SIZE": "16", "MLSERVER_MODEL_MAX_BATCH_TIME": "0.002"},
}

pytestmark = pytest.mark.skipif(
    MLSERVER is None,
    reason="MLServer is not installed, or not named by the variable MLSERVER: see README.md",
)


@pytest.fixture
def images(held_out):
    """Prepared scans, one a request: this server does nothing but the model."""
    return [prepare(body)[np.newaxis] for body in held_out.bodies[:128]]


# How many requests a second one replica serves so that 99 % of them take less than 50 ms: this is
# what cost per 1k rests on, and what `costguard plan` counts replicas by.
@pytest.mark.costguard(labels={"team": "forms"})
@pytest.mark.parametrize("batching", BATCHING)
def test_what_a_replica_can_take(costguard, held_out, images, batching):
    with costguard.server(
        [MLSERVER, "start", str(SERVICE / "serving")],
        ready="http://127.0.0.1:{port}/v2/models/digits/ready",
        env={
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "0",  # any that is free: base and head are up at the same time
            "PYTHONPATH": str(SERVICE / "src"),
            **BATCHING[batching],
        },
    ) as server:
        result = costguard.measure(
            f"{server.url}/v2/models/digits/infer",
            inputs=[{"image": image} for image in images],
            quality=lambda answers: held_out.accuracy(
                [a["logits"].argmax(axis=1) for a in answers]
            ),
            scenario="max_rate",
            slo={"p99": "50ms"},
        )
    assert result.quality >= 0.97
