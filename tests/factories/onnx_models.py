"""Tiny ONNX models, made in memory."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def adder(*, element_type=TensorProto.FLOAT):
    """c = a + b, where a and b have two columns and any number of rows."""
    names = ("a", "b", "c")
    a, b, c = (helper.make_tensor_value_info(n, element_type, ["rows", 2]) for n in names)
    return _model([helper.make_node("Add", ["a", "b"], ["c"])], inputs=[a, b], outputs=[c])


def scaler(*, factor=2.0):
    """y = factor * x and z = -x, for an x of any one axis."""
    x, y, z = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in "xyz")
    nodes = [helper.make_node("Mul", ["x", "factor"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    weight = numpy_helper.from_array(np.array([factor], dtype="f4"), "factor")
    return _model(nodes, inputs=[x], outputs=[y, z], weights=[weight])


def saved(model, path, *, weights_beside=None):
    """Write the model, its weights into a file of that name beside it where one is given."""
    onnx.save(
        model,
        path,
        save_as_external_data=weights_beside is not None,
        location=weights_beside,
        size_threshold=0,
    )
    return path


def _model(nodes, *, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
