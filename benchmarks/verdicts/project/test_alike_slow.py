"""Measures `stacks.torch_slow`, slower in one request of 10 on both sides."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_alike_slow(costguard, level):
    extra = 20 + depth.layers(level) - depth.LAYERS
    costguard.measure(
        stacks.seldom(stacks.torch_slow, extra, every=10), inputs=stacks.inputs("torch_slow")
    )
