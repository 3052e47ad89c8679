"""Measures `stacks.numpy_cache`, slower in one request of 200 only, at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_seldom_cache(costguard, level):
    extra = depth.layers(level) - depth.LAYERS
    costguard.measure(
        stacks.seldom(stacks.numpy_cache, extra, every=200), inputs=stacks.inputs("numpy_cache")
    )
