"""A mixture serves each request by its own part, in that part's own context."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from fractions import Fraction

import pytest
from contracts.workload import WorkloadContract
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.app.adapters import adapter_for
from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Clock, Description, Prepares
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Load, Scenario
from pytest_costguard.workloads.callable import CallableWorkload
from pytest_costguard.workloads.inputs import InputSet
from pytest_costguard.workloads.mixture import (
    MixedInputs,
    MixedRequest,
    MixedWorkload,
    Mixture,
    MixturePart,
)

ONE, THREE = Fraction(1), Fraction(3)


def doubled(value):
    return value * 2


def a_mixture():
    return MixedWorkload({"len": CallableWorkload(len), "double": CallableWorkload(doubled)})


class TestMixedWorkload(WorkloadContract):
    def make(self):
        return a_mixture()

    def an_input(self):
        return MixedRequest(0, "abc")


class Noting(FakeWorkload):
    """Keeps its context to itself, and notes in whose contexts each request was served."""

    def __init__(self, name, inside, **options):
        super().__init__(FakeTime(), **options)
        self.name, self.inside = name, inside
        self.seen = []
        self.before = lambda _: self.seen.append(tuple(inside))

    def serving(self):
        @contextmanager
        def entered():
            self.inside.append(self.name)
            try:
                yield
            finally:
                self.inside.remove(self.name)

        return entered()

    def holding(self):
        return nullcontext()


def test_a_context_that_others_do_not_notice_is_entered_once_round_the_stretch():
    part = FakeWorkload(FakeTime())
    mixture = MixedWorkload({"part": part, "len": CallableWorkload(len)})
    with mixture.serving():
        serve = mixture.function()
        for _ in range(3):
            serve(MixedRequest(0, 1))
        assert (part.entered, part.left) == (1, 0)
    assert (part.entered, part.left) == (1, 1)


def test_each_part_prepares_its_own_inputs_once():
    class Preparing(FakeWorkload):
        def prepare(self, inputs):
            self.prepared = inputs

    part = Preparing(FakeTime())
    mixture = MixedWorkload({"len": CallableWorkload(len), "part": part})
    mixed = MixedInputs.of_parts([InputSet.of(["a", "b"]), InputSet.of([[1], [2]])], [ONE, ONE])
    assert isinstance(mixture, Prepares)
    mixture.prepare(mixed.inputs * 3)
    assert part.prepared == [[1], [2]]


def test_each_request_is_served_by_its_part():
    serve = a_mixture().function()
    assert [serve(MixedRequest(0, "abc")), serve(MixedRequest(1, 21))] == [3, 42]


def test_a_part_is_served_in_its_own_context_and_in_no_other():
    inside = []
    first, second = Noting("first", inside), Noting("second", inside)
    mixture = MixedWorkload({"first": first, "second": second})
    with mixture.serving():
        serve = mixture.function()
        serve(MixedRequest(0, 1))
        serve(MixedRequest(1, 1))
    assert (first.seen, second.seen) == ([("first",)], [("second",)])
    assert inside == []


def test_only_the_device_of_the_part_that_served_is_waited_for():
    first = FakeWorkload(FakeTime(), device_lag_ns=5)
    second = FakeWorkload(FakeTime(), device_lag_ns=5)
    mixture = MixedWorkload({"first": first, "second": second})
    serve = mixture.function()
    serve(MixedRequest(0, 1))
    assert (first.synchronised, second.synchronised) == (1, 0)
    assert mixture.synchronise() is None


def test_what_a_part_holds_for_the_whole_process_is_held_while_anybody_serves():
    held = []

    class Holding(FakeWorkload):
        @contextmanager
        def holding(self):
            held.append(True)
            yield
            held.clear()

    mixture = MixedWorkload({"a": Holding(FakeTime()), "b": CallableWorkload(len)})
    with mixture.serving():
        assert held
    assert not held


def test_a_request_that_raises_leaves_the_context_and_the_others_alone():
    inside = []
    mixture = MixedWorkload({"bad": Noting("bad", inside), "good": CallableWorkload(len)})
    serve = mixture.function()
    with pytest.raises(ZeroDivisionError):
        serve(MixedRequest(0, -1))
    assert inside == []
    assert serve(MixedRequest(1, "abc")) == 3


def test_it_is_async_as_soon_as_one_part_is():
    async def answer(value):
        return value

    assert MixedWorkload({"a": CallableWorkload(len), "b": CallableWorkload(answer)}).is_async


def described(**description):
    part = FakeWorkload(FakeTime())
    part.describe = lambda: Description(**description)
    return part


def test_it_describes_its_parts_by_their_names():
    mixture = MixedWorkload({"a": described(details={"device": "cuda:0"}), "b": described()})
    assert mixture.describe().details == {
        "a.kind": "fake",
        "a.device": "cuda:0",
        "b.kind": "fake",
    }
    assert mixture.describe().model_digest is None


def test_the_digest_follows_each_models_own():
    before = MixedWorkload({"a": described(model_digest="1"), "b": described()})
    after = MixedWorkload({"a": described(model_digest="2"), "b": described()})
    assert before.describe().model_digest != after.describe().model_digest


def test_providers_of_all_parts_are_named_once():
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    mixture = MixedWorkload(
        {
            "a": described(details={"providers": cpu}),
            "b": described(details={"providers": f"{cuda}, {cpu}"}),
        }
    )
    assert mixture.describe().details["providers"] == f"{cpu}, {cuda}"


def test_a_device_that_parts_share_counts_once():
    def on_a_device(peak):
        part = FakeWorkload(FakeTime())
        part.device_peak_bytes = lambda: peak
        return part

    # torch tells both parts of one device the same, the process's peak.
    shared = MixedWorkload({"a": on_a_device(700), "b": on_a_device(700), "c": on_a_device(None)})
    assert shared.device_peak_bytes() == 700
    assert a_mixture().device_peak_bytes() is None


def test_inputs_are_interleaved_and_name_their_part():
    mixed = MixedInputs.of_parts([InputSet.of(["a", "b"]), InputSet.of([1])], [ONE, ONE])
    assert mixed.inputs == ((0, "a"), (1, 1), (0, "b"), (1, 1))
    assert mixed.parts == (0, 1, 0, 1)


def test_an_input_is_the_same_object_in_each_round():
    mixed = MixedInputs.of_parts([InputSet.of(["a", "b"]), InputSet.of([[1]])], [ONE, ONE])
    assert mixed.inputs[1] is mixed.inputs[3]


def test_the_digest_tells_inputs_and_shares_apart():
    def digest(*shares, last="b"):
        return MixedInputs.of_parts([InputSet.of(["a", last]), InputSet.of([1])], shares).digest

    assert digest(ONE, ONE) == digest(ONE, ONE)
    assert len({digest(ONE, ONE), digest(THREE, ONE), digest(ONE, ONE, last="c")}) == 3


def test_inputs_that_cannot_be_interleaved_say_what_to_do():
    with pytest.raises(WorkloadError) as caught:
        MixedInputs.of_parts([InputSet.of(range(100)), InputSet.of([1])], [ONE, Fraction(50_000)])
    assert "small whole numbers" in caught.value.remedy


def test_an_input_set_is_taken_as_it_is_also_from_a_function():
    mixed = MixedInputs.of_parts([InputSet.of(["a"]), InputSet.of([1])], [ONE, ONE])
    assert InputSet.of(mixed) is mixed
    assert InputSet.of(lambda: mixed) is mixed


def test_without_measuring_one_round_is_served():
    mixed = MixedInputs.of_parts([InputSet.of(["abc"]), InputSet.of(range(7))], [THREE, ONE])
    assert [request.part for request in mixed.served_once] == [0, 0, 1, 0]


def test_the_warm_up_sees_every_shape_of_every_part():
    time = FakeTime()
    parts = {"a": FakeWorkload(time), "b": FakeWorkload(time)}
    mixed = MixedInputs.of_parts([InputSet.of([10]), InputSet.of([20])], [Fraction(9), ONE])
    served = Served(
        workload=MixedWorkload(parts),
        inputs=mixed.inputs,
        items=[1] * len(mixed),
        scenario=Scenario(kind="server", load=Load(rate=10.0)),
        clock=time.clock(),
        parts=mixed.parts,
    )
    served.warm_up(max_seconds=0.001)
    assert parts["a"].served
    assert parts["b"].served


def test_under_load_each_request_says_its_part():
    mixed = MixedInputs.of_parts([InputSet.of(["aa"]), InputSet.of(["b"])], [THREE, ONE])
    served = Served(
        workload=MixedWorkload({"a": CallableWorkload(len), "b": CallableWorkload(len)}),
        inputs=mixed.inputs,
        items=[1] * len(mixed),
        scenario=Scenario(kind="server", load=Load(rate=2000.0)),
        clock=Clock.system(),
        parts=mixed.parts,
    )
    window = served.under_load().window(rate=2000.0, requests=40, turn=0)
    assert window.open_loop.parts == (0, 0, 1, 0) * 10


def test_its_row_makes_an_adapter_of_each_part():
    mixture = Mixture(
        parts=(
            MixturePart(name="a", make=lambda: len, options={}),
            MixturePart(name="b", make=lambda: doubled, options={}),
        )
    )
    adapter = adapter_for(mixture, threads=1, options={})
    assert adapter.kind == "mixture"
    assert adapter.function()(MixedRequest(1, 4)) == 8


def test_an_option_that_a_part_does_not_have_is_refused():
    part = MixturePart(name="a", make=lambda: len, options={"autocast": True})
    with pytest.raises(ConfigError, match="unknown option 'autocast'"):
        adapter_for(Mixture(parts=(part, part)), threads=1, options={})


def test_a_torch_module_casts_its_own_requests_and_no_others():
    torch = pytest.importorskip("torch")
    cast, plain = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    mixture = MixedWorkload(
        {
            "cast": adapter_for(cast, threads=1, options={"autocast": "bfloat16"}),
            "plain": adapter_for(plain, threads=1, options={}),
            "free": CallableWorkload(lambda value: plain(value)),
        }
    )
    mixture.load()
    value = torch.ones(1, 2)
    with mixture.serving():
        serve = mixture.function()
        answers = [serve(MixedRequest(part, value)) for part in range(3)]
    assert [answer.dtype for answer in answers] == [torch.bfloat16, torch.float32, torch.float32]
    # A callable of the test's own may need gradients: no other part's inference mode reaches it.
    assert [answer.requires_grad for answer in answers] == [False, False, True]


def test_a_torch_module_stays_in_evaluation_mode_between_requests():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5))
    mixture = MixedWorkload(
        {"module": adapter_for(module, threads=1, options={}), "len": CallableWorkload(len)}
    )
    mixture.load()
    with mixture.serving():
        assert not module.training
        mixture.function()(MixedRequest(0, torch.ones(1, 2)))
        assert not module.training
    assert module.training
