"""The messages of the Open Inference Protocol V2 over gRPC, as far as an inference needs them.

Made of their description when first used, in a pool of their own: code that a compiler has
generated is tied to the versions of protobuf that it was generated for, and two copies of one
description in the common pool exclude each other, so that no test could import a server's own.
On the wire only numbers and types count; what is not described here is passed over when read.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

SERVICE = "inference.GRPCInferenceService"

_PROTO = """
message ModelMetadataRequest { string name = 1; string version = 2; }

message ModelMetadataResponse {
  string name = 1; repeated string versions = 2; string platform = 3;
}

message InferTensorContents {
  repeated bool bool_contents = 1;
  repeated int32 int_contents = 2;
  repeated int64 int64_contents = 3;
  repeated uint32 uint_contents = 4;
  repeated uint64 uint64_contents = 5;
  repeated float fp32_contents = 6;
  repeated double fp64_contents = 7;
  repeated bytes bytes_contents = 8;
}

message InferTensor {
  string name = 1;
  string datatype = 2;
  repeated int64 shape = 3;
  InferTensorContents contents = 5;
}

message ModelInferRequest {
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  repeated InferTensor inputs = 5;
  repeated bytes raw_input_contents = 7;
}

message ModelInferResponse {
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  repeated InferTensor outputs = 5;
  repeated bytes raw_output_contents = 6;
}
"""
"""Of `open_inference_grpc.proto`; both kinds of tensors have the same fields there."""
_MESSAGE = re.compile(r"message (?P<name>\w+) \{(?P<fields>[^}]*)\}")
_FIELD = re.compile(r"(?P<many>repeated )?(?P<kind>\w+) (?P<name>\w+) = (?P<number>\d+);")


@cache
def message(name: str) -> Any:
    """Return the class of a message, for example `ModelInferRequest`."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"inference.{name}"))


@cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(
        name="pytest_costguard/open_inference.proto", package="inference", syntax="proto3"
    )
    for described in _MESSAGE.finditer(_PROTO):
        made = file.message_type.add(name=described["name"])
        for field in _FIELD.finditer(described["fields"]):
            _add_field(made, field, kinds=descriptor_pb2.FieldDescriptorProto)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(made: Any, field: re.Match[str], *, kinds: Any) -> None:
    added = made.field.add(
        name=field["name"],
        number=int(field["number"]),
        label=kinds.LABEL_REPEATED if field["many"] else kinds.LABEL_OPTIONAL,
    )
    if field["kind"].islower():
        added.type = kinds.Type.Value(f"TYPE_{field['kind'].upper()}")
        return
    added.type = kinds.TYPE_MESSAGE
    added.type_name = f".inference.{field['kind']}"
