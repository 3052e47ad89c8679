"""Measures `stacks.torch_mlp` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_torch_mlp(costguard, level):
    costguard.measure(stacks.torch_mlp(depth.layers(level)), inputs=stacks.inputs("torch_mlp"))
