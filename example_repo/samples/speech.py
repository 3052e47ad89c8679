"""Voice notes with known speech: a buzzing glottis, moving formants, syllables and hisses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples a second."""
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
"""Formants of a, i, u and e in hertz (Peterson and Barney, 1952, men's averages)."""
_FORMANTS = ((1.0, 80), (0.5, 110), (0.25, 160))
"""Strength and width in hertz of each formant."""


@dataclass(frozen=True, slots=True)
class VoiceNote:
    """Audio at 16 kHz, and for each sample whether someone speaks."""

    audio: NDArray[np.float32]
    speaking: NDArray[np.bool_]

    def speech(self, *, window: int) -> NDArray[np.bool_]:
        """Return for each whole window whether most of it is speech."""
        whole = len(self.audio) // window * window
        return self.speaking[:whole].reshape(-1, window).mean(axis=1) > 0.5


def voice_notes(count: int, *, seed: int) -> list[VoiceNote]:
    """Return voice notes of about 2 seconds: silence, someone speaks, silence."""
    rng = np.random.default_rng(seed)
    return [_note(rng) for _ in range(count)]


def _note(rng: np.random.Generator) -> VoiceNote:
    before, after = (np.zeros(int(seconds * RATE)) for seconds in rng.uniform(0.3, 0.6, 2))
    phrase = _phrase(rng.uniform(0.9, 1.3), rng)
    audio = np.concatenate([before, phrase, after])
    audio += rng.normal(0, 0.002, len(audio))
    speaking = np.zeros(len(audio), dtype=bool)
    speaking[len(before) : len(before) + len(phrase)] = True
    return VoiceNote(audio.astype(np.float32), speaking)


def _phrase(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add up the harmonics of a falling, wavering pitch, each as loud as the formants make it."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = rng.uniform(100, 200) * np.exp(-0.1 * time)
    pitch *= 1 + 0.12 * np.sin(2 * np.pi * 2.1 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = _moving_formants(time, rng)
    voice = np.zeros_like(time)
    for harmonic in range(1, 30):
        hertz = pitch * harmonic
        loudness = 0.01 + sum(
            strength / (1 + ((hertz - centre) / width) ** 2)
            for centre, (strength, width) in zip(formants, _FORMANTS, strict=True)
        )
        voice += loudness * np.sin(harmonic * phase) * (hertz < 4500)
    voice *= 0.08 + 0.92 * np.clip(np.sin(2 * np.pi * time / 0.22), 0, 1) ** 0.7
    hiss = np.diff(rng.standard_normal(len(time)), prepend=0)
    voice += 0.3 * hiss * np.clip(-np.sin(2 * np.pi * time / 0.44), 0, 1) ** 4
    fade = np.clip(np.minimum(time, time[-1] - time) / 0.03, 0, 1)
    return 0.25 * fade * voice / np.abs(voice).max()


def _moving_formants(
    time: NDArray[np.float64], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Glide from one vowel to the next, five a second."""
    moments = np.arange(0, time[-1] + 0.4, 0.2)
    vowels = [_VOWELS[index] for index in rng.integers(0, len(_VOWELS), len(moments))]
    return [np.interp(time, moments, [vowel[place] for vowel in vowels]) for place in range(3)]
