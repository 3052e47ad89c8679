"""Measures `stacks.numpy_cache`, slower in one request of 200 on both sides."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_alike_cache(costguard, level):
    extra = 20 + depth.layers(level) - depth.LAYERS
    costguard.measure(
        stacks.seldom(stacks.numpy_cache, extra, every=200), inputs=stacks.inputs("numpy_cache")
    )
