"""The network that reads a digit."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


class DigitNetwork(nn.Sequential):
    """Three dense layers: `(n, 1, 16, 16)` to `(n, 10)` logits.

    The preparation has centred and straightened the digit, so that convolutions gain nothing, and
    int8 pays where the work is multiplying matrices.
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(16 * 16, 192),
            nn.ReLU(),
            nn.Linear(192, 96),
            nn.ReLU(),
            nn.Linear(96, 10),
        )


def load(path: Path) -> DigitNetwork:
    """Return the trained network, ready to serve."""
    network = DigitNetwork()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
