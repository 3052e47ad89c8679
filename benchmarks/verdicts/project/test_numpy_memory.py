"""Measures `stacks.numpy_memory` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_numpy_memory(costguard, level):
    costguard.measure(
        stacks.numpy_memory(depth.layers(level)), inputs=stacks.inputs("numpy_memory")
    )
