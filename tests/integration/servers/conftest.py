"""Real model servers that serve the example's classifier, and the same model here."""

from __future__ import annotations

import numpy as np
import pytest
from factories.model_servers import CHECKOUT, MODEL, RunningServer, kserve, mlserver
from numpy.typing import NDArray

HELD_OUT = CHECKOUT / "example_repo" / "tests" / "data" / "held_out.npz"


@pytest.fixture(scope="session")
def images() -> list[NDArray[np.float32]]:
    """A few digits as the model wants them."""
    with np.load(HELD_OUT) as stored:
        digits = (stored["digits"][:8] / 16).astype(np.float32)
    return list(digits.repeat(2, axis=1).repeat(2, axis=2)[:, np.newaxis, np.newaxis])


@pytest.fixture(scope="session")
def logits(images: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """What the model answers in this process."""
    import onnxruntime

    session = onnxruntime.InferenceSession(MODEL)
    return [session.run(["logits"], {"image": image})[0] for image in images]


@pytest.fixture(scope="session")
def mlserver_running(tmp_path_factory: pytest.TempPathFactory) -> RunningServer:
    with mlserver(tmp_path_factory.mktemp("mlserver")) as server:
        yield server


@pytest.fixture(scope="session")
def kserve_running(tmp_path_factory: pytest.TempPathFactory) -> RunningServer:
    with kserve(tmp_path_factory.mktemp("kserve")) as server:
        yield server


@pytest.fixture(params=["mlserver", "kserve"])
def server(request: pytest.FixtureRequest) -> RunningServer:
    """Each of the servers in turn."""
    return request.getfixturevalue(f"{request.param}_running")
