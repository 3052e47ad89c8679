from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from factories.onnx_models import saved, scaler
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.onnx_file import OnnxFile

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def written(path, content):
    path.write_bytes(content)
    return OnnxFile(path=path)


@pytest.fixture
def split(tmp_path):
    """A model whose weights lie beside it."""
    return OnnxFile(path=saved(scaler(), tmp_path / "m.onnx", weights_beside="m.weights"))


def test_a_model_that_is_there_passes(tmp_path):
    OnnxFile(path=saved(scaler(), tmp_path / "m.onnx")).check()


def test_a_missing_file_is_named_with_where_the_path_starts(tmp_path):
    with pytest.raises(WorkloadError, match=r"no model file(.|\n)*starts from"):
        OnnxFile(path=tmp_path / "m.onnx").check()


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WorkloadError, match="not a file"):
        OnnxFile(path=tmp_path).check()


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(WorkloadError, match="is empty"):
        written(tmp_path / "m.onnx", b"").check()


def test_a_git_lfs_pointer_is_explained(tmp_path):
    with pytest.raises(WorkloadError, match=r"pointer(.|\n)*git lfs pull"):
        written(tmp_path / "m.onnx", POINTER).check()


def test_a_model_in_one_file_has_no_weights_beside_it(tmp_path):
    assert OnnxFile(path=saved(scaler(), tmp_path / "m.onnx")).external_data() == ()


def test_the_weights_beside_a_model_are_found(split):
    assert split.external_data() == ("m.weights",)


def test_a_long_name_of_the_weights_is_found(tmp_path):
    name = "w" * 200
    file = OnnxFile(path=saved(scaler(), tmp_path / "m.onnx", weights_beside=name))
    assert file.external_data() == (name,)


def test_missing_weights_are_named(split):
    (split.path.parent / "m.weights").unlink()
    with pytest.raises(WorkloadError, match=r"keeps weights in m\.weights"):
        split.check_external_data()


def test_weights_that_are_a_pointer_are_explained(split):
    (split.path.parent / "m.weights").write_bytes(POINTER)
    with pytest.raises(WorkloadError, match="pointer"):
        split.check_external_data()


def test_the_digest_of_one_file_is_its_sha256(tmp_path):
    file = written(tmp_path / "m.onnx", b"abc")
    assert file.digest() == hashlib.sha256(b"abc").hexdigest()


def test_changed_weights_beside_a_model_change_its_digest(split):
    before = split.digest()
    (split.path.parent / "m.weights").write_bytes(b"\0\0\0\0")
    assert split.digest() != before


def test_the_digest_does_not_depend_on_the_folder(split, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("m.onnx", "m.weights"):
        (moved / name).write_bytes((tmp_path / name).read_bytes())
    assert OnnxFile(path=moved / "m.onnx").digest() == split.digest()


@settings(max_examples=80, deadline=None)
@given(
    content=st.lists(
        st.sampled_from([b"\x0a\x08location\x12", b"\xff\xff", b"a\x01"]) | st.binary(max_size=6)
    ).map(b"".join)
)
def test_any_content_is_searched_without_failing(content, tmp_path_factory):
    path = Path(tmp_path_factory.getbasetemp()) / "fuzzed.onnx"
    assert isinstance(written(path, content).external_data(), tuple)
