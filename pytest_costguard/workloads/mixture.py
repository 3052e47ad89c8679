"""Several workloads served by one pool: what a machine does that serves more than one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.interleaving import TooLong, interleaved, weights_of
from pytest_costguard.measure.ports import Confined, Description, Prepares, Workload
from pytest_costguard.workloads.accelerators import cuda_in_use, peak_bytes_of
from pytest_costguard.workloads.digests import Digest, digest_of
from pytest_costguard.workloads.inputs import InputSet

_PROVIDERS = "providers"


class MixedRequest(NamedTuple):
    """One request of a mixture: which part it goes to, and that part's own input."""

    part: int
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MixturePart:
    """One part of a mixture as the test gave it; nothing is loaded yet."""

    name: str
    make: Callable[[], Any]
    """Returns the workload; where it loads one, that is part of the mixture's cold start."""
    options: Mapping[str, Any]
    """For its adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Several workloads that one pool serves, not loaded yet."""

    parts: tuple[MixturePart, ...]


@dataclass(frozen=True, kw_only=True)
class MixedInputs(InputSet):
    """The requests of a mixture: its parts' inputs, interleaved by their shares."""

    sources: tuple[InputSet, ...]
    shares: tuple[Fraction, ...]

    @classmethod
    def of_parts(cls, sources: Sequence[InputSet], shares: Sequence[Fraction]) -> MixedInputs:
        """Interleave the inputs of the parts.

        Raises:
            WorkloadError: an order that holds every input once would be too long.
        """
        try:
            turns = interleaved(shares, [len(source) for source in sources])
        except TooLong as error:
            raise WorkloadError(
                f"the inputs of the parts, each at least once and by their shares, are {error}",
                remedy="write the shares as small whole numbers (share=3), nearer to each other,"
                " or give the part with the small share fewer inputs",
            ) from error
        # One object an input: who keeps something by its identity finds it again in each round.
        requests = [
            [MixedRequest(part, value) for value in source] for part, source in enumerate(sources)
        ]
        return cls(
            inputs=tuple(requests[turn.part][turn.input] for turn in turns),
            parts=tuple(turn.part for turn in turns),
            sources=tuple(sources),
            shares=tuple(shares),
        )

    @property
    def served_once(self) -> tuple[Any, ...]:
        """One round: what each part answers to all of its inputs is seen where it is alone."""
        return self.inputs[: sum(weights_of(self.shares))]

    @cached_property
    def _digest(self) -> Digest:
        """Of what it is made from: the order follows, and repeats every input many times."""
        made_of = [[str(share) for share in self.shares], [one.digest for one in self.sources]]
        return Digest(
            hexadecimal=digest_of(made_of).hexadecimal,
            is_partial=any(one.digest_is_partial for one in self.sources),
        )


class MixedWorkload:
    """Serves each request by the part that it belongs to, as that part alone would.

    What a part sets for a thread (inference mode, autocast) is set round its own requests alone,
    so that those of another part are served as ever; its device is waited for after its own.

    Args:
        parts: their adapters by name, in the order in which requests count them; at least one.
    """

    def __init__(self, parts: Mapping[str, Workload]) -> None:
        self._parts = dict(parts)

    @property
    def kind(self) -> str:
        """`mixture`."""
        return "mixture"

    @property
    def is_async(self) -> bool:
        """Whether a part is a coroutine function, which a mixture cannot serve."""
        return any(part.is_async for part in self._parts.values())

    def load(self) -> None:
        """Load all parts, one after another."""
        for part in self._parts.values():
            part.load()

    def prepare(self, inputs: Sequence[MixedRequest]) -> None:
        """Have each part prepare its own inputs, where it does."""
        for number, part in enumerate(self._parts.values()):
            if isinstance(part, Prepares):
                own = {id(one.value): one.value for one in inputs if one.part == number}
                part.prepare(list(own.values()))

    def function(self) -> Callable[[MixedRequest], Any]:
        """Return what serves a request by its part, in that part's own context."""
        serve_by_part = [_in_its_context(part) for part in self._parts.values()]

        def serve(request: MixedRequest) -> Any:
            part, value = request
            return serve_by_part[part](value)

        return serve

    def synchronise(self) -> Callable[[], None] | None:
        """Return None: each request waits for its own part's device."""
        return None

    def serving(self) -> AbstractContextManager[object]:
        """Return a context of all parts, without what must be set round single requests."""
        return self._serving()

    def describe(self) -> Description:
        """Say of each part what it says of itself; the digest is that of all models."""
        found = {name: part.describe() for name, part in self._parts.items()}
        details = {
            f"{name}.{key}": value
            for name, one in found.items()
            for key, value in {"kind": self._parts[name].kind, **one.details}.items()
        }
        if providers := _providers(found.values()):
            details[_PROVIDERS] = providers
        digests = [[name, one.model_digest] for name, one in found.items()]
        has_model = any(one.model_digest for one in found.values())
        return Description(
            details=details, model_digest=digest_of(digests).hexadecimal if has_model else None
        )

    def device_peak_bytes(self) -> int | None:
        """Return the peak of all devices; a device that several parts share counts once.

        torch tells the peak of a device for the whole process, so that the parts' own figures
        must not be added up.
        """
        peaks = [part.device_peak_bytes() for part in self._parts.values()]
        peaks.append(peak_bytes_of(cuda_in_use()))
        return max((peak for peak in peaks if peak is not None), default=None)

    def reset_device_peak(self) -> None:
        """Start anew on the devices of all parts."""
        for part in self._parts.values():
            part.reset_device_peak()

    @contextmanager
    def _serving(self) -> Iterator[None]:
        with ExitStack() as held:
            for part in self._parts.values():
                context = part.holding() if isinstance(part, Confined) else part.serving()
                held.enter_context(context)
            yield


def _in_its_context(part: Workload) -> Callable[[Any], Any]:
    """Return what serves one request of a part as a stretch of that part alone would."""
    serve, wait = part.function(), part.synchronise()
    context = part.serving if isinstance(part, Confined) else nullcontext
    if context is nullcontext and wait is None:
        return serve

    def served(value: Any) -> Any:
        with context():
            answer = serve(value)
            if wait is not None:
                wait()
        return answer

    return served


def _providers(descriptions: Iterable[Description]) -> str:
    """Every provider that a part names, once: whether a device is used is read off them."""
    named = [one.details[_PROVIDERS] for one in descriptions if _PROVIDERS in one.details]
    return ", ".join(dict.fromkeys(name for text in named for name in text.split(", ")))
