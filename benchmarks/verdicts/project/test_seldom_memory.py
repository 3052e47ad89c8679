"""Measures `stacks.numpy_memory`, slower in one request of 10 only, at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_seldom_memory(costguard, level):
    extra = depth.layers(level) - depth.LAYERS
    costguard.measure(
        stacks.seldom(stacks.numpy_memory, extra, every=10), inputs=stacks.inputs("numpy_memory")
    )
