"""Scans of form fields, made from the 8 x 8 digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Pixels along one side of a field: 8 mm at 200 dots an inch."""
_Y, _X = np.mgrid[:SIDE, :SIDE].astype(np.float32) - np.float32((SIDE - 1) / 2)
_GRAIN = 3
"""Standard deviation of the noise, in grey levels."""


def scans(digits: NDArray[np.uint8], *, seed: int) -> list[bytes]:
    """Return one scan for each digit: slanted, off centre, on paper with uneven light and noise.

    Args:
        digits: `(n, 8, 8)`, ink from 0 to 16.
        seed: of everything that differs from scan to scan.
    """
    rng = np.random.default_rng(seed)
    return [pgm(_scan(digit, rng)) for digit in digits]


def pgm(pixels: NDArray[np.uint8]) -> bytes:
    """Return grey pixels, `(height, width)`, as the body of a request."""
    height, width = pixels.shape
    return b"P5 %d %d 255\n" % (width, height) + pixels.tobytes()


def _scan(digit: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    ink = _written(digit.astype(np.float32) / 16, rng)
    light = rng.uniform(205, 245) + rng.uniform(-0.2, 0.2) * _X + rng.uniform(-0.2, 0.2) * _Y
    grain = rng.standard_normal(ink.shape, dtype=np.float32) * _GRAIN
    grey = light - rng.uniform(110, 180) * ink + grain
    return grey.round().clip(0, 255).astype(np.uint8)


def _written(digit: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Look up each pixel of the field in the digit, bilinearly, through an affine map."""
    scale, slant = 8 / rng.uniform(28, 42), rng.uniform(-0.35, 0.35)
    across, down = rng.uniform(-7, 7, 2)
    below_centre = _Y - np.float32(down)
    right_of_centre = _X - np.float32(across) - np.float32(slant) * below_centre
    # Two empty rows and columns around the digit; what lies further out is empty as well.
    padded = np.pad(digit, 2)
    row = (below_centre * np.float32(scale) + 5.5).clip(0, 10.999)
    column = (right_of_centre * np.float32(scale) + 5.5).clip(0, 10.999)
    top, left = row.astype(np.intp), column.astype(np.intp)
    low, right = row - top, column - left
    above = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    below = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return above * (1 - low) + below * low
