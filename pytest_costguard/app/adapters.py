"""Which adapter makes a thing measurable: one table, asked from top to bottom.

Choosing imports no runtime. A torch module or an onnxruntime session is known by the names of its
classes, a model by its path; only the chosen row's own module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.ports import Workload
from pytest_costguard.workloads.onnx_file import SUFFIXES
from pytest_costguard.workloads.options import require_known

_HTTP_SCHEMES = ("http://", "https://")
_GRPC_SCHEMES = ("grpc://", "grpcs://")
Loader = Callable[[Any, int, Mapping[str, Any]], Workload]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRow:
    """One kind of workload: how it is recognised, without importing it, and what makes it one."""

    supports: str
    """What a person would call it, for the error that lists them all."""
    recognises: Callable[[object], bool]
    load: Loader


def adapter_for(thing: object, *, threads: int, options: Mapping[str, Any]) -> Workload:
    """Return what makes `thing` measurable, not loaded yet.

    Args:
        thing: a workload, a torch module, an onnxruntime session, a model's path or a callable.
        threads: the declared number of threads.
        options: for the adapter, by name.

    Raises:
        WorkloadError: no adapter recognises it; the remedy lists what is supported.
        ConfigError: an option is unknown to the adapter.
    """
    for row in ADAPTERS:
        if row.recognises(thing):
            return row.load(thing, threads, options)
    raise _unsupported(thing)


def _is_instance_of(name: str, *, module: str) -> Callable[[object], bool]:
    """Recognise an instance of a class, or of a subclass, of a package that is not imported."""

    def recognises(thing: object) -> bool:
        return any(
            base.__name__ == name and (base.__module__ + ".").startswith(module + ".")
            for base in type(thing).__mro__
        )

    return recognises


def is_address(thing: object) -> bool:
    """Whether a thing is the address of an endpoint."""
    return _has_scheme(thing, _HTTP_SCHEMES + _GRPC_SCHEMES)


def _has_scheme(thing: object, schemes: tuple[str, ...]) -> bool:
    return isinstance(thing, str) and thing.lower().startswith(schemes)


def _is_model_path(thing: object) -> bool:
    return isinstance(thing, str | os.PathLike) and str(thing).lower().endswith(SUFFIXES)


def _itself(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    del threads
    require_known(options, known=(), adapter=type(thing).__qualname__)
    return thing  # type: ignore[no-any-return]  # its row has recognised a Workload


def _torch(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.torch_module import TorchModule

    return TorchModule(thing, threads=threads, options=options)


def _onnxruntime(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.onnxruntime_session import OnnxRuntimeSession

    return OnnxRuntimeSession(thing, threads=threads, options=options)


def _endpoint(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.endpoint import Endpoint
    from pytest_costguard.workloads.openai_endpoint import OpenAiEndpoint
    from pytest_costguard.workloads.openai_requests import speaks_openai

    if speaks_openai(thing, options):
        return OpenAiEndpoint(thing, threads=threads, options=options)
    return Endpoint(thing, threads=threads, options=options)


def _grpc_endpoint(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.v2_grpc import GrpcEndpoint

    return GrpcEndpoint(thing, threads=threads, options=options)


def _mixture(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.mixture import MixedWorkload

    require_known(options, known=(), adapter="mixture")
    return MixedWorkload(
        {
            part.name: adapter_for(part.make(), threads=threads, options=part.options)
            for part in thing.parts
        }
    )


def _callable(thing: Any, threads: int, options: Mapping[str, Any]) -> Workload:
    from pytest_costguard.workloads.callable import CallableWorkload

    return CallableWorkload(thing, threads=threads, options=options)


ADAPTERS: tuple[AdapterRow, ...] = (
    # First, so that an adapter of the test's own always wins.
    AdapterRow(
        supports="an object with the methods of pytest_costguard.measure.ports.Workload",
        recognises=lambda thing: isinstance(thing, Workload) and not isinstance(thing, type),
        load=_itself,
    ),
    # Before callables, since modules are callable too.
    AdapterRow(
        supports="a torch.nn.Module",
        recognises=_is_instance_of("Module", module="torch.nn"),
        load=_torch,
    ),
    AdapterRow(
        supports="an onnxruntime.InferenceSession",
        recognises=_is_instance_of("InferenceSession", module="onnxruntime"),
        load=_onnxruntime,
    ),
    AdapterRow(
        supports="the address of an endpoint (http://…, https://…)",
        recognises=lambda thing: _has_scheme(thing, _HTTP_SCHEMES),
        load=_endpoint,
    ),
    AdapterRow(
        supports="the address of a V2 server over gRPC (grpc://host:port/model, grpcs://…)",
        recognises=lambda thing: _has_scheme(thing, _GRPC_SCHEMES),
        load=_grpc_endpoint,
    ),
    AdapterRow(
        supports=f"the path of a model ({', '.join(SUFFIXES)})",
        recognises=_is_model_path,
        load=_onnxruntime,
    ),
    AdapterRow(
        supports="several of these (costguard.measure_together)",
        recognises=_is_instance_of("Mixture", module="pytest_costguard.workloads.mixture"),
        load=_mixture,
    ),
    AdapterRow(
        supports="a callable of one input, coroutine functions included",
        recognises=callable,
        load=_callable,
    ),
)
"""Every kind of workload, in the order in which they are asked; the first that knows it wins."""


_REMEDY_OF_SUFFIX = {
    ".pt": "load it first: measure(torch.load(path)) or measure(torch.jit.load(path))",
    ".pth": "load it first: build the module, load_state_dict(torch.load(path)), measure(module)",
    ".pt2": "load it first: measure(torch.export.load(path).module())",
    ".safetensors": "build the module and load these weights into it, then measure(module)",
}


def _unsupported(thing: object) -> WorkloadError:
    if isinstance(thing, str | os.PathLike):
        path = Path(thing)
        suffix = path.suffix.lower()
        return WorkloadError(
            f"{str(path)!r} is not the path of a model that can be loaded",
            remedy=_REMEDY_OF_SUFFIX.get(suffix, f"give a path that ends in {_either(SUFFIXES)}"),
        )
    supported = "; ".join(row.supports for row in ADAPTERS)
    return WorkloadError(
        f"{type(thing).__module__}.{type(thing).__qualname__} is no kind of workload",
        remedy=f"supported are: {supported}; else wrap it: lambda request: thing.predict(request)",
    )


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(words)
