"""The digits endpoint: scans of form fields in, digits out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digits_service.preprocess import prepare
from digits_service.sessions import open_session

MODELS = Path(__file__).parents[2] / "models"


class DigitClassifier:
    """Reads one digit from each scan.

    Args:
        model: an ONNX model with the input `image`, `(n, 1, 16, 16)`, and the output `logits`.
        threads: threads that the session works with.
    """

    def __init__(self, model: Path = MODELS / "digits.int8.onnx", *, threads: int = 1) -> None:
        self._session = open_session(model, threads=threads)

    def classify(self, bodies: Sequence[bytes]) -> list[int]:
        """Return the digit on each of the scans of one request.

        Raises:
            ValueError: a scan is no grey PGM image.
        """
        images = np.stack([prepare(body) for body in bodies])
        (logits,) = self._session.run(["logits"], {"image": images})
        return [int(digit) for digit in logits.argmax(axis=1)]
