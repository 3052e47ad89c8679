"""Which interpreter runs base, how its packages differ from head's, and what is built first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_costguard.engine.launch import Side
from pytest_costguard.host.revision import LOCK_FILES, files_digest
from pytest_costguard.records import SIDES, SideName
from pytest_costguard.revisions.commands import Errand, run
from pytest_costguard.revisions.dependencies import DEPENDENCY_FILES, dependency_files
from pytest_costguard.revisions.environments import (
    EnvironmentCache,
    environment_digest,
    python_of,
)
from pytest_costguard.revisions.interpreters import (
    Interpreter,
    ask,
    located,
    require_measurable,
)
from pytest_costguard.revisions.own_package import bring_own_package, path_with, plugins_for

_NAMED_PACKAGES = 8
_OURS = "pytest-costguard"
_INSTALL = "add pytest-costguard to the base's requirements, or let the command install it:"
_INSTALL += " … && {environment}/bin/python -m pip install pytest-costguard"
_INSTALL += " (after uv: … && uv pip install pytest-costguard)"

Commands = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEnvironment:
    """What the project says of base's environment and of building; nothing is the usual case."""

    base_python: str | None = None
    base_environment: Commands | None = None
    build: Commands | None = None
    cache: Path
    """Where environments are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEnvironment:
    """Base's own interpreter, and head's to compare it with."""

    python: str
    base: Interpreter
    head: Interpreter
    tool: Path
    """Where base's workers find this package."""

    @property
    def installed(self) -> frozenset[str]:
        """What is installed beside base's workers, by normalised names."""
        return frozenset(self.base.packages)

    def moved(self, side: Side) -> Side:
        """Return base's side, with this interpreter."""
        environ = activated(side.environ, self.python, self.base)
        autoload = not environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
        return replace(
            side,
            python=self.python,
            plugins=plugins_for(side.plugins, installed=self.installed, autoload=autoload),
            environ={
                **environ,
                "PYTHONPATH": path_with(self.tool, environ.get("PYTHONPATH", "")),
            },
        )

    def differences(self) -> tuple[str, ...]:
        """Say in what the two environments differ; nothing where they have the same."""
        return environment_differences(self.base, self.head)


@contextmanager
def own_environment(
    declared: DeclaredEnvironment,
    *,
    home: Side,
    tree: Path,
    beside: Path,
    tell: Callable[[str], None],
) -> Iterator[OwnEnvironment | None]:
    """Find or make base's own interpreter, and ask it what it has; None where base has head's.

    Args:
        declared: by the project.
        home: base's side, in its tree.
        tree: the top of base's tree.
        beside: a folder that is removed with the trees.
        tell: is told what a person waits for.

    Raises:
        RevisionError: it is not there, cannot be made, or lacks what a worker needs.
        StoreError: the environment cannot be kept.
    """
    with ExitStack() as using:
        if declared.base_python is not None:
            python = located(declared.base_python, environ=home.environ)
            remedy = f"install it there: {python} -m pip install pytest-costguard"
        elif declared.base_environment is not None:
            made = _made(declared.base_environment, declared.cache, home=home, tree=tree, tell=tell)
            python, remedy = str(python_of(using.enter_context(made))), _INSTALL
        else:
            yield None
            return
        tool = bring_own_package(beside / "tool")
        asked_on_path = path_with(tool, home.environ.get("PYTHONPATH", ""))
        environ = {**home.environ, "PYTHONPATH": asked_on_path}
        base = ask(python, environ=_without_home(environ), folder=beside)
        require_measurable(base, python, remedy=remedy)
        head = ask(sys.executable, environ=environ, folder=beside)
        yield OwnEnvironment(python=python, base=base, head=head, tool=tool)


@contextmanager
def _made(
    commands: Commands, cache: Path, *, home: Side, tree: Path, tell: Callable[[str], None]
) -> Iterator[Path]:
    root = _folder(home, tree)
    patterns = (*LOCK_FILES, *DEPENDENCY_FILES)
    files = dependency_files(root, top=tree, patterns=patterns, commands=commands)
    digest = environment_digest(
        commands, dependencies=files_digest(tree.resolve(), files), cache=cache
    )

    def make(environment: Path) -> None:
        tell(f"making base's environment: {_in_words(commands)}")
        place = str(environment)
        run(
            commands,
            Errand(
                whom="--costguard-base-environment",
                folder=root,
                environ={
                    **home.environ,
                    "UV_PROJECT_ENVIRONMENT": place,
                    "VIRTUAL_ENV": place,
                },
                values={"environment": place, "tree": str(tree), "python": sys.executable},
                remedy="run it in a checkout of the base (git worktree add --detach PATH COMMIT)"
                " and mend what it complains about",
            ),
        )

    with EnvironmentCache(folder=cache).environment(digest, make=make, tell=tell) as environment:
        yield environment


def build_sides(
    commands: Commands,
    *,
    homes: Mapping[SideName, Side],
    trees: Mapping[SideName, Path],
    own: OwnEnvironment | None,
    tell: Callable[[str], None],
) -> None:
    """Run the declared build in both trees.

    Raises:
        RevisionError: it fails on a side.
    """
    for side in SIDES:
        tell(f"building {side}: {_in_words(commands)}")
        home, python = homes[side], sys.executable
        environ = home.environ
        if own is not None and side == "base":
            python = own.python
            environ = activated(environ, python, own.base)
        run(
            commands,
            Errand(
                whom=f"--costguard-build, on {side}",
                folder=_folder(home, trees[side]),
                environ=environ,
                values={"tree": str(trees[side]), "python": python},
                remedy=f"run it in a fresh checkout of {side}, in which nothing is that git"
                " ignores; what both revisions need ready-made can be shared:"
                " --costguard-share=PATTERN",
            ),
        )


def activated(environ: Mapping[str, str], python: str, interpreter: Interpreter) -> dict[str, str]:
    """Return the environment as an activated virtual environment sets it for its programs."""
    found = _without_home(environ)
    if interpreter.virtual:
        programs = str(Path(python).parent)
        found["VIRTUAL_ENV"] = interpreter.prefix
        found["PATH"] = os.pathsep.join(filter(None, [programs, environ.get("PATH", "")]))
    return found


def environment_differences(base: Interpreter, head: Interpreter) -> tuple[str, ...]:
    """Name what differs: Python, versions of packages, packages that only one side has.

    This package is left out, since both sides run the same one.
    """
    ours, theirs = head.packages, base.packages
    both = sorted((ours.keys() & theirs.keys()) - {_OURS})
    changed = [name for name in both if ours[name] != theirs[name]]
    found = []
    pythons = _python(base, head), _python(head, base)
    if changed or pythons[0] != pythons[1]:
        other = pythons[0] != pythons[1]
        on_base, on_head = (
            _has(python if other else "", changed, packages)
            for python, packages in zip(pythons, (theirs, ours), strict=True)
        )
        found.append(f"base runs {on_base}; head {on_head}")
    for side, mine, others in (("base", theirs, ours), ("head", ours, theirs)):
        if only := sorted(mine.keys() - others.keys() - {_OURS}):
            found.append(f"only {side} has {_listed(only, mine)} installed")
    return tuple(found)


def _has(python: str, names: Sequence[str], versions: Mapping[str, str]) -> str:
    words = f"on {python}" if python else ""
    if names:
        words += f" with {_listed(names, versions)}"
    return words.strip()


def _python(one: Interpreter, other: Interpreter) -> str:
    name = "Python" if one.implementation in ("", "cpython") else one.implementation
    platform = f" for {one.platform}" if one.platform != other.platform else ""
    return f"{name} {one.release}{platform}"


def _listed(names: Sequence[str], versions: Mapping[str, str]) -> str:
    shown = [f"{name} {versions[name]}" for name in names[:_NAMED_PACKAGES]]
    if len(names) > _NAMED_PACKAGES:
        return f"{', '.join(shown)} and {len(names) - _NAMED_PACKAGES} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _without_home(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment less what names the interpreter that runs now."""
    return {k: v for k, v in environ.items() if k not in ("PYTHONHOME", "VIRTUAL_ENV")}


def _folder(home: Side, tree: Path) -> Path:
    """Pytest's root directory on a side; the tree's top where that side has none."""
    return home.rootdir if home.rootdir.is_dir() else tree


def _in_words(commands: Commands) -> str:
    return " && ".join(" ".join(command) for command in commands)
