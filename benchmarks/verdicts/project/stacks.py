"""Stacks of equal layers, each cost bound by something else.

A builder takes the number of layers and returns what serves one input. All stacks of one kind
share their weights, so that a process holds them once however many levels it serves.
"""

import functools
from pathlib import Path

import depth
import numpy as np

INPUTS = 4
"""Of each workload: equal in cost, different in content."""
# Narrow, so that the weights of 110 layers are small beside the caches: with wider ones each
# further layer costs more than the ones before it, and 5 % of layers more than 5 % of time.
_CACHED_WIDTH, _CACHED_BATCH = 40, 16
_STREAMED_BYTES = 2 << 20
_TORCH_WIDTH, _TORCH_BATCH = 64, 96
_ONNX_WIDTH, _ONNX_BATCH = 64, 96
_SLOW_WIDTH, _SLOW_BATCH = 512, 384


def random(seed=0):
    """The source of weights and inputs, the same in every process."""
    return np.random.default_rng(seed)


def numpy_cache(layers):
    """Products of small matrices: what is used fits into a core's own caches."""
    weights = _cached_weights()[:layers]

    def serve(rows):
        for weight in weights:
            rows = np.dot(rows, weight)
        return rows

    return serve


@functools.cache
def _cached_weights():
    shape = (_CACHED_WIDTH, _CACHED_WIDTH)
    source = random()
    return [
        np.linalg.qr(source.standard_normal(shape))[0].astype(np.float32) for _ in range(depth.MOST)
    ]


def numpy_memory(layers):
    """Reads and writes 2 MiB a layer, of an array that is larger than most last-level caches."""
    parts = _streamed()[:layers]

    def serve(gain):
        for part in parts:
            np.multiply(part, gain, out=part)
        return parts[0][0]

    return serve


@functools.cache
def _streamed():
    return np.ones((depth.MOST, _STREAMED_BYTES // 4), np.float32)


def seldom(build, extra, *, every):
    """Serve 100 layers, and `extra` more a request on average: all in one of `every`, by chance."""
    usual = build(depth.LAYERS)
    more = build(extra) if extra else None
    chance = np.random.default_rng()

    def serve(rows):
        slow = chance.random() < 1 / every
        if slow and more is not None:
            for _ in range(every):
                more(rows)
        return usual(rows)

    return serve


def torch_mlp(layers):
    """A deep network of narrow layers in torch."""
    return _torch_stack(layers, _TORCH_WIDTH)


def torch_slow(layers):
    """The same with wide layers and a large batch: about 200 ms a request."""
    return _torch_stack(layers, _SLOW_WIDTH)


def torch_1s(layers):
    """Five passes through these: about 1 s a request."""
    return _repeated(torch_slow(layers), 5)


def torch_2s(layers):
    """Ten passes through these: about 2 s a request."""
    return _repeated(torch_slow(layers), 10)


def _repeated(serve, times):
    def served_often(rows):
        # Of the same rows each time: what comes out would go to 0 or infinity in the end.
        for _ in range(times):
            answer = serve(rows)
        return answer

    return served_often


def _torch_stack(layers, width):
    import torch

    modules = _torch_layers(width)[:layers]

    def serve(rows):
        with torch.inference_mode():
            for module in modules:
                rows = torch.relu(module(rows))
        return rows

    return serve


@functools.cache
def _torch_layers(width):
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = []
    for _ in range(depth.MOST):
        module = torch.nn.Linear(width, width)
        torch.nn.init.kaiming_normal_(module.weight)
        made.append(module)
    return made


def onnx_mlp(layers):
    """The path of a deep network of narrow layers, for onnxruntime."""
    return Path(__file__).parent / "models" / f"mlp-{layers}.onnx"


def write_onnx(layers):
    """Write the model of `onnx_mlp`; needs the package onnx, which measuring does not."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape = (_ONNX_WIDTH, _ONNX_WIDTH)
    source, nodes, weights = random(), [], []
    for layer in range(layers):
        values = source.standard_normal(shape) * np.sqrt(2 / _ONNX_WIDTH)
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [f"r{layer}", f"w{layer}"], [f"p{layer}"]))
        nodes.append(helper.make_node("Relu", [f"p{layer}"], [f"r{layer + 1}"]))
    rows = [_ONNX_BATCH, _ONNX_WIDTH]
    given = helper.make_tensor_value_info("r0", TensorProto.FLOAT, rows)
    returned = helper.make_tensor_value_info(f"r{layers}", TensorProto.FLOAT, rows)
    graph = helper.make_graph(nodes, "mlp", [given], [returned], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = onnx_mlp(layers)
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path)


def served(name, layers):
    """Return a plain function that serves a workload, for tools that take nothing else."""
    if name != "onnx_mlp":
        return globals()[name](layers)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        onnx_mlp(layers), options, providers=["CPUExecutionProvider"]
    )
    return lambda given: session.run(None, given)


def inputs(name):
    """Return the inputs of a workload."""
    source = random(1)
    if name == "numpy_memory":
        return [np.float32(1.0)] * INPUTS
    if name == "numpy_cache":
        return list(
            source.standard_normal((INPUTS, _CACHED_BATCH, _CACHED_WIDTH)).astype(np.float32)
        )
    if name == "onnx_mlp":
        shape = (INPUTS, _ONNX_BATCH, _ONNX_WIDTH)
        return [{"r0": rows} for rows in source.standard_normal(shape).astype(np.float32)]
    import torch

    batch, width = (
        (_TORCH_BATCH, _TORCH_WIDTH) if name == "torch_mlp" else (_SLOW_BATCH, _SLOW_WIDTH)
    )
    rows = source.standard_normal((INPUTS, batch, width)).astype(np.float32)
    return list(torch.from_numpy(rows))
