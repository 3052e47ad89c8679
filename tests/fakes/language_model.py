"""A real, tiny language model: a seeded GRU over characters that reads a prompt, then writes.

It is not trained, so it writes nonsense; but it is read and written one token at a time with a
state that is kept between them, so that time depends on tokens as with a large one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

ALPHABET = "".join(map(chr, range(32, 127)))
_BEGIN = len(ALPHABET)


class TinyModel:
    """Writes the same to the same prompt, in every process."""

    def __init__(self, *, seed: int = 7, width: int = 192) -> None:
        rng = np.random.default_rng(seed)
        self._embedding = rng.normal(size=(len(ALPHABET) + 1, width))
        self._into = rng.normal(scale=width**-0.5, size=(width, 3 * width))
        self._over = rng.normal(scale=width**-0.5, size=(width, 3 * width))
        self._out = rng.normal(scale=2 * width**-0.5, size=(width, len(ALPHABET)))
        self._width = width

    def tokens_of(self, text: str) -> list[int]:
        """One token a character; what is not in the alphabet is a question mark."""
        return [ALPHABET.find(one) if one in ALPHABET else ALPHABET.index("?") for one in text]

    def write(self, prompt: list[int], *, most: int) -> Iterator[str]:
        """Read the prompt, then write so many characters, each when it is asked for."""
        rng = np.random.default_rng(zlib.crc32(bytes(prompt)))
        state = np.zeros(self._width)
        for token in (_BEGIN, *prompt):
            state = self._next(token, state)
        for _ in range(most):
            logits = state @ self._out
            odds = np.exp(logits - logits.max())
            token = int(rng.choice(len(ALPHABET), p=odds / odds.sum()))
            yield ALPHABET[token]
            state = self._next(token, state)

    def _next(self, token: int, state: np.ndarray) -> np.ndarray:
        new = np.split(self._embedding[token] @ self._into, 3)
        old = np.split(state @ self._over, 3)
        reset, update = (1 / (1 + np.exp(-(new[k] + old[k]))) for k in (0, 1))
        return update * state + (1 - update) * np.tanh(new[2] + reset * old[2])
