"""Carrying a callable and its inputs from the process of a person into the workers of a side.

By pickle, in a file that only its owner can read: what is in an importable module travels by its
name, as with multiprocessing, a script's own functions by the script's file. What has no name to be
found by (a lambda, a closure, what a notebook defines) travels whole where cloudpickle is there.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import pickle
import pickletools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from pytest_costguard.errors import ConfigError

SIDE_VARIABLE = "COSTGUARD_AB_SIDE"
"""Names the file of the side that a worker is of."""
_MAIN = "__main__"
_REMEDY = (
    "put it into a module that can be imported, or into a script's file; or install cloudpickle,"
    " which carries it whole"
)


class _Measures(Protocol):
    """The costguard fixture, as far as it is needed here."""

    def measure(self, workload: Any, **arguments: Any) -> object:
        """Measure one workload over its inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one side serves: a callable or the path of a model, with its inputs."""

    thing: Any
    inputs: Sequence[Any]
    batch_size: int | Callable[[Any], int] | None = None
    scenario: str = "single_stream"
    options: Mapping[str, Any] = field(default_factory=dict)

    def measure(self, costguard: _Measures) -> None:
        """Measure it, in a worker."""
        costguard.measure(
            self.thing,
            inputs=self.inputs,
            batch_size=self.batch_size,
            scenario=self.scenario,
            **self.options,
        )

    @classmethod
    def of_this_side(cls) -> Carried:
        """Return what this worker's side serves."""
        envelope = pickle.loads(Path(os.environ[SIDE_VARIABLE]).read_bytes())  # noqa: S301  # our own, in a folder of ours
        sys.path[:] = dict.fromkeys([*envelope["path"], *sys.path])
        if envelope["main"] is not None:
            sys.modules[_MAIN] = _restored(*envelope["main"])
        carried = pickle.loads(envelope["payload"])  # noqa: S301  # what the person gave
        assert isinstance(carried, cls), "nothing else is carried"
        return carried


def write(carried: Mapping[Path, Carried]) -> None:
    """Write what each side serves, for its workers.

    Where one of them is the script's own, both sides import the script, so that it makes no
    difference between them.

    Args:
        carried: by file, in a folder that no one else can read.

    Raises:
        ConfigError: something cannot be carried; the remedy says what to do.
    """
    pickled = {path: _pickled(one) for path, one in carried.items()}
    main = next((found for _, found in pickled.values() if found is not None), None)
    places = [*map(os.path.abspath, sys.path)]
    for path, (payload, _) in pickled.items():
        path.touch(mode=0o600)
        path.write_bytes(pickle.dumps({"path": places, "main": main, "payload": payload}))


def refuse_in_worker() -> None:
    """Raise in a worker that imports the very script which started the experiment.

    Raises:
        ConfigError: with the remedy.
    """
    if SIDE_VARIABLE in os.environ:
        raise ConfigError(
            "ab() was called again while a worker imported the script that calls it",
            remedy='put the call under: if __name__ == "__main__":',
        )


def _pickled(carried: Carried) -> tuple[bytes, tuple[str, str] | None]:
    """The bytes, and where the script's own module is found, if they name it."""
    try:
        payload = pickle.dumps(carried)
        if not _names_main(payload):
            return payload, None
        main = _main()
        if main is not None:
            return payload, main
        problem = "it is defined in a notebook or at a prompt, which workers cannot import"
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        problem = str(error)
    try:
        cloudpickle: Any = importlib.import_module("cloudpickle")
    except ImportError:
        raise ConfigError(
            f"{_name(carried.thing)} or its inputs cannot be carried into a worker process:"
            f" {problem}",
            remedy=_REMEDY,
        ) from None
    try:
        return cloudpickle.dumps(carried), None
    except Exception as error:  # whatever the objects in it do when they are asked
        raise ConfigError(
            f"{_name(carried.thing)} or its inputs cannot be carried into a worker process, not by"
            f" cloudpickle either: {error}",
            remedy="put it into a module that can be imported, and what cannot be carried into a"
            " function there that makes it",
        ) from error


def _names_main(payload: bytes) -> bool:
    return any(argument == _MAIN for _, argument, _ in pickletools.genops(payload))


def _main() -> tuple[str, str] | None:
    """How a worker imports this process's script: by its name (`python -m`), or by its file."""
    main = sys.modules[_MAIN]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != _MAIN:
        return "module", str(spec.name)
    file = getattr(main, "__file__", None)
    return ("file", str(Path(file).resolve())) if file and Path(file).is_file() else None


def _restored(kind: str, where: str) -> ModuleType:
    if kind == "module":
        return importlib.import_module(where)
    name = "__costguard_main__"  # so that what is under `if __name__ == "__main__"` does not run
    loader = importlib.machinery.SourceFileLoader(name, where)
    spec = importlib.util.spec_from_file_location(name, where, loader=loader)
    assert spec is not None, "a loader was given"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _name(thing: object) -> str:
    return str(getattr(thing, "__qualname__", None) or type(thing).__qualname__)
