"""What reading digits costs, and how well it is done.

`pytest` runs these as correctness tests; `pytest --costguard` measures them as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from digits_service.classifier import MODELS, DigitClassifier
from digits_service.preprocess import prepare
from digits_service.sessions import open_session
from samples.scans import pgm


# The whole request, as a caller feels it: bytes in, digits out. One scan is what a person waits
# for: its tail has an SLO, and its traffic says what a change costs a month. 32 at a time come
# from the nightly import, which has neither.
@pytest.mark.costguard(
    budget={"cost_per_1k": "$0.002", "quality": 0.97},
    regression={"mean": {"allow": "2%", "catch": "5%"}},
    labels={"team": "forms"},
)
@pytest.mark.parametrize(
    "batch_size",
    [pytest.param(1, marks=pytest.mark.costguard(slo={"p99": "50ms"}, traffic="40M/day")), 32],
)
def test_reading_digits(costguard, held_out, batch_size):
    result = costguard.measure(
        load=lambda: DigitClassifier().classify,
        inputs=held_out.batches(batch_size),
        batch_size=batch_size,
        quality=held_out.accuracy,
    )
    assert result.quality >= 0.97


# The model by itself: when the request gets slower and this does not, look at the code around it.
# Its inputs do not pass through the preprocessing, so that a change there leaves them as they are.
@pytest.mark.costguard(budget={"mean": "20ms"}, labels={"team": "forms"})
def test_model_alone(costguard, held_out):
    images = (held_out.digits[:64] / 16).astype(np.float32).repeat(2, axis=1).repeat(2, axis=2)
    costguard.measure(
        MODELS / "digits.int8.onnx",
        inputs=[{"image": image[np.newaxis, np.newaxis]} for image in images],
    )


def test_int8_agrees_with_full_precision(held_out):
    images = {"image": np.stack([prepare(body) for body in held_out.bodies])}
    small, full = (
        open_session(MODELS / name).run(["logits"], images)[0].argmax(axis=1)
        for name in ("digits.int8.onnx", "digits.fp32.onnx")
    )
    assert (small == full).mean() >= 0.99


@pytest.mark.parametrize("body", [b"", b"\x89PNG", b"P5 8 8 255\n too short", b"P5 0 0 255\n"])
def test_a_request_that_is_no_scan_is_refused(body):
    with pytest.raises(ValueError, match="image"):
        DigitClassifier().classify([body])


def test_an_empty_field_is_read_without_failing():
    blank = pgm(np.full((64, 64), 230, np.uint8))
    assert DigitClassifier().classify([blank])[0] in range(10)


def test_the_models_are_small_enough_to_be_committed():
    assert all(Path(path).stat().st_size < 300_000 for path in MODELS.iterdir())
