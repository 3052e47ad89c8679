"""A small gRPC server of the V2 protocol on the loopback; its model `double` answers `y` = 2 x."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from pytest_costguard.workloads.v2_grpc_messages import SERVICE, message

LONGEST_SECONDS = 10.0


@dataclass
class State:
    """What the server has seen, and how it answers."""

    seen: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    raw: bool = True
    """Whether answers hold raw data, or values one by one."""
    go_on: threading.Event = field(default_factory=threading.Event)
    waits: bool = False
    refuses: grpc.StatusCode | None = None
    answer: Callable[[Any], bytes] | None = None
    """Answers an inference instead of the model."""


class _Service(grpc.GenericRpcHandler):
    def __init__(self, state: State) -> None:
        self._state = state

    def service(self, handler_call_details: Any) -> Any:
        known = {
            f"/{SERVICE}/ModelInfer": self._infer,
            f"/{SERVICE}/ModelMetadata": self._describe,
        }
        handler = known.get(handler_call_details.method)
        return None if handler is None else grpc.unary_unary_rpc_method_handler(handler)

    def _describe(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = message("ModelMetadataRequest").FromString(request)
        self._require(asked.name, context)
        said = message("ModelMetadataResponse")(
            name=asked.name, versions=["1", "2"], platform="numpy"
        )
        return said.SerializeToString()

    def _infer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        state, asked = self._state, message("ModelInferRequest").FromString(request)
        state.seen.append(asked)
        state.metadata.append(dict(context.invocation_metadata()))
        if state.waits:
            state.go_on.wait(LONGEST_SECONDS)
        if state.refuses is not None:
            context.abort(state.refuses, "no\n  today")
        self._require(asked.model_name, context)
        return state.answer(asked) if state.answer else self._doubled(asked, context)

    def _doubled(self, asked: Any, context: grpc.ServicerContext) -> bytes:
        tensor = asked.inputs[0]
        if tensor.datatype != "FP32":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no {tensor.datatype} here")
        doubled = 2 * np.frombuffer(asked.raw_input_contents[0], "<f4")
        answer = message("ModelInferResponse")(model_name="double")
        output = answer.outputs.add(name="y", datatype="FP32", shape=tensor.shape)
        if self._state.raw:
            answer.raw_output_contents.append(doubled.astype("<f4").tobytes())
        else:
            output.contents.fp32_contents.extend(doubled.tolist())
        return answer.SerializeToString()

    def _require(self, model: str, context: grpc.ServicerContext) -> None:
        if model != "double":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Model {model} not found")


@contextmanager
def serving(*, credentials: grpc.ServerCredentials | None = None) -> Iterator[tuple[State, str]]:
    """Serve until the end of the block; yields the state and the address, without a model."""
    state = State()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[_Service(state)])
        if credentials is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            scheme = "grpc" if credentials is None else "grpcs"
            yield state, f"{scheme}://127.0.0.1:{port}"
        finally:
            state.go_on.set()
            server.stop(grace=None).wait(LONGEST_SECONDS)
