"""What finding speech costs, and how well it is done."""

from __future__ import annotations

import numpy as np
import pytest
from digits_service.vad import WINDOW, SpeechDetector


# One request is one voice note: its windows are served in order, with the model's state carried.
# Where speech begins and ends is a matter of some windows, hence the floor of 88 % agreement.
@pytest.mark.costguard(
    slo={"p50": "500ms"},
    budget={"quality": 0.88},
    labels={"team": "voice"},
)
def test_finding_speech(costguard, notes):
    reference = [note.speech(window=WINDOW) for note in notes]

    def agreement(answers):
        """The share of windows that are told apart as they were made."""
        return float(np.mean(np.concatenate(answers) == np.concatenate(reference)))

    result = costguard.measure(
        load=lambda: SpeechDetector().speech,
        inputs=[note.audio for note in notes],
        quality=agreement,
    )
    assert result.quality >= 0.88


def test_silence_is_not_speech():
    rng = np.random.default_rng(0)
    hum = rng.normal(0, 0.002, 2 * 16_000).astype(np.float32)
    assert not SpeechDetector().speech(hum).any()


def test_less_than_a_window_has_no_answer():
    assert SpeechDetector().speech(np.zeros(WINDOW - 1, np.float32)).size == 0
