"""The two sides of a comparison: both revisions' trees, and what their workers start with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pytest_costguard.app.environments import (
    DeclaredEnvironment,
    OwnEnvironment,
    build_sides,
    own_environment,
)
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import RevisionError
from pytest_costguard.records import SIDES, SideName
from pytest_costguard.revisions.checkout_paths import CheckoutPaths
from pytest_costguard.revisions.guard import Policy
from pytest_costguard.revisions.naming import Revision, resolve
from pytest_costguard.revisions.policies import guarded_environ, policies
from pytest_costguard.revisions.repository import Repository, outside_of_hooks
from pytest_costguard.revisions.snapshots import Snapshots, snapshots
from pytest_costguard.revisions.sources import unloaded_modules

_NAMED_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSides:
    """Both revisions, ready to be measured."""

    revision: Revision
    taken: Snapshots
    sides: Mapping[SideName, Side]
    roots: tuple[PurePosixPath, ...] = ()
    """Where modules are imported from on either side, relative to its tree."""
    left: tuple[str, ...] = ()
    """Variables and options that name what is only in the checkout."""
    own: OwnEnvironment | None = None
    """Base's environment, where it is not head's."""

    def notes(self, own_files: frozenset[str], *, same_models: bool) -> tuple[str, ...]:
        """Say what a reader must know of the trees and of what was loaded of them.

        Args:
            own_files: files that either side has loaded as modules.
            same_models: whether both sides served the same models on the same inputs.
        """
        differing = self.own.differences() if self.own is not None else ()
        found = [*differing]
        same = self._same_code(own_files, same_models=same_models)
        if same is not None:
            code, suspicion = same
            found.append(f"{code}: {'what differs is the environment' if differing else suspicion}")
        found += [f"{name} names the checkout; both sides read what is there" for name in self.left]
        for snapshot in (self.taken.base, self.taken.head):
            if snapshot.pointers:
                found.append(
                    f"on {snapshot.side}, Git LFS files are pointers only, since their content is"
                    f" not on this machine ({_some(snapshot.pointers)}): run git lfs fetch"
                )
            if snapshot.empty_submodules:
                found.append(
                    f"on {snapshot.side}, submodules are empty as in the checkout"
                    f" ({_some(snapshot.empty_submodules)}): run git submodule update --init"
                )
        return tuple(found)

    def unloaded(self, own_files: frozenset[str], *, same_models: bool) -> tuple[str, ...]:
        """Return changed modules if code alone differs, and none of what is changed was loaded.

        Args:
            own_files: files that either side has loaded as modules.
            same_models: whether both sides served the same models on the same inputs.
        """
        changed = self.taken.changed
        if not (same_models and own_files) or changed & own_files:
            return ()
        if self.own is not None and self.own.differences():
            return ()
        return unloaded_modules(changed, loaded=own_files, roots=self.roots)[:_NAMED_FILES]

    def _same_code(self, own_files: frozenset[str], *, same_models: bool) -> tuple[str, str] | None:
        """Say why no code seems to differ, and what that makes of the comparison by itself."""
        changed = self.taken.changed
        if not changed:
            return "base and head are the same code", "this compares a revision with itself"
        loads_other_code = own_files and not changed & own_files
        warned = self.unloaded(own_files, same_models=same_models)
        if same_models and loads_other_code and not warned:
            return (
                f"neither side loaded any of the changed files as a module ({_some(changed)})",
                "the measured code may be the same on both sides",
            )
        return None

    @property
    def changed_files(self) -> tuple[str, ...]:
        """The first of the files that differ."""
        return tuple(sorted(self.taken.changed))[:_NAMED_FILES]


@contextmanager
def two_sides(
    side: Side,
    *,
    against: str,
    share: Sequence[str],
    pythonpath: Sequence[str],
    declared: DeclaredEnvironment,
    tell: Callable[[str], None],
) -> Iterator[TwoSides]:
    """Take both trees, prepare what runs them, and remove them in the end.

    Args:
        side: the checkout, as a plain run would measure it.
        against: what base is, as the user wrote it.
        share: patterns of ignored files that both sides need.
        pythonpath: pytest's setting, relative to the root directory.
        declared: base's environment, and how both trees are built.
        tell: is told what a person waits for.

    Raises:
        RevisionError: there is no such commit, or no checkout; base's environment is not to be
            had, or a tree cannot be built.
        StoreError: there is no room for the trees or the environment.
    """
    environ = side.environ
    repository = Repository(side.rootdir, environ=environ)
    revision = resolve(against, repository=repository, environ=environ)
    top = repository.top.resolve()
    if not side.rootdir.resolve().is_relative_to(top):
        raise RevisionError(
            f"pytest's root directory {side.rootdir} is not inside the checkout {top}",
            remedy="run pytest in the checkout, or give --rootdir",
        )
    with snapshots(repository, base=revision, share=share) as taken:
        trees = {one.side: one.tree.resolve() for one in (taken.base, taken.head)}
        paths = CheckoutPaths(checkout=top, trees=tuple(trees.values()))
        homes = {name: _moved(side, name=name, paths=paths, tree=trees[name]) for name in SIDES}
        with own_environment(
            declared, home=homes["base"], tree=trees["base"], beside=taken.folder, tell=tell
        ) as own:
            if declared.build is not None:
                build_sides(declared.build, homes=homes, trees=trees, own=own, tell=tell)
            # Only now, since what is built is the project's own as well.
            rules = policies(
                taken,
                repository=repository,
                rootdir=side.rootdir,
                pythonpath=pythonpath,
                installed=own.installed if own is not None else frozenset(),
            )
            left = paths.left(side.environ, side.options)
            homes = {name: _with_its_paths(homes[name], paths) for name in SIDES}
            sides = {name: _guarded(homes[name], policy=rules[name]) for name in SIDES}
            if own is not None:
                sides["base"] = own.moved(sides["base"])
            yield TwoSides(
                revision=revision, taken=taken, sides=sides, roots=_roots(rules), left=left, own=own
            )


def _moved(side: Side, *, name: SideName, paths: CheckoutPaths, tree: Path) -> Side:
    """The same side, from its own tree."""
    environ = outside_of_hooks(side.environ)
    moved = replace(side, name=name, checkout=paths.checkout, tree=tree, environ=environ)
    moved = _with_its_paths(moved, paths)
    rootdir = moved.at_home(side.rootdir.resolve())
    invocation_dir = moved.at_home(side.invocation_dir.resolve())
    inifile = None if side.inifile is None else moved.at_home(side.inifile.resolve())
    return replace(
        moved,
        rootdir=rootdir,
        invocation_dir=invocation_dir if invocation_dir.is_dir() else rootdir,
        inifile=inifile if inifile is not None and inifile.is_file() else None,
    )


def _with_its_paths(side: Side, paths: CheckoutPaths) -> Side:
    """The same side; what names the checkout names its tree, as far as that has it by now."""
    assert side.tree is not None, "asked only of a side that has moved"
    overrides = (override.partition("=") for override in side.ini_overrides)
    return replace(
        side,
        environ=paths.environ(side.environ, side.tree),
        options={dest: paths.in_tree(value, side.tree) for dest, value in side.options.items()},
        ini_overrides=tuple(
            f"{name}{equals}{paths.in_tree(value, side.tree)}" for name, equals, value in overrides
        ),
    )


def _roots(rules: Mapping[SideName, Policy]) -> tuple[PurePosixPath, ...]:
    found = [
        PurePosixPath(Path(root).relative_to(rule.tree).as_posix())
        for rule in rules.values()
        for root in rule.roots
    ]
    return tuple(dict.fromkeys(found))


def _guarded(side: Side, *, policy: Policy) -> Side:
    """The same side, behind its own guard."""
    return replace(side, environ=guarded_environ(policy, side.environ))


def _some(names: Sequence[str] | frozenset[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
