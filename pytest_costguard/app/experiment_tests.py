"""Experiments on tests: two folders, or one folder with two interpreters or environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_costguard.app.baselines import project_root
from pytest_costguard.app.experiment import Contrast
from pytest_costguard.app.variants import LETTERS, Selection, Variant, side_of
from pytest_costguard.config.gates import MarkerSettings, threads_for
from pytest_costguard.config.model import Settings
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, roll
from pytest_costguard.engine.protocol import Hello
from pytest_costguard.errors import ConfigError, WorkerError
from pytest_costguard.records import SIDES, SideName
from pytest_costguard.revisions.policies import folder_policies, guarded_environ
from pytest_costguard.revisions.pytest_paths import pythonpath_of


def two_folders(
    a: Variant, b: Variant, selection: Selection, *, settings: Settings, names: tuple[str, str]
) -> Contrast:
    """Return the contrast of two folders that hold the same tests, each with its own modules.

    Args:
        a: the reference.
        b: the candidate.
        selection: which tests, as seen from each folder.
        settings: of B's project.
        names: of the folders, as a person wrote them.

    Raises:
        ConfigError: a folder is missing or inside the other, or no test measures on both sides.
        WorkerError: a side could not collect its tests.
    """
    _require_apart(a.folder, b.folder)
    folders: dict[SideName, Path] = {"base": a.folder.resolve(), "head": b.folder.resolve()}
    variants: dict[SideName, Variant] = {"base": a, "head": b}
    policies = folder_policies(
        folders,
        pythonpath={side: pythonpath_of(folders[side]) for side in SIDES},
    )
    sides = {}
    for name, variant in variants.items():
        plain = side_of(name, variant, root=folders[name], invocation=folders[name])
        sides[name] = replace(
            plain,
            environ=guarded_environ(policies[name], plain.environ),
            arguments=selection.options,
            checkout=folders["head"] if name == "base" else None,
            tree=folders["base"] if name == "base" else None,
        )
    labels: dict[SideName, str] = dict(zip(SIDES, names, strict=True))
    return _contrast(
        sides,
        variants,
        words=selection.words,
        settings=settings,
        labels=_distinct(labels, variants),
    )


def one_folder(a: Variant, b: Variant, selection: Selection, *, settings: Settings) -> Contrast:
    """Return the contrast of one folder's tests under two interpreters or environments.

    Raises:
        ConfigError: an interpreter is missing, or no test measures on both sides.
        WorkerError: a side could not collect its tests.
    """
    variants: dict[SideName, Variant] = {"base": a, "head": b}
    root = project_root(b.folder)
    sides = {
        name: replace(
            side_of(name, variant, root=root, invocation=variant.folder.resolve()),
            arguments=selection.options,
        )
        for name, variant in variants.items()
    }
    return _contrast(
        sides, variants, words=selection.words, settings=settings, labels=_distinct({}, variants)
    )


def _contrast(
    sides: Mapping[SideName, Side],
    variants: Mapping[SideName, Variant],
    *,
    words: Sequence[str],
    settings: Settings,
    labels: Mapping[SideName, str],
) -> Contrast:
    rolls = {side: _roll(side, sides[side], words, settings=settings) for side in SIDES}
    both = [one for one in rolls["head"].census if one in set(rolls["base"].census)]
    if not both:
        raise ConfigError(_nothing(rolls), remedy=_NO_TESTS)
    notes = [
        f"only {LETTERS[side]} has {nodeid}, so it is not measured"
        for side in SIDES
        for nodeid in rolls[side].census
        if nodeid not in both
    ]
    tests = []
    for nodeid in both:
        declared = {side: _threads(nodeid, rolls[side], settings=settings) for side in SIDES}
        if declared["base"] != declared["head"]:
            notes.append(
                f"{nodeid}: A declares {declared['base']} threads, B {declared['head']}: both are"
                f" measured with {declared['head']}"
            )
        path = sides["head"].rootdir / nodeid.partition("::")[0]
        tests.append(CollectedTest(nodeid=nodeid, path=path, threads=declared["head"]))
    return Contrast(
        sides=sides,
        labels=labels,
        tests=tests,
        threads_asked={side: variants[side].threads_asked for side in SIDES},
        thread_variables={side: frozenset(variants[side].variables) for side in SIDES},
        notes=tuple(notes),
    )


_NO_TESTS = (
    "name tests that use the costguard fixture: costguard.measure(model, inputs=[…]);"
    " costguard init writes one"
)


def _roll(name: SideName, side: Side, words: Sequence[str], *, settings: Settings) -> Hello:
    found = []
    for word in words:
        path, colons, rest = word.partition("::")
        inside = (side.invocation_dir / path).resolve()
        if not inside.exists():
            raise ConfigError(
                f"{LETTERS[name]}: there is no {path} in {side.invocation_dir}",
                remedy="name files, folders or node ids of the tests; write an option of pytest"
                " after --, and its value with =",
            )
        found.append(f"{inside}{colons}{rest}")
    try:
        return roll(side, found, timeout_seconds=settings.timeout_seconds)
    except WorkerError as error:
        raise WorkerError(f"on {LETTERS[name]}: {error.message}", remedy=error.remedy) from error


def _threads(nodeid: str, told: Hello, *, settings: Settings) -> int:
    marker = MarkerSettings(threads=told.census[nodeid].threads)
    return threads_for(nodeid, settings, marker)[0]


def _nothing(rolls: Mapping[SideName, Hello]) -> str:
    counts = {side: len(rolls[side].census) for side in SIDES}
    if not any(counts.values()):
        return "no test here measures anything"
    return (
        f"no test measures on both sides: A has {counts['base']} that measure, B has"
        f" {counts['head']}, under other names"
    )


def _distinct(
    labels: Mapping[SideName, str], variants: Mapping[SideName, Variant]
) -> dict[SideName, str]:
    """What tells the sides apart, in a person's own words."""
    told: dict[SideName, str] = {}
    pythons = {variant.python for variant in variants.values()}
    for side in SIDES:
        variant = variants[side]
        parts = [labels[side]] if side in labels else []
        parts += [variant.python] if len(pythons) > 1 else []
        parts += [f"{name}={value}" for name, value in variant.variables.items()]
        told[side] = ", ".join(parts) or "as it is"
    return told


def _require_apart(a: Path, b: Path) -> None:
    one, other = a.resolve(), b.resolve()
    if one == other:
        raise ConfigError(
            f"A and B are the same folder {one}",
            remedy="name two folders, or what differs in one: --env NAME=VALUE, --b-python PYTHON",
        )
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigError(
            f"one of {a} and {b} is inside the other, so that neither's modules are its own",
            remedy="put them beside each other",
        )
