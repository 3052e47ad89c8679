"""Where a project's own modules are imported from, and which modules are its own."""

from __future__ import annotations

import importlib.machinery
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_costguard.revisions.project_metadata import metadata_of

MODULE_SUFFIXES = tuple(importlib.machinery.all_suffixes())
_DEEPEST_NAMESPACE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a tree's own modules are imported from, and what else is known to be its own."""

    roots: tuple[Path, ...]
    """In the order of search."""
    modules: frozenset[str]
    """What its projects declare by name."""
    distributions: frozenset[str]
    """Names of its projects' distributions, normalised."""

    def owned(self) -> frozenset[str]:
        """Return the names of all modules that are the tree's own."""
        return owned_modules(self.roots) | self.modules


def sources_of(
    tree: Path,
    *,
    rootdir: Path,
    pythonpath: Sequence[str] = (),
    installed: frozenset[str] = frozenset(),
    installed_folders: Collection[Path] = (),
    projects: Iterable[Path] = (),
) -> Sources:
    """Return where a tree's own modules are.

    What pytest's `pythonpath` names comes first, then what the metadata of each project declares,
    its `src/`, and the project's folder itself.

    Args:
        tree: the top of the tree.
        rootdir: pytest's, inside the tree.
        pythonpath: pytest's setting, relative to `rootdir`.
        installed: names of the distributions that are installed, normalised (PEP 503).
        installed_folders: what was installed from folders of the tree, whatever its name.
        projects: folders inside the tree that hold a project; one counts if it is `rootdir`,
            above it, or installed, so that the examples of a repository own no names.
    """
    above = [folder for folder in (rootdir, *rootdir.parents) if folder.is_relative_to(tree)]
    found = [rootdir / entry for entry in pythonpath]
    counted = []
    for folder in dict.fromkeys([*above, *projects]):
        declared = metadata_of(folder)
        if declared is None:
            continue
        if folder in above or folder in installed_folders or declared.names & installed:
            counted.append(declared)
            found += [*(folder / entry for entry in declared.folders), folder / "src", folder]
    found.append(rootdir)
    inside = (path.resolve() for path in found if path.is_dir())
    return Sources(
        roots=tuple(dict.fromkeys(path for path in inside if path.is_relative_to(tree))),
        modules=frozenset().union(*(one.modules for one in counted)),
        distributions=frozenset().union(*(one.names for one in counted)),
    )


def owned_modules(roots: Iterable[Path]) -> frozenset[str]:
    """Return the names of the modules and regular packages below `roots`.

    A folder without `__init__.py` is a portion of a namespace that others may share: there it is
    what is inside that is owned, such as `acme.search` of `acme/search/__init__.py`.
    """
    return frozenset(name for root in roots for name in _below(root, "", _DEEPEST_NAMESPACE))


def unloaded_modules(
    changed: Iterable[str], *, loaded: Iterable[str], roots: Sequence[PurePosixPath]
) -> tuple[str, ...]:
    """Return the changed modules that belong to nothing of which anything was loaded.

    A module beside others that were loaded from the tree is one that is not needed; one of a
    package that nobody has seen may be there by another way, past the tree.

    Args:
        changed: files, relative to the tree, with forward slashes.
        loaded: files of the tree that were loaded as modules.
        roots: where modules are imported from, relative to the tree.
    """
    seen = {_package(PurePosixPath(name), roots) for name in loaded}
    packages = ((name, _package(PurePosixPath(name), roots)) for name in changed)
    return tuple(sorted(name for name, package in packages if package and package not in seen))


def _package(file: PurePosixPath, roots: Sequence[PurePosixPath]) -> PurePosixPath | None:
    """The module or the outermost package that a file belongs to; None where it is no module."""
    above = [root for root in roots if file.is_relative_to(root)]
    if not above or f".{file.name.partition('.')[2]}" not in MODULE_SUFFIXES:
        return None
    root = max(above, key=lambda one: len(one.parts))
    return root / file.relative_to(root).parts[0]


def _below(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        name, dot, suffix = child.name.partition(".")
        if not name.isidentifier():
            continue
        if dot and f".{suffix}" in MODULE_SUFFIXES:
            yield prefix + name
        elif not dot and child.is_dir():
            if any((child / f"__init__{suffix}").exists() for suffix in MODULE_SUFFIXES):
                yield prefix + name
            elif depth:
                yield from _below(child, f"{prefix}{name}.", depth - 1)
