"""The network as it was trained, in torch: the reference that serving is held against."""

from __future__ import annotations

import numpy as np
import pytest
from digits_service.classifier import MODELS
from digits_service.preprocess import prepare

pytestmark = pytest.mark.torch


@pytest.mark.costguard(budget={"quality": 0.97}, labels={"team": "forms"})
def test_network_in_torch(costguard, held_out):
    torch = pytest.importorskip("torch")
    from training.network import load

    images = np.stack([prepare(body) for body in held_out.bodies])
    result = costguard.measure(
        load=lambda: load(MODELS / "digits.pt"),
        inputs=list(torch.from_numpy(images).split(32)),
        batch_size=len,
        quality=lambda answers: held_out.accuracy([a.argmax(dim=1).tolist() for a in answers]),
    )
    assert result.quality >= 0.97
