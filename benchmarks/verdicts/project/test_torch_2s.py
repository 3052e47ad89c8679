"""Measures `stacks.torch_2s` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_torch_2s(costguard, level):
    costguard.measure(stacks.torch_2s(depth.layers(level)), inputs=stacks.inputs("torch_2s"))
