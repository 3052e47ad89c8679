"""Serving with memory that is bound beforehand, so that a run copies nothing on its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

_DEVICE_OF_PROVIDER = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "NvTensorRTRTXExecutionProvider": "cuda",
    "ROCMExecutionProvider": "cuda",
    "MIGraphXExecutionProvider": "cuda",
    "DmlExecutionProvider": "dml",
}
"""Where a provider's outputs live, in the words of `IOBinding.bind_output`; else on the host."""


def bound_server(session: Any, *, outputs: list[str]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """Return what runs the session on bound memory.

    Arrays are bound, which copies them where the model runs on a device; an `OrtValue` is bound
    as it is. Outputs on a device stay there and are returned as `OrtValue`; outputs on the host
    are returned as arrays. Each thread has a binding of its own, and each request new outputs,
    since their sizes differ and the caller may keep them.
    """
    from onnxruntime import OrtValue

    device, device_id = _output_place(session)
    bindings = threading.local()

    def run(feed: Mapping[str, Any]) -> list[Any]:
        binding = getattr(bindings, "binding", None)
        if binding is None:
            binding = bindings.binding = session.io_binding()
        binding.clear_binding_inputs()
        binding.clear_binding_outputs()
        for name, value in feed.items():
            if isinstance(value, OrtValue):
                binding.bind_ortvalue_input(name, value)
            else:
                binding.bind_cpu_input(name, value)
        for name in outputs:
            binding.bind_output(name, device, device_id)
        session.run_with_iobinding(binding)
        if device == "cpu":
            return [value.numpy() for value in binding.get_outputs()]
        binding.synchronize_outputs()
        return list(binding.get_outputs())

    return run


def _output_place(session: Any) -> tuple[str, int]:
    """Return the device of the session's first provider and its number."""
    first = session.get_providers()[0]
    device_id = session.get_provider_options().get(first, {}).get("device_id", 0)
    return _DEVICE_OF_PROVIDER.get(first, "cpu"), int(device_id)
