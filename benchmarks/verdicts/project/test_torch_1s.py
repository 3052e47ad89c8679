"""Measures `stacks.torch_1s` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_torch_1s(costguard, level):
    costguard.measure(stacks.torch_1s(depth.layers(level)), inputs=stacks.inputs("torch_1s"))
