"""The requests that tests and measurements are made with: the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from samples.scans import scans
from samples.speech import VoiceNote, voice_notes

HELD_OUT = Path(__file__).parent / "data" / "held_out.npz"
SCANS_SEED = 1234
NOTES_SEED = 42


@dataclass(frozen=True, slots=True)
class LabelledScans:
    """Scans that the model has not seen, with the digit on each."""

    bodies: list[bytes]
    labels: list[int]
    digits: NDArray[np.uint8]
    """`(n, 8, 8)`: what the scans were made from."""

    def batches(self, size: int) -> list[list[bytes]]:
        """Return requests of `size` scans; what does not fill one is left out."""
        whole = len(self.bodies) // size * size
        return [self.bodies[start : start + size] for start in range(0, whole, size)]

    def accuracy(self, answers: list[list[int]]) -> float:
        """Return the share of right digits in the answers to `batches`, in their order."""
        digits = [digit for answer in answers for digit in answer]
        right = sum(ours == theirs for ours, theirs in zip(digits, self.labels, strict=False))
        return right / len(digits)


@pytest.fixture(scope="session")
def held_out() -> LabelledScans:
    """Scans of the digits that `training/train.py` held out."""
    with np.load(HELD_OUT) as stored:
        digits, labels = stored["digits"], stored["labels"].tolist()
    return LabelledScans(scans(digits, seed=SCANS_SEED), labels, digits)


@pytest.fixture(scope="session")
def notes() -> list[VoiceNote]:
    """Voice notes, of which it is known where someone speaks."""
    return voice_notes(4, seed=NOTES_SEED)
