"""Use case: `costguard ab`, in whichever form it was asked for."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_costguard.app.baselines import project_root
from pytest_costguard.app.experiment import Contrast, Experimenting, Surroundings, Wish
from pytest_costguard.app.experiment_models import ModelPair, two_models
from pytest_costguard.app.experiment_tests import one_folder, two_folders
from pytest_costguard.app.targets import priced_setup
from pytest_costguard.app.variants import Selection, Variant, require_folder
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.model import Settings
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import SIDES, Experiment, to_json

_FORMS = (
    "say what differs: costguard ab DIR_A DIR_B; costguard ab [TESTS] --env NAME=VALUE;"
    " costguard ab [TESTS] --b-python PYTHON; costguard ab --models a.onnx b.onnx"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person has asked for on the command line."""

    words: tuple[str, ...] = ()
    """Two folders, or paths and node ids of tests."""
    pytest_arguments: tuple[str, ...] = ()
    models: ModelPair | None = None
    a_variables: Mapping[str, str] = field(default_factory=dict)
    b_variables: Mapping[str, str] = field(default_factory=dict)
    a_python: str | None = None
    b_python: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    """Of our options, by key: threads, target, price."""

    @property
    def tells_sides_apart(self) -> bool:
        """Whether variables or an interpreter are given for a side."""
        return bool(self.a_variables or self.b_variables or self.a_python or self.b_python)


def experiment(
    asked: Asked,
    wish: Wish,
    *,
    folder: Path,
    progress: Callable[[Progress], None],
    starting: Callable[[int], None],
) -> Experiment:
    """Measure what was asked for; after Ctrl-C what is known by then, not complete.

    Args:
        asked: what differs, and what is measured.
        wish: how precisely.
        folder: the person's.
        progress: is told how far the measuring is.
        starting: is told how many tests there are, once that is known.

    Raises:
        CostguardError: something is not understood, missing, or cannot be measured.
    """
    settings = resolve(cli=asked.given, environ=os.environ, rootdir=_root(asked, folder))
    around = Surroundings(
        pricing=priced_setup(settings, today=dt.datetime.now(tz=dt.UTC).date()),
        timeout_seconds=settings.timeout_seconds,
    )
    with _contrast(asked, folder=folder, settings=settings) as contrast:
        starting(len(contrast.tests))
        running = Experimenting(contrast, wish, around=around, progress=progress)
        try:
            running.run()
        except KeyboardInterrupt:
            return running.result()
    return running.result()


def save(found: Experiment, path: Path) -> None:
    """Write the result as JSON.

    Raises:
        StoreError: the file could not be written.
    """
    write_atomically(path, to_json(found))


def variables_of(texts: Sequence[str], *, option: str) -> dict[str, str]:
    """Read `NAME=VALUE`, of each name the last.

    Raises:
        ConfigError: one has no name or no `=`.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or "\0" in text:
            raise ConfigError(
                f"{option} {text!r} is no variable with a value",
                remedy=f"write {option} NAME=VALUE",
            )
        found[name] = value
    return found


def _root(asked: Asked, folder: Path) -> Path:
    """Whose configuration counts: in the form of two folders that of B."""
    words = _folders(asked)
    if words is None:
        return project_root(folder)
    for side, word in zip(SIDES, words, strict=True):
        require_folder(side, folder / word)
    return project_root(folder / words[1])


@contextmanager
def _contrast(asked: Asked, *, folder: Path, settings: Settings) -> Iterator[Contrast]:
    if asked.models is not None:
        if asked.words or asked.pytest_arguments or asked.tells_sides_apart:
            raise ConfigError(
                "--models compares two files and nothing else",
                remedy="leave out tests, interpreters and variables",
            )
        with two_models(asked.models, threads=settings.threads) as contrast:
            yield contrast
        return
    selection = Selection.of(asked.pytest_arguments)
    words = _folders(asked)
    if words is not None:
        a, b = (Variant(folder=folder / word) for word in words)
        yield two_folders(a, b, selection, settings=settings, names=words)
    elif asked.tells_sides_apart:
        a, b = (
            Variant(folder=folder, variables=variables, python=python or sys.executable)
            for variables, python in (
                (asked.a_variables, asked.a_python),
                (asked.b_variables, asked.b_python),
            )
        )
        tests = Selection(words=(*asked.words, *selection.words), options=selection.options)
        yield one_folder(a, b, tests, settings=settings)
    else:
        raise ConfigError("nothing differs between A and B", remedy=_FORMS)


def _folders(asked: Asked) -> tuple[str, str] | None:
    """The two folders, where nothing else tells the sides apart."""
    if asked.models is not None or asked.tells_sides_apart or len(asked.words) != 2:
        return None
    return asked.words[0], asked.words[1]
