"""Addresses of gRPC as workloads, asked of a small server in this process."""

from __future__ import annotations

import socket
import sys

import grpc
import numpy as np
import pytest
import trustme
from contracts.workload import WorkloadContract
from fakes.grpc_server import serving

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.answers import read
from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.v2_grpc import GrpcEndpoint, decoded, encoded
from pytest_costguard.workloads.v2_grpc_messages import message

X = {"x": np.array([1.0, 2.0], "f4")}


@pytest.fixture
def served():
    with serving() as running:
        yield running


class TestGrpcEndpoint(WorkloadContract):
    address: str

    @pytest.fixture(autouse=True)
    def _served(self):
        with serving() as (_, self.address):
            yield

    def make(self):
        return GrpcEndpoint(f"{self.address}/double")

    def an_input(self):
        return X

    def same(self, first, second):
        return str(read(first)) == str(read(second))


def asked(endpoint, value=X):
    endpoint.prepare([value])
    with endpoint.serving():
        answer = endpoint.function()(value)
    return read(answer)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "values"])
def test_a_model_answers_with_arrays_by_name(served, raw):
    state, address = served
    state.raw = raw
    endpoint = GrpcEndpoint(f"{address}/double")
    for _ in range(2):
        found = asked(endpoint)
        assert found["y"].tolist() == [2.0, 4.0]
        assert found["y"].dtype == np.float32


def test_model_version_and_headers_are_sent(served):
    state, address = served
    asked(GrpcEndpoint(f"{address}/double/2", options={"headers": {"X-Tenant": "a"}}))
    assert (state.seen[0].model_name, state.seen[0].model_version) == ("double", "2")
    assert state.metadata[0]["x-tenant"] == "a"


def test_loading_asks_the_server_for_its_model(served):
    endpoint = GrpcEndpoint(f"{served[1]}/double/2")
    endpoint.load()
    assert endpoint.describe().details == {
        "protocol": "v2 over gRPC",
        "model": "double/2",
        "platform": "numpy",
        "versions": "1, 2",
    }


def test_a_request_is_what_the_protocol_says():
    request = message("ModelInferRequest").FromString(
        encoded({"x": np.array([[1]], "u2"), "s": ["ab"]}, model="m", version="3")
    )
    assert (request.model_name, request.model_version) == ("m", "3")
    assert [(one.name, one.datatype, list(one.shape)) for one in request.inputs] == [
        ("x", "UINT16", [1, 1]),
        ("s", "BYTES", [1]),
    ]
    assert list(request.raw_input_contents) == [b"\x01\x00", b"\x02\x00\x00\x00ab"]


def test_a_request_is_these_bytes():
    # model_name = 1, inputs = 5 {name = 1, datatype = 2, shape = 3, packed}, raw contents = 7.
    assert encoded({"x": np.array([7], "u1")}, model="m", version="") == (
        b"\x0a\x01m\x2a\x0d\x0a\x01x\x12\x05UINT8\x1a\x01\x01\x3a\x01\x07"
    )


def answer(*outputs, raw=()):
    made = message("ModelInferResponse")(model_name="m")
    for name, datatype, shape, contents in outputs:
        made.outputs.add(name=name, datatype=datatype, shape=shape, contents=contents)
    made.raw_output_contents.extend(raw)
    return made.SerializeToString()


def test_every_kind_of_values_is_read():
    found = decoded(
        answer(
            ("bool", "BOOL", [1], {"bool_contents": [True]}),
            ("int", "INT16", [1], {"int_contents": [-3]}),
            ("long", "INT64", [1], {"int64_contents": [-4]}),
            ("unsigned", "UINT8", [1], {"uint_contents": [5]}),
            ("large", "UINT64", [1], {"uint64_contents": [2**63]}),
            ("single", "FP32", [1, 1], {"fp32_contents": [0.5]}),
            ("double", "FP64", [1], {"fp64_contents": [0.25]}),
            ("bytes", "BYTES", [2], {"bytes_contents": [b"a", b""]}),
            ("none", "FP32", [0], {}),
        )
    )
    assert {name: values.tolist() for name, values in found.items()} == {
        "bool": [True],
        "int": [-3],
        "long": [-4],
        "unsigned": [5],
        "large": [2**63],
        "single": [[0.5]],
        "double": [0.25],
        "bytes": [b"a", b""],
        "none": [],
    }


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (b"\xff", "not one of the V2 protocol"),
        (answer(("y", "FP32", [1], {})), "holds 0 values"),
        (answer(("y", "FP32", [2], {}), raw=[b"\x00" * 4]), "holds 1 values"),
        (answer(("y", "FP32", [1], {}), raw=[b"\x00" * 4] * 2), "1 outputs and 2 raw contents"),
        (answer(("y", "ODD", [1], {}), raw=[b"\x00"]), "datatype 'ODD' is not known"),
    ],
)
def test_a_malformed_answer_is_told(reply, complaint):
    with pytest.raises(NoAnswer, match=complaint):
        decoded(reply)


def test_the_first_answer_to_each_input_is_checked_in_full(served):
    state, address = served
    state.answer = lambda asked: answer(("y", "FP32", [1], {}))
    with pytest.raises(NoAnswer, match="holds 0 values"):
        asked(GrpcEndpoint(f"{address}/double"))


def test_a_server_that_does_not_run_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{free.getsockname()[1]}/double"
        with pytest.raises(NoAnswer, match=r"no connection \(UNAVAILABLE\)(.|\n)*start the server"):
            GrpcEndpoint(address).load()


def test_a_model_that_the_server_does_not_have_is_told(served):
    with pytest.raises(NoAnswer, match=r"triple: the server does not have the model \(NOT_FOUND\)"):
        GrpcEndpoint(f"{served[1]}/triple").load()


def test_an_answer_that_does_not_come_in_time_is_told(served):
    state, address = served
    state.waits = True
    with pytest.raises(NoAnswer, match=r"no answer in time \(DEADLINE_EXCEEDED\)(.|\n)*timeout="):
        asked(GrpcEndpoint(f"{address}/double", options={"timeout": 0.1}))


def test_what_the_server_refuses_is_told_in_its_words_and_sent_once(served):
    state, address = served
    state.refuses = grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(NoAnswer, match=r"refused \(RESOURCE_EXHAUSTED\): no today"):
        asked(GrpcEndpoint(f"{address}/double"))
    assert len(state.seen) == 1


def test_a_wrong_type_is_told_in_the_servers_words(served):
    with pytest.raises(NoAnswer, match=r"refused \(INVALID_ARGUMENT\): no FP64 here"):
        asked(GrpcEndpoint(f"{served[1]}/double"), {"x": [1.0]})


def test_a_server_of_another_service_is_told(monkeypatch, served):
    monkeypatch.setattr("pytest_costguard.workloads.v2_grpc.SERVICE", "other.Service")
    with pytest.raises(NoAnswer, match="does not speak the V2 protocol over gRPC"):
        GrpcEndpoint(f"{served[1]}/double").load()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secured(authority):
    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    with serving(credentials=credentials) as (_, address):
        yield address


def test_a_named_authority_is_trusted(secured, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = {"verify": str(tmp_path / "ca.pem")}
    assert asked(GrpcEndpoint(f"{secured}/double", options=options))["y"].tolist() == [2.0, 4.0]


def test_a_certificate_that_nobody_trusts_is_told(secured):
    with pytest.raises(NoAnswer, match="UNAVAILABLE"):
        GrpcEndpoint(f"{secured}/double").load()


@pytest.mark.parametrize(
    ("url", "options", "complaint"),
    [
        ("grpc://host:1", {}, "does not name a port and a model"),
        ("grpc://host/model", {}, "does not name a port and a model"),
        ("grpc://host:1/a/b/c", {}, "does not name a port and a model"),
        ("grpc://", {}, "not an address"),
        ("grpc://me:secret@host:1/m", {}, "name or a password"),
        ("grpcs://host:1/m", {"verify": False}, "always checks"),
        ("grpcs://host:1/m", {"verify": "/no/such.pem"}, "cannot be read"),
        ("grpc://host:1/m", {"binary": True}, "unknown option 'binary'"),
        ("grpc://host:1/m", {"timeout": -1}, "timeout=-1"),
    ],
)
def test_what_does_not_fit_is_refused(url, options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        GrpcEndpoint(url, options=options)


@pytest.mark.parametrize("package", ["grpc", "google.protobuf"])
def test_without_its_packages_the_extra_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(WorkloadError, match=r"pytest-costguard\[grpc\]"):
        GrpcEndpoint("grpc://127.0.0.1:1/m")
