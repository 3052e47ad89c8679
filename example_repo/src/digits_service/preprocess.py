"""From the scan of a form field to what the model was trained on: 16 x 16 upright ink."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
SIDE = 16
"""Pixels along one side of the model's input."""

_HEADER = re.compile(rb"P5\s+(\d+)\s+(\d+)\s+255\s")
_FAINTEST = 0.15
"""Ink below this share of the darkest is noise of the paper."""
_STEEPEST = 1.0
"""Slants are undone up to this many columns a row; beyond it, the shape is no slanted digit."""


def prepare(body: bytes) -> Image:
    """Turn one request into one input of the model.

    Args:
        body: a grey PGM image (`P5`), dark ink on light paper.

    Returns:
        `(1, 16, 16)`, 0 for paper, about 1 for ink.

    Raises:
        ValueError: the body is no such image.
    """
    ink = straightened(ink_of(decoded(body)))
    return shrunk(framed(ink))[np.newaxis]


def decoded(body: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a PGM image, `(height, width)`."""
    header = _HEADER.match(body)
    if header is None:
        raise ValueError("the request is not a grey PGM image (P5, 255 levels)")
    width, height = int(header[1]), int(header[2])
    pixels = np.frombuffer(body, np.uint8, offset=header.end())
    if not width or not height or pixels.size != width * height:
        raise ValueError(f"the image should have {width} x {height} pixels, got {pixels.size}")
    return pixels.reshape(height, width)


def ink_of(scan: NDArray[np.uint8]) -> Image:
    """Return how dark each pixel is against the paper around it, from 0 to 1, without specks."""
    grey = scan.astype(np.float32)
    paper = np.median(grey, axis=1, keepdims=True)
    dark = np.maximum(paper - grey, 0)
    padded = np.pad(dark, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    smooth = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    smooth /= max(float(smooth.max()), 1e-6)
    return np.where(smooth < _FAINTEST, np.float32(0), smooth)


def straightened(ink: Image) -> Image:
    """Undo the slant of the writing: each row is shifted so that the strokes stand upright."""
    height, width = ink.shape
    weight = float(ink.sum()) or 1.0
    y = np.arange(height, dtype=np.float32)
    x = np.arange(width, dtype=np.float32)
    rows, columns = ink.sum(axis=1), ink.sum(axis=0)
    y -= float(rows @ y) / weight
    x -= float(columns @ x) / weight
    slant = float(y @ ink @ x) / max(float(rows @ (y * y)), 1e-6)
    shift = np.rint(np.clip(slant, -_STEEPEST, _STEEPEST) * y).astype(np.intp)
    source = np.arange(width) + shift[:, np.newaxis]
    inside = (source >= 0) & (source < width)
    moved = np.take_along_axis(ink, source.clip(0, width - 1), axis=1)
    return np.where(inside, moved, np.float32(0))


def framed(ink: Image) -> Image:
    """Cut out the square around the ink; all of the field where there is none."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return ink
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = ink[top:bottom, left:right]
    height, width = cut.shape
    side = max(height, width)
    above, before = (side - height) // 2, (side - width) // 2
    return np.pad(cut, ((above, side - height - above), (before, side - width - before)))


def shrunk(image: Image) -> Image:
    """Return the mean ink over each of 16 x 16 equal areas."""
    return np.ascontiguousarray(_area_means(_area_means(image).T).T)


def _area_means(image: Image) -> Image:
    """Average along the first axis, exactly: differences of the interpolated running sum."""
    running = np.zeros((image.shape[0] + 1, image.shape[1]), np.float32)
    np.cumsum(image, axis=0, out=running[1:])
    edges = np.linspace(0, image.shape[0], SIDE + 1)
    below = np.minimum(edges.astype(np.intp), image.shape[0] - 1)
    share = (edges - below).astype(np.float32)[:, np.newaxis]
    at_edges = running[below] * (1 - share) + running[below + 1] * share
    return np.diff(at_edges, axis=0) * np.float32(SIDE / image.shape[0])
