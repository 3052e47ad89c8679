"""Measures `stacks.numpy_cache` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_numpy_cache(costguard, level):
    costguard.measure(stacks.numpy_cache(depth.layers(level)), inputs=stacks.inputs("numpy_cache"))
