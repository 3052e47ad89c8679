"""Inputs for two ONNX models: shared, random, from a file, or refused with the remedy."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_costguard.app.experiment_models import agreement
from pytest_costguard.app.model_inputs import feeds_of_file, random_feeds, shared_inputs
from pytest_costguard.errors import ConfigError
from pytest_costguard.workloads.onnx_feeds import ModelInput

NAMES = ("a.onnx", "b.onnx")


def image(*shape, name="x", kind="tensor(float)"):
    return ModelInput(name=name, type=kind, shape=shape)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_both_models_sizes_count():
    (shared,) = shared_inputs([image("n", 3)], [image(2, "c")], names=NAMES)

    assert shared.shape == (2, 3)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (image("n", 3, name="y"), "a.onnx takes x, b.onnx takes y"),
        (image("n", 3, kind="tensor(float16)"), "float16"),
        (image("n", 4), "x is float32"),
        (image("n"), "x is float32"),
    ],
)
def test_models_that_take_different_inputs_are_refused(other, said):
    with pytest.raises(ConfigError, match=said) as caught:
        shared_inputs([image("n", 3)], [other], names=NAMES)
    assert "same inputs" in caught.value.remedy


def test_random_requests_are_the_same_each_time_and_have_the_sizes_asked_for():
    wanted = [image("n", None, 3), image("n", name="ids", kind="tensor(int64)")]
    feeds = random_feeds(wanted, dims={"n": 5}, requests=2)

    assert feeds[0]["x"].shape == (5, 1, 3)
    assert feeds[0]["x"].dtype == np.float32
    assert set(np.unique(feeds[1]["ids"])) <= {0, 1}
    again = random_feeds(wanted, dims={"n": 5}, requests=2)
    assert np.array_equal(feeds[1]["x"], again[1]["x"])


def test_a_dimension_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="--dim batch") as caught:
        random_feeds([image("n", 3)], dims={"batch": 2})
    assert "n" in caught.value.remedy


def test_a_file_is_one_request_or_one_for_each_entry(tmp_path):
    file = saved(tmp_path / "x.npz", x=np.zeros((4, 3), "f4"))

    assert [f["x"].shape for f in feeds_of_file(file, [image("n", 3)], each=False)] == [(4, 3)]
    kept = feeds_of_file(file, [image("n", 3)], each=True)
    assert [feed["x"].shape for feed in kept] == [(1, 3)] * 4
    assert feeds_of_file(file, [image(3)], each=True)[0]["x"].shape == (3,)


@pytest.mark.parametrize(
    ("arrays", "each", "said"),
    [
        ({"y": np.zeros(3)}, False, "holds y, the models take x"),
        ({"x": np.zeros((2, 3))}, False, "float64"),
        ({"x": np.zeros((2, 4), "f4")}, False, "shape"),
        ({"x": np.zeros((0, 3), "f4")}, True, "at least one"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, each, said):
    with pytest.raises(ConfigError, match=said):
        feeds_of_file(saved(tmp_path / "x.npz", **arrays), [image("n", 3)], each=each)


def test_what_is_no_npz_is_refused(tmp_path):
    (tmp_path / "x.npz").write_text("no")
    for path in (tmp_path / "x.npz", tmp_path / "gone.npz"):
        with pytest.raises(ConfigError, match=r"no arrays could be read"):
            feeds_of_file(path, [image("n", 3)], each=False)


def test_agreement_names_the_largest_difference_and_equal_decisions():
    a = [[np.array([[0.1, 0.9], [0.8, 0.2]])]]
    b = [[np.array([[0.2, 0.9], [0.1, 0.2]])]]

    said = agreement(a, b, names=("logits",))

    assert "logits differs by at most 0.7" in said
    assert "same argmax in 50 %" in said
    assert "equal" in agreement(a, a, names=("logits",))
    assert "different shapes" in agreement(a, [[np.zeros(2)]], names=("logits",))
    assert "cannot be compared" in agreement(a, [[]], names=("logits",))
