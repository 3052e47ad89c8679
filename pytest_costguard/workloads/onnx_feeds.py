"""What a request must look like for an ONNX model, and what is wrong with one that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_costguard.errors import WorkloadError

_ELEMENT_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
    **{
        f"tensor({sign}int{bits})": f"{sign}int{bits}"
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
"""numpy's names for the element types that onnxruntime names in `NodeArg.type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """One input of a model; a size that is a name or None may differ between requests."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]

    @property
    def element_type(self) -> str:
        """Numpy's name of the element type, or onnxruntime's where numpy has none."""
        return _ELEMENT_TYPES.get(self.type, self.type)

    def complaint(self, value: Any) -> tuple[str, str] | None:
        """Return what is wrong with a value and the remedy; None where nothing is."""
        if getattr(value, "detach", None) is not None:
            return f"input {self.name!r} is a tensor", "give an array: tensor.numpy()"
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if shape is None or dtype is None:
            found = f"input {self.name!r} is a {type(value).__qualname__}, not an array"
            return found, f"give numpy.asarray(value, dtype={self.element_type!r})"
        wanted = self.element_type
        if str(dtype) != wanted and not (wanted == "str" and getattr(dtype, "kind", "") in "OSTU"):
            found = f"input {self.name!r} is {dtype}, the model wants {wanted}"
            return found, f"convert it once, beforehand: array.astype({wanted!r})"
        if not self._fits(tuple(shape)):
            found = f"input {self.name!r} has shape {tuple(shape)}, the model wants {self._sizes()}"
            return found, "give an array of that shape; a name stands for any size"
        return None

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.shape) and all(
            not isinstance(wanted, int) or wanted == size
            for wanted, size in zip(self.shape, shape, strict=True)
        )

    def _sizes(self) -> str:
        return f"({', '.join('any' if size is None else str(size) for size in self.shape)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """Makes onnxruntime's feed, a dict of name to array, of a request."""

    inputs: tuple[ModelInput, ...]

    @classmethod
    def of_session(cls, session: Any) -> Feeds:
        """Read what the session's model wants."""
        return cls(
            inputs=tuple(
                ModelInput(name=each.name, type=each.type, shape=tuple(each.shape or ()))
                for each in session.get_inputs()
            )
        )

    def feed(self, request: Any) -> Mapping[str, Any]:
        """Return the feed of a request.

        Args:
            request: a mapping of name to array, as it is; a tuple or list of arrays, in the order
                of the model's inputs; or the bare array of a model that has one input.

        Raises:
            WorkloadError: the number of arrays is not that of the model's inputs.
        """
        if isinstance(request, Mapping):
            return request
        values: Sequence[Any] = request if isinstance(request, list | tuple) else (request,)
        if len(values) != len(self.inputs):
            raise WorkloadError(
                f"a request holds {len(values)} arrays, the model has {len(self.inputs)} inputs",
                remedy=f"give a dict or a tuple of: {self._listed()}",
            )
        return {each.name: value for each, value in zip(self.inputs, values, strict=True)}

    def explained(self, request: Any, error: Exception) -> WorkloadError:
        """Return the error that says what is wrong with a request that the runtime refused."""
        feed = self.feed(request)
        known = {each.name for each in self.inputs}
        unknown, missing = sorted(map(str, feed.keys() - known)), sorted(known - feed.keys())
        if unknown or missing:
            wrong = f"unknown input names: {unknown or 'none'}, missing: {missing or 'none'}"
            return WorkloadError(wrong, remedy=f"the model's inputs are: {self._listed()}")
        for each in self.inputs:
            complaint = each.complaint(feed[each.name])
            if complaint is not None:
                return WorkloadError(complaint[0], remedy=complaint[1])
        return WorkloadError(
            f"onnxruntime failed to serve a request: {error}",
            remedy=f"check the request; the model's inputs are: {self._listed()}",
        )

    def _listed(self) -> str:
        return ", ".join(f"{each.name} ({each.element_type})" for each in self.inputs)
