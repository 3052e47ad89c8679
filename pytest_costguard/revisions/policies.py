"""What each side may import: its own tree's modules, by both trees' and all projects' names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from pytest_costguard.records import SIDES, SideName
from pytest_costguard.revisions.guard import GUARD_VARIABLE, Policy
from pytest_costguard.revisions.repository import Repository
from pytest_costguard.revisions.snapshots import Snapshots
from pytest_costguard.revisions.sources import normalised, owned_modules, source_roots


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
    installed |= _installed()
    trees = {one.side: one.tree.resolve() for one in (taken.base, taken.head)}
    roots = {
        side: source_roots(
            tree,
            rootdir=tree / below,
            pythonpath=pythonpath,
            installed=installed,
            projects=[tree / folder for folder in projects],
        )
        for side, tree in trees.items()
    }
    return _policies(trees, roots=roots, checkouts=dict.fromkeys(SIDES, top))


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
    installed = _installed()
    roots = {
        side: source_roots(
            tree, rootdir=tree, pythonpath=pythonpath[side], installed=installed, projects=()
        )
        for side, tree in trees.items()
    }
    return _policies(trees, roots=roots, checkouts={"base": trees["head"], "head": trees["base"]})


def _policies(
    trees: Mapping[SideName, Path],
    *,
    roots: Mapping[SideName, tuple[Path, ...]],
    checkouts: Mapping[SideName, Path],
) -> dict[SideName, Policy]:
    owned = frozenset().union(*(owned_modules(found) for found in roots.values()))
    return {
        side: Policy(
            tree=str(trees[side]),
            checkout=str(checkouts[side]),
            other=str(trees["head" if side == "base" else "base"]),
            roots=tuple(map(str, roots[side])),
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
    patterns = [f"*{name}" for name in ("pyproject.toml", "setup.cfg", "setup.py")]
    found = repository.listed("ls-files", "-z", "--", *patterns)
    return list(dict.fromkeys(Path(name).parent for name in found))


def _installed() -> frozenset[str]:
    names = (distribution.metadata["Name"] for distribution in distributions())
    return frozenset(normalised(name) for name in names if name)
