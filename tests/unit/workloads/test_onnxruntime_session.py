from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from contracts.workload import WorkloadContract
from factories.onnx_models import adder, saved, scaler

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.onnxruntime_binding import bound_server
from pytest_costguard.workloads.onnxruntime_session import OnnxRuntimeSession
from pytest_costguard.workloads.onnxruntime_settings import SessionSettings

CPU = "CPUExecutionProvider"
X = np.array([1, 2, 3], dtype="f4")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def scaler_path(models):
    return saved(scaler(factor=2.0), models / "scaler.onnx")


@pytest.fixture(scope="session")
def adder_path(models):
    return saved(adder(), models / "adder.onnx")


class FakeTensor:
    """A tensor of torch, as far as anybody looks."""

    shape, dtype = (3,), "torch.float32"

    def data_ptr(self):
        return 0

    def detach(self):
        return self


def ready(path):
    return onnxruntime.InferenceSession(str(path), providers=[CPU])


def loaded(model, *, threads=1, **options):
    workload = OnnxRuntimeSession(model, threads=threads, options=options)
    workload.load()
    return workload


def served(workload, request):
    return [np.asarray(output).tolist() for output in workload.function()(request)]


class OnnxContract(WorkloadContract):
    options = {}

    @pytest.fixture(autouse=True)
    def _path(self, scaler_path):
        self.path = scaler_path

    def make(self):
        return OnnxRuntimeSession(self.path, threads=1, options=self.options)

    def an_input(self):
        return {"x": X}

    def same(self, first, second):
        return all(map(np.array_equal, first, second))


class TestModelPath(OnnxContract):
    pass


class TestBoundMemory(OnnxContract):
    options = {"io_binding": True}


class TestReadySession(OnnxContract):
    def make(self):
        return OnnxRuntimeSession(ready(self.path), threads=1, options={})


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize(
    "request_", [X, (X,), [X], {"x": X}], ids=["bare", "tuple", "list", "dict"]
)
def test_a_request_may_have_any_of_its_forms(scaler_path, request_, binding):
    assert served(loaded(scaler_path, io_binding=binding), request_)[0] == [2, 4, 6]


def test_a_path_may_be_a_string(scaler_path):
    assert served(loaded(str(scaler_path)), X)[0] == [2, 4, 6]


@pytest.mark.parametrize("binding", [False, True])
def test_requests_may_differ_in_shape(adder_path, binding):
    serve = loaded(adder_path, io_binding=binding).function()
    rows = [np.ones((n, 2), "f4") for n in (1, 3, 2)]
    assert [serve((row, row))[0].shape for row in rows] == [(1, 2), (3, 2), (2, 2)]


def test_bound_answers_are_not_overwritten_by_the_next_request(scaler_path):
    serve = loaded(scaler_path, io_binding=True).function()
    first = serve(X)[0]
    serve(X * 10)
    assert first.tolist() == [2, 4, 6]


def test_bound_memory_takes_values_that_the_runtime_holds_already(scaler_path):
    value = onnxruntime.OrtValue.ortvalue_from_numpy(X)
    assert served(loaded(scaler_path, io_binding=True), {"x": value})[0] == [2, 4, 6]


def test_all_outputs_are_computed_by_default(scaler_path):
    assert served(loaded(scaler_path), X) == [[2, 4, 6], [-1, -2, -3]]


@pytest.mark.parametrize("names", ["z", ["z"], ("z",)])
def test_only_the_outputs_asked_for_are_computed(scaler_path, names):
    assert served(loaded(scaler_path, output_names=names), X) == [[-1, -2, -3]]


@pytest.mark.parametrize("names", [["nothing"], []])
def test_unknown_outputs_are_refused_and_the_known_are_listed(scaler_path, names):
    with pytest.raises(ConfigError, match="outputs are: y, z"):
        loaded(scaler_path, output_names=names)


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"ids": X}, "unknown input names"),
        ({"x": X.astype("f8")}, "astype"),
        (X.reshape(1, 3), "shape"),
        ({"x": "text"}, "not an array"),
        ({"x": FakeTensor()}, "is a tensor"),
        ((X, X), "holds 2 arrays"),
    ],
)
def test_a_wrong_request_is_explained(scaler_path, request_, words, binding):
    serve = loaded(scaler_path, io_binding=binding).function()
    with pytest.raises(WorkloadError, match=words):
        serve(request_)


def test_a_missing_model_is_explained(models):
    with pytest.raises(WorkloadError, match="there is no model file"):
        loaded(models / "absent.onnx")


def test_a_corrupt_model_is_explained(models):
    path = models / "corrupt.onnx"
    path.write_bytes(b"garbage")
    with pytest.raises(WorkloadError, match="refuses"):
        loaded(path)


def test_missing_weights_beside_the_model_are_explained(tmp_path):
    path = saved(scaler(), tmp_path / "m.onnx", weights_beside="m.weights")
    (tmp_path / "m.weights").unlink()
    with pytest.raises(WorkloadError, match="which is not beside it"):
        loaded(path)


def test_a_model_with_weights_beside_it_is_served(tmp_path):
    path = saved(scaler(), tmp_path / "m.onnx", weights_beside="m.weights")
    assert served(loaded(path), X)[0] == [2, 4, 6]


def test_a_provider_that_is_not_installed_is_refused_rather_than_replaced(scaler_path):
    with pytest.raises(WorkloadError, match="has no NoSuchProvider"):
        loaded(scaler_path, providers=["NoSuchProvider"])


@pytest.mark.parametrize("providers", [CPU, [CPU], (CPU, {}), [(CPU, {})]])
def test_providers_may_have_any_of_their_forms(scaler_path, providers):
    assert loaded(scaler_path, providers=providers).describe().details["providers"] == CPU


@pytest.mark.parametrize("providers", [[], [3], 3, [("a", "b", "c")]])
def test_providers_that_are_not_understood_are_refused(scaler_path, providers):
    with pytest.raises(ConfigError, match="is not understood"):
        loaded(scaler_path, providers=providers)


class GivesUp:
    """A session that goes on without the provider it was asked for."""

    def __init__(self, *args, **kwargs):
        pass

    def disable_fallback(self):
        pass

    def get_providers(self):
        return [CPU]


def test_a_provider_that_the_runtime_gave_up_is_an_error(scaler_path):
    runtime = SimpleNamespace(
        InferenceSession=GivesUp,
        SessionOptions=onnxruntime.SessionOptions,
        get_available_providers=lambda: ["CUDAExecutionProvider", CPU],
    )
    settings = SessionSettings(threads=1, providers=["CUDAExecutionProvider", CPU])
    with pytest.raises(WorkloadError, match="gave up CUDAExecutionProvider"):
        settings.session(runtime, path=scaler_path)


def made_with(path, *, threads, session_options=None):
    """The options that the session was made with, as they were at that moment."""
    seen = {}

    class Recorder(GivesUp):
        def __init__(self, model, *, sess_options, providers):
            seen["intra"] = sess_options.intra_op_num_threads
            seen["inter"] = sess_options.inter_op_num_threads
            key = "session.intra_op.allow_spinning"
            seen["spinning"] = sess_options.get_session_config_entry(key)

    runtime = SimpleNamespace(
        InferenceSession=Recorder,
        SessionOptions=onnxruntime.SessionOptions,
        get_available_providers=lambda: [CPU],
    )
    SessionSettings(threads=threads, session_options=session_options).session(runtime, path=path)
    return seen


def test_a_session_is_made_with_the_declared_threads_that_do_not_spin(scaler_path):
    assert made_with(scaler_path, threads=3) == {"intra": 3, "inter": 1, "spinning": "0"}


def test_spinning_that_the_test_asked_for_is_kept(scaler_path):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    assert made_with(scaler_path, threads=1, session_options=options)["spinning"] == "1"


def test_shared_session_options_come_back_as_they_were(scaler_path):
    options = onnxruntime.SessionOptions()
    made_with(scaler_path, threads=2, session_options=options)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (0, 0)


@pytest.mark.parametrize(("intra", "inter"), [(4, 0), (0, 4)])
def test_session_options_that_contradict_the_declared_threads_are_refused(
    scaler_path, intra, inter
):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = intra, inter
    with pytest.raises(ConfigError, match="declare threads=4"):
        loaded(scaler_path, threads=1, session_options=options)


def test_session_options_of_another_kind_are_refused(scaler_path):
    with pytest.raises(ConfigError, match="are not session options"):
        loaded(scaler_path, session_options={"intra_op_num_threads": 1})


@pytest.mark.parametrize("option", [{"providers": [CPU]}, {"session_options": None}])
def test_options_for_making_a_session_are_refused_for_a_ready_one(scaler_path, option):
    with pytest.raises(ConfigError, match="made already"):
        OnnxRuntimeSession(ready(scaler_path), threads=1, options=option)


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'providers'"):
        OnnxRuntimeSession("m.onnx", threads=1, options={"provider": CPU})


def test_a_flag_that_is_no_flag_is_refused():
    with pytest.raises(ConfigError, match="neither True nor False"):
        OnnxRuntimeSession("m.onnx", threads=1, options={"io_binding": "yes"})


def test_describes_threads_as_declared_for_a_path(scaler_path):
    assert loaded(scaler_path, threads=2).describe().details["session_threads"] == "2"


def test_describes_what_a_ready_session_says_of_its_threads(scaler_path):
    details = loaded(ready(scaler_path)).describe().details
    assert details["threads_as_the_session_says"] == "0 (its own choice)"


def test_the_digest_is_the_files(scaler_path):
    expected = hashlib.sha256(scaler_path.read_bytes()).hexdigest()
    assert loaded(scaler_path).describe().model_digest == expected


def test_a_ready_session_has_the_digest_of_its_file(scaler_path):
    assert (
        loaded(ready(scaler_path)).describe().model_digest
        == loaded(scaler_path).describe().model_digest
    )


def test_a_session_made_of_bytes_has_their_digest(scaler_path):
    content = scaler_path.read_bytes()
    session = onnxruntime.InferenceSession(content, providers=[CPU])
    assert loaded(session).describe().model_digest == hashlib.sha256(content).hexdigest()


class FakeBinding:
    def __init__(self, log):
        self.log = log

    def __getattr__(self, name):
        return lambda *args: self.log.append((name, *args)) or []


class FakeCudaSession:
    def __init__(self):
        self.log = []

    def io_binding(self):
        return FakeBinding(self.log)

    def get_providers(self):
        return ["CUDAExecutionProvider", CPU]

    def get_provider_options(self):
        return {"CUDAExecutionProvider": {"device_id": "1"}}

    def run_with_iobinding(self, binding):
        self.log.append(("run",))


def test_outputs_of_a_device_stay_on_it():
    session = FakeCudaSession()
    bound_server(session, outputs=["y"])({"x": X})
    assert ("bind_output", "y", "cuda", 1) in session.log


def test_a_run_on_a_device_is_waited_for():
    session = FakeCudaSession()
    bound_server(session, outputs=["y"])({"x": X})
    names = [name for name, *_ in session.log]
    assert names.index("run") < names.index("synchronize_outputs")
