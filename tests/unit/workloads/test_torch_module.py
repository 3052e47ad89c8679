from __future__ import annotations

import threading
from collections import UserDict
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from contracts.workload import WorkloadContract
from fakes.accelerators import FakeCuda

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.digests import digest_of
from pytest_costguard.workloads.torch_module import TorchModule

X = torch.arange(6.0).reshape(2, 3)


def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.5))


class Subtract(torch.nn.Module):
    def forward(self, first, second):
        return first - second


class Witness(torch.nn.Module):
    """Answers with the modes that it was called in."""

    def forward(self, value):
        return (self.training, torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"))


class Merging(torch.nn.Linear):
    """Merges weights in evaluation mode, as adapters for fine-tuning do."""

    merged = False

    def train(self, mode=True):
        self.merged = not mode
        return super().train(mode)


def loaded(thing, *, threads=1, **options):
    workload = TorchModule(thing, threads=threads, options=options)
    workload.load()
    return workload


def served(workload, request):
    with workload.serving():
        return workload.function()(request)


def digest(thing):
    return loaded(thing).describe().model_digest


class TestTorchModule(WorkloadContract):
    def make(self):
        return TorchModule(module(), threads=1, options={})

    def an_input(self):
        return X

    def same(self, first, second):
        return torch.equal(first, second)


def test_a_tuple_is_spread_over_the_positional_arguments():
    assert torch.equal(served(loaded(Subtract()), (X, 1)), X - 1)


@pytest.mark.parametrize("kind", [dict, UserDict])
def test_a_mapping_is_spread_over_the_keyword_arguments(kind):
    request = kind({"second": X, "first": 1})
    assert torch.equal(served(loaded(Subtract()), request), 1 - X)


def test_requests_may_differ_in_shape():
    workload = loaded(module())
    assert [served(workload, torch.zeros(n, 3)).shape[0] for n in (1, 5, 2)] == [1, 5, 2]


def test_serves_in_evaluation_and_inference_mode():
    assert served(loaded(Witness()), X) == (False, True, False)


def test_serves_in_inference_mode_in_every_thread():
    workload, answers = loaded(Witness()), []
    thread = threading.Thread(target=lambda: answers.append(served(workload, X)))
    thread.start()
    thread.join()
    assert answers == [(False, True, False)]


def test_every_submodule_is_in_its_own_mode_again_afterwards():
    mixed = module()
    mixed[0].eval()
    served(loaded(mixed), X)
    assert [each.training for each in mixed.modules()] == [True, False, True]


def test_the_mode_comes_back_when_a_request_fails():
    broken = module()
    with pytest.raises(RuntimeError):
        served(loaded(broken), torch.zeros(7))
    assert broken.training


def test_the_mode_comes_back_when_the_last_caller_leaves():
    shared = module()
    workload = loaded(shared)
    first, second = workload.serving(), workload.serving()
    # Each caller is a thread: whether gradients are off is a thread's own.
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        one.submit(first.__enter__).result()
        other.submit(second.__enter__).result()
        one.submit(first.__exit__, None, None, None).result()
        during = shared.training
        other.submit(second.__exit__, None, None, None).result()
    assert (during, shared.training) == (False, True)


def test_what_a_module_does_on_changing_its_mode_is_undone():
    merging = Merging(3, 3)
    served(loaded(merging), X)
    assert not merging.merged


def test_a_module_in_evaluation_mode_is_left_alone():
    quiet = Merging(3, 3)
    quiet.training = False
    served(loaded(quiet), X)
    assert (quiet.training, quiet.merged) == (False, False)


@pytest.mark.parametrize("wanted", [True, "bfloat16", "torch.bfloat16", torch.bfloat16])
def test_autocast_holds_while_it_serves(wanted):
    assert served(loaded(module(), autocast=wanted), X).dtype == torch.bfloat16


def test_autocast_ends_with_serving():
    served(loaded(module(), autocast=True), X)
    assert not torch.is_autocast_enabled("cpu")


def test_autocast_is_part_of_the_precision():
    details = loaded(module(), autocast=True).describe().details
    assert details["precision"] == "float32, autocast bfloat16"


@pytest.mark.parametrize("wrong", ["floaty", 3, None])
def test_an_autocast_that_is_no_type_is_refused(wrong):
    with pytest.raises(ConfigError, match="is not a type"):
        loaded(module(), autocast=wrong)


def test_an_autocast_that_torch_would_switch_off_is_refused():
    with pytest.raises(ConfigError, match="is not supported on cpu"):
        loaded(module(), autocast="float64")


def test_a_device_that_is_not_understood_is_refused():
    with pytest.raises(ConfigError, match="is not understood"):
        loaded(Subtract(), device="quantum")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'move_inputs'"):
        TorchModule(module(), threads=1, options={"move_input": True})


def test_weights_without_content_are_refused():
    with pytest.raises(WorkloadError, match="meta device"):
        loaded(torch.nn.Linear(3, 3, device="meta"))


class Records(torch.nn.Module):
    def forward(self, value):
        return value


class Movable:
    """Something that can be moved to a device, as a tensor can."""

    device = "elsewhere"

    def to(self, device):
        moved = Movable()
        moved.device = str(device)
        return moved


@pytest.mark.parametrize(("moves", "device"), [(True, "cpu"), (False, "elsewhere")])
def test_a_tensor_deep_in_a_request_is_moved_where_asked(moves, device):
    answer = served(loaded(Records(), move_inputs=moves), [{"a": [Movable(), "text"]}])
    assert answer[0]["a"][0].device == device


class OnTwoDevices(torch.nn.Module):
    def forward(self, value):
        raise RuntimeError("Expected all tensors to be on the same device, but found two")


def test_inputs_on_another_device_are_explained():
    with pytest.raises(WorkloadError, match="move_inputs=True"):
        served(loaded(OnTwoDevices()), X)


def test_a_cpu_is_not_waited_for():
    assert loaded(module()).synchronise() is None


def test_a_cpu_has_no_device_peak():
    assert loaded(module()).device_peak_bytes() is None


@pytest.fixture
def cuda(monkeypatch):
    fake = FakeCuda(peaks=[123])
    monkeypatch.setattr(torch, "cuda", fake)
    return fake


def test_a_cuda_device_is_waited_for(cuda):
    loaded(Subtract(), device="cuda:0").synchronise()()
    assert cuda.waited == [torch.device("cuda:0")]


def test_the_peak_of_a_cuda_device_is_read(cuda):
    assert loaded(Subtract(), device="cuda").device_peak_bytes() == 123


def test_the_peak_of_a_cuda_device_is_reset(cuda):
    loaded(Subtract(), device="cuda:0").reset_device_peak()
    assert cuda.resets == [torch.device("cuda:0")]


def test_describes_device_and_precision():
    details = loaded(module().to(torch.bfloat16)).describe().details
    assert (details["device"], details["precision"]) == ("cpu", "bfloat16")


def test_threads_as_declared_are_a_number():
    used = torch.get_num_threads()
    assert loaded(module(), threads=used).describe().details["threads"] == str(used)


def test_threads_other_than_declared_are_shown():
    used = torch.get_num_threads()
    details = loaded(module(), threads=used + 1).describe().details
    assert details["threads"] == f"{used} (declared: {used + 1})"


def test_equal_weights_have_equal_digests():
    assert digest(module()) == digest(module())


def test_one_changed_weight_changes_the_digest():
    changed = module()
    changed[0].weight.data[0, 0] += 1
    assert digest(changed) != digest(module())


def test_another_precision_changes_the_digest():
    assert digest(module().to(torch.bfloat16)) != digest(module())


def test_a_module_without_weights_has_a_digest():
    assert digest(Subtract()) is not None


def test_weights_that_are_not_there_yet_have_no_digest():
    assert digest(torch.nn.LazyLinear(3)) is None


def test_weights_get_their_digest_once_they_are_there():
    workload = loaded(torch.nn.LazyLinear(3))
    workload.describe()
    served(workload, X)
    assert workload.describe().model_digest is not None


class NamedLikeCompiled(torch.nn.Module):
    """Keeps the module under the name that torch.compile gives it."""

    def __init__(self):
        super().__init__()
        self._orig_mod = module()


def test_compiling_a_module_does_not_change_its_digest():
    assert digest(NamedLikeCompiled()) == digest(module())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_module_is_served():
    compiled = torch.compile(module(), backend="eager")
    assert torch.equal(served(loaded(compiled), X), served(loaded(module()), X))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module_is_served_and_keeps_its_mode():
    scripted = torch.jit.script(module())
    answer = served(loaded(scripted), X)
    assert (torch.equal(answer, served(loaded(module()), X)), scripted.training) == (True, True)


class Exported(torch.nn.Module):
    """Refuses to change its mode, as exported modules do."""

    def eval(self):
        raise NotImplementedError("Calling eval() is not supported yet.")

    def forward(self, value):
        return value + 1


def test_an_exported_module_is_served_as_it_was_exported():
    exported = Exported()
    assert (torch.equal(served(loaded(exported), X), X + 1), exported.training) == (True, True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.bool])
def test_tensors_of_every_type_can_be_digested(dtype):
    assert not digest_of(torch.ones(2, 2, dtype=dtype)).is_partial


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (X, X.clone()),
        (X.T, X.T.contiguous()),
        (X, X.clone().requires_grad_()),
        (X.to_sparse(), X.to_sparse()),
        (torch.zeros(0, 3), torch.zeros(0, 3)),
        (torch.tensor(1.5), torch.tensor(1.5)),
        ((X * 1j).conj(), X * -1j),
    ],
)
def test_equal_tensors_have_equal_digests(first, second):
    assert digest_of(first) == digest_of(second)


@pytest.mark.parametrize("other", [X + 1, X.double(), X.T, X.numpy(), X.to_sparse()])
def test_different_tensors_have_different_digests(other):
    assert digest_of(other) != digest_of(X)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_quantised_tensor_is_digested_by_its_values():
    quantised = torch.quantize_per_tensor(X, 0.1, 0, torch.qint8)
    other = torch.quantize_per_tensor(X + 1, 0.1, 0, torch.qint8)
    assert digest_of(quantised) != digest_of(other)
