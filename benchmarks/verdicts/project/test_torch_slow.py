"""Measures `stacks.torch_slow` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_torch_slow(costguard, level):
    costguard.measure(stacks.torch_slow(depth.layers(level)), inputs=stacks.inputs("torch_slow"))
