"""Warm-up is noticed where it is, and seldom where there is only noise."""

from __future__ import annotations

import numpy as np
import pytest
from factories.judging import block, unit

from pytest_costguard.stats.warmup import course, drift, stretches

TRIALS = 600


def noise(phi: float, *, size: int, sd: float, seed: int) -> np.ndarray:
    """Return (trials, size) of AR(1) noise around a time of 3 ms."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((TRIALS, size + 30)) * np.sqrt(1 - phi**2)
    values = np.zeros_like(shocks)
    for i in range(1, size + 30):
        values[:, i] = phi * values[:, i - 1] + shocks[:, i]
    return 0.003 * np.exp(sd * values[:, 30:])


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.7])
@pytest.mark.parametrize("sd", [0.01, 0.2])
@pytest.mark.parametrize("size", [20, 80, 200])
def test_noise_is_seldom_taken_for_a_warm_up(phi, sd, size):
    trials = noise(phi, size=size, sd=sd, seed=31).tolist()

    alarms = sum(drift(seconds) < 0 for seconds in trials)

    # At 20 times a batch is a pair, and pairs of such noise still hang together.
    assert alarms / TRIALS < (0.04 if size == 20 else 0.015)


@pytest.mark.parametrize(
    ("size", "amount", "length"), [(50, 0.3, 0.3), (160, 0.1, 1.0), (160, 0.3, 0.1)]
)
def test_a_warm_up_is_noticed(size, amount, length):
    shape = 1 + amount * np.exp(-np.arange(size) / size / length)
    trials = (noise(0.0, size=size, sd=0.02, seed=32) * shape).tolist()

    noticed = sum(drift(seconds) < 0 for seconds in trials)

    assert noticed / TRIALS > 0.9


def test_getting_slower_is_a_drift_and_no_warm_up():
    rising = [block(0.003 * (1 + index / 100)) for index in range(60)]

    assert drift([one.wall_seconds for one in rising]) > 0.3
    assert not course(unit(blocks=rising), input_count=1).warming_up


def test_a_drift_below_two_percent_has_no_name():
    assert drift([1 + 0.01 * index / 100 for index in range(100)]) == 0.0


def test_long_inputs_before_short_ones_are_no_warm_up():
    pass_through = [block(seconds) for seconds in (0.05, 0.04, 0.03, 0.02)]
    blocks = pass_through * 20

    assert stretches(blocks, input_count=40) == pytest.approx([0.0035] * 20)
    assert not course(unit(blocks=blocks), input_count=40).warming_up


def test_a_unit_too_short_to_tell_is_believed_about_its_warm_up():
    assert course(unit(settled=False), input_count=1).warming_up
    assert not course(unit(settled=True), input_count=1).warming_up


def test_a_unit_long_enough_speaks_for_itself():
    steady = unit(settled=False, blocks=[block()] * 40)

    assert not course(steady, input_count=1).warming_up
