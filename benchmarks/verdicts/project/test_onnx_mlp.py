"""Measures `stacks.onnx_mlp` at each level."""

import depth
import pytest
import stacks


@pytest.mark.parametrize("level", depth.LEVELS)
def test_onnx_mlp(costguard, level):
    costguard.measure(stacks.onnx_mlp(depth.layers(level)), inputs=stacks.inputs("onnx_mlp"))
