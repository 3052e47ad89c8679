"""What each side may import: its own tree's modules, by both trees' and all projects' names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pytest_costguard.records import SIDES, SideName
from pytest_costguard.revisions.guard import GUARD_VARIABLE, Policy
from pytest_costguard.revisions.installed_projects import (
    folders_installed,
    installed_modules,
    name_of,
)
from pytest_costguard.revisions.project_metadata import METADATA_FILES
from pytest_costguard.revisions.repository import Repository
from pytest_costguard.revisions.snapshots import Snapshots
from pytest_costguard.revisions.sources import Sources, sources_of


def policies(
    taken: Snapshots,
    *,
    repository: Repository,
    rootdir: Path,
    pythonpath: Sequence[str],
    installed: frozenset[str] = frozenset(),
) -> dict[SideName, Policy]:
    """Return the policy of each side.

    Args:
        taken: both trees.
        repository: the checkout.
        rootdir: pytest's, in the checkout.
        pythonpath: pytest's setting, relative to `rootdir`.
        installed: what is installed beside either side's workers, beyond what is here; normalised.
    """
    top = repository.top.resolve()
    below = rootdir.resolve().relative_to(top)
    projects = _project_folders(repository)
    here = list(distributions())
    from_folders = folders_installed(here, checkout=top)
    trees = {one.side: one.tree.resolve() for one in (taken.base, taken.head)}
    sources = {
        side: sources_of(
            tree,
            rootdir=tree / below,
            pythonpath=pythonpath,
            installed=installed | frozenset(map(name_of, here)),
            installed_folders=[tree / folder for folder in from_folders.values()],
            projects=[tree / folder for folder in projects],
        )
        for side, tree in trees.items()
    }
    return _policies(
        trees,
        sources=sources,
        checkouts=dict.fromkeys(SIDES, top),
        owned=_installed(here, sources=sources, besides=from_folders),
    )


def folder_policies(
    folders: Mapping[SideName, Path], *, pythonpath: Mapping[SideName, Sequence[str]]
) -> dict[SideName, Policy]:
    """Return the policies of two folders that hold the same project, neither inside the other.

    What one of them has installed for editing is, on its other side, taken from the same place
    there.

    Args:
        folders: the top of each side, which is its pytest's root directory too.
        pythonpath: pytest's setting on each side, relative to its folder.
    """
    trees = {side: folders[side].resolve() for side in SIDES}
    sources = {
        side: sources_of(tree, rootdir=tree, pythonpath=pythonpath[side])
        for side, tree in trees.items()
    }
    checkouts: dict[SideName, Path] = {"base": trees["head"], "head": trees["base"]}
    owned = _installed(distributions(), sources=sources)
    return _policies(trees, sources=sources, checkouts=checkouts, owned=owned)


def _policies(
    trees: Mapping[SideName, Path],
    *,
    sources: Mapping[SideName, Sources],
    checkouts: Mapping[SideName, Path],
    owned: frozenset[str],
) -> dict[SideName, Policy]:
    owned = owned.union(*(one.owned() for one in sources.values()))
    return {
        side: Policy(
            tree=str(trees[side]),
            checkout=str(checkouts[side]),
            other=str(trees["head" if side == "base" else "base"]),
            roots=tuple(map(str, sources[side].roots)),
            owned=tuple(sorted(owned)),
        )
        for side in SIDES
    }


def guarded_environ(policy: Policy, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that holds a worker process to its side's own modules."""
    return {
        **environ,
        "PYTHONPATH": python_path(policy, environ.get("PYTHONPATH", "")),
        GUARD_VARIABLE: policy.encoded(),
    }


def python_path(policy: Policy, before: str) -> str:
    """Return `PYTHONPATH` for a side: its own roots, then what was there, from its own tree."""
    kept = []
    for entry in filter(None, before.split(os.pathsep)):
        path = Path(entry).absolute()
        inside = path.is_relative_to(policy.checkout)
        kept.append(
            str(Path(policy.tree) / path.relative_to(policy.checkout)) if inside else str(path)
        )
    return os.pathsep.join(dict.fromkeys([*policy.roots, *kept]))


def _project_folders(repository: Repository) -> list[Path]:
    """Folders of the checkout that hold a project's metadata, relative to its top."""
    patterns = [f"*{name}" for name in METADATA_FILES]
    found = repository.listed("ls-files", "-z", "--", *patterns)
    return list(dict.fromkeys(Path(name).parent for name in found))


def _installed(
    found: Iterable[Distribution],
    *,
    sources: Mapping[SideName, Sources],
    besides: Collection[str] = (),
) -> frozenset[str]:
    """Names of what the trees' own projects, and others by their names, have installed."""
    names = frozenset(besides).union(*(one.distributions for one in sources.values()))
    return installed_modules(found, names=names)
