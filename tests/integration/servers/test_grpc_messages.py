"""Our description of the messages of gRPC is that of the servers' own generated code."""

from __future__ import annotations

import json
import subprocess

import pytest
from factories.model_servers import program

from pytest_costguard.workloads.v2_grpc_messages import message

OWN = {
    "mlserver": "mlserver.grpc.dataplane_pb2",
    "kserve": "kserve.protocol.grpc.grpc_predict_v2_pb2",
}
TELL = """
import importlib, json, sys

def fields(described):
    return {field.name: [field.number, field.type] for field in described.fields}

module = importlib.import_module(sys.argv[1])
print(json.dumps({
    ".".join((one.name, nested.name) if nested else (one.name,)): fields(nested or one)
    for one in module.DESCRIPTOR.message_types_by_name.values()
    for nested in (None, *one.nested_types)
}))
"""
SAME = {
    "ModelMetadataRequest": "ModelMetadataRequest",
    "ModelMetadataResponse": "ModelMetadataResponse",
    "InferTensorContents": "InferTensorContents",
    "ModelInferRequest": "ModelInferRequest",
    "ModelInferRequest.InferInputTensor": "InferTensor",
    "ModelInferResponse": "ModelInferResponse",
    "ModelInferResponse.InferOutputTensor": "InferTensor",
}
"""Theirs and ours."""


@pytest.mark.parametrize("server", OWN)
def test_numbers_and_types_are_the_servers_own(server):
    said = subprocess.run(
        [program(server, "python"), "-c", TELL, OWN[server]],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    theirs = json.loads(said.stdout.splitlines()[-1])
    for name, our_name in SAME.items():
        for field in message(our_name).DESCRIPTOR.fields:
            assert theirs[name][field.name] == [field.number, field.type], (name, field.name)
