"""The speech endpoint: finds where someone speaks in a voice note, with Silero VAD."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits_service.sessions import open_session

RATE = 16_000
"""Samples a second."""
WINDOW = 512
"""Samples that the model takes at a time: 32 ms."""
_CONTEXT = 64
"""Samples of the window before that go in front of each window."""
_STARTS, _ENDS = 0.5, 0.35
"""Speech starts at the one probability and ends below the other, so that it does not flicker."""


def silero_model() -> Path:
    """Return the path of the model in the installed package, without importing its torch code.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    package = find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("silero-vad is missing: pip install --no-deps silero-vad")
    return Path(package.submodule_search_locations[0]) / "data" / "silero_vad.onnx"


class SpeechDetector:
    """Tells speech from silence, one window of 32 ms after the other.

    Args:
        model: Silero's ONNX model; that of the installed package by default.
        threads: threads that the session works with.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 1) -> None:
        self._session = open_session(model or silero_model(), threads=threads)

    def probabilities(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of speech in each whole window of mono audio at 16 kHz.

        The model's state goes from window to window, as it does when audio arrives live.
        """
        state = np.zeros((2, 1, 128), np.float32)
        context = np.zeros((1, _CONTEXT), np.float32)
        rate = np.array(RATE, np.int64)
        windows = audio[: len(audio) // WINDOW * WINDOW].reshape(-1, 1, WINDOW)
        found = np.zeros(len(windows), np.float32)
        for index, window in enumerate(windows):
            samples = np.concatenate([context, window], axis=1)
            answer, state = self._session.run(None, {"input": samples, "state": state, "sr": rate})
            found[index] = answer[0, 0]
            context = samples[:, -_CONTEXT:]
        return found

    def speech(self, audio: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each whole window of 32 ms whether someone speaks."""
        speaking = False
        decided = []
        for probability in self.probabilities(audio):
            speaking = bool(probability >= (_ENDS if speaking else _STARTS))
            decided.append(speaking)
        return np.array(decided, dtype=bool)
