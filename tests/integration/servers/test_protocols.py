"""What MLServer and KServe speak of the V2 protocol: the same answers as the model gives here."""

from __future__ import annotations

import numpy as np
import pytest
from factories.model_servers import mlserver

from pytest_costguard.app.adapters import adapter_for
from pytest_costguard.workloads.answers import read
from pytest_costguard.workloads.http_exchange import NoAnswer


def answers(address, images, **options):
    """Each image asked twice: what is read after the stretch, and what is read later."""
    endpoint = adapter_for(address, threads=1, options=options)
    endpoint.load()
    ask = endpoint.function()
    inputs = [{"image": image} for image in images]
    endpoint.prepare(inputs)
    for _ in range(2):
        with endpoint.serving():
            found = [ask(value) for value in inputs]
    return [read(one) for one in found]


def agree(found, logits):
    return all(
        np.allclose(one["logits"], wanted, atol=1e-5) and one["logits"].dtype == np.float32
        for one, wanted in zip(found, logits, strict=True)
    )


def test_json_answers_are_the_models_own(server, images, logits):
    assert agree(answers(server.infer, images), logits)


def test_grpc_answers_are_the_models_own(server, images, logits):
    assert agree(answers(server.grpc_model, images), logits)


def test_kserve_knows_the_binary_extension(kserve_running, images, logits):
    assert agree(answers(kserve_running.infer, images, binary=True), logits)


def test_mlserver_does_not_know_the_binary_extension_and_it_is_told(mlserver_running, images):
    with pytest.raises(NoAnswer, match=r"digits/infer answered 500(.|\n)*leave binary=True out"):
        answers(mlserver_running.infer, images, binary=True)


@pytest.mark.parametrize("protocol", ["infer", "grpc_model"])
def test_a_wrong_shape_is_told_in_the_servers_words(server, protocol):
    with pytest.raises(NoAnswer, match=r"(?i)(answered 4\d\d|INVALID_ARGUMENT).*dim"):
        answers(getattr(server, protocol), [np.zeros((1, 1, 3, 3), "f4")])


@pytest.mark.parametrize("protocol", ["infer", "grpc_model"])
def test_a_model_that_is_not_there_is_told_when_loading(server, protocol):
    address = getattr(server, protocol).replace("digits", "letters")
    with pytest.raises(NoAnswer, match="letters"):
        adapter_for(address, threads=1, options={}).load()


def test_a_server_says_what_its_model_is(server):
    endpoint = adapter_for(server.infer, threads=1, options={})
    endpoint.load()
    assert endpoint.describe().details["model"] == "digits"


def test_a_server_is_ready_before_its_model_is(tmp_path):
    with mlserver(tmp_path, load_models_at_startup=False) as empty:
        assert empty.status("/v2/health/ready") == 200
        assert empty.status("/v2/models/digits/ready") != 200
        with pytest.raises(NoAnswer, match="digits"):
            adapter_for(empty.infer, threads=1, options={}).load()
