from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.app.adapters import ADAPTERS, adapter_for, is_address
from pytest_costguard.errors import ConfigError, WorkloadError


def stand_in(name, module, **members):
    """A class that has a name and a module as a runtime's has, without the runtime."""
    return type(name, (), {"__module__": module, **members})


class RequiresNothing:
    """Not callable, no path, no workload."""


def chosen(thing, **options):
    return adapter_for(thing, threads=1, options=options)


def test_a_function_is_a_callable():
    assert chosen(len).kind == "callable"


@pytest.mark.parametrize("path", ["m.onnx", "M.ONNX", Path("a") / "m.ort"])
def test_a_model_path_is_for_onnxruntime(path):
    assert chosen(path).kind == "onnxruntime"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("http://127.0.0.1:8080/predict", "http"),
        ("HTTPS://host/v2/models/m/infer", "v2"),
        ("http://host/models/m.onnx", "http"),
        ("grpc://host:8081/m", "v2-grpc"),
        ("grpcs://host:8081/m/2", "v2-grpc"),
    ],
)
def test_an_address_is_an_endpoint(address, kind):
    assert is_address(address)
    assert chosen(address).kind == kind


@pytest.mark.parametrize("thing", ["m.onnx", "host:8080", Path("http:/host"), 3, None])
def test_nothing_else_is_an_address(thing):
    assert not is_address(thing)


def test_a_session_is_for_onnxruntime():
    session = stand_in("InferenceSession", "onnxruntime.capi.onnxruntime_inference_collection")
    assert chosen(session()).kind == "onnxruntime"


def test_a_subclass_of_a_torch_module_is_for_torch_though_it_is_callable():
    base = stand_in("Module", "torch.nn.modules.module", __call__=lambda self, value: value)
    assert chosen(type("Reranker", (base,), {"__module__": "app"})()).kind == "torch"


def test_a_class_that_is_merely_called_module_is_a_callable():
    other = stand_in("Module", "torchlike.nn", __call__=lambda self, value: value)
    assert chosen(other()).kind == "callable"


def test_a_workload_is_taken_as_it_is():
    own = FakeWorkload(FakeTime())
    assert chosen(own) is own


def test_a_workload_takes_no_options():
    with pytest.raises(ConfigError, match="unknown option 'providers'"):
        chosen(FakeWorkload(FakeTime()), providers=[])


def test_a_class_of_workloads_is_refused_like_any_class():
    with pytest.raises(WorkloadError, match="is a class"):
        chosen(FakeWorkload)


def test_what_nothing_recognises_is_refused_and_all_that_is_supported_is_listed():
    with pytest.raises(WorkloadError) as refused:
        chosen(RequiresNothing())
    assert all(row.supports in refused.value.remedy for row in ADAPTERS)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("model.pt", "torch.jit.load"),
        (Path("model.PTH"), "load_state_dict"),
        ("model.pt2", "torch.export.load"),
        ("model.safetensors", "build the module"),
        ("model.bin", "ends in .onnx or .ort"),
        ("", "ends in .onnx or .ort"),
    ],
)
def test_a_path_of_another_kind_says_what_to_do_with_it(path, remedy):
    with pytest.raises(WorkloadError, match=remedy):
        chosen(path)


def test_choosing_and_serving_a_callable_imports_no_runtime():
    code = (
        "import sys\n"
        "from pytest_costguard.app.adapters import adapter_for\n"
        "from pytest_costguard.workloads.inputs import InputSet\n"
        "workload = adapter_for(len, threads=1, options={})\n"
        "workload.load(), workload.synchronise(), workload.describe()\n"
        "adapter_for('m.onnx', threads=1, options={})\n"
        "adapter_for('http://127.0.0.1:9/v2/models/m/infer', threads=1, options={})\n"
        "InputSet.of(['a', [1.5]]).digest\n"
        "print(sorted({'torch', 'onnxruntime', 'onnx', 'grpc'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
