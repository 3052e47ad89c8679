"""What of a checkout is installed, by the metadata that the installer has left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pytest_costguard.revisions.project_metadata import normalised
from pytest_costguard.revisions.sources import MODULE_SUFFIXES


def name_of(distribution: Distribution) -> str:
    """Return a distribution's normalised name; nothing where its metadata has none."""
    return normalised(distribution.metadata["Name"] or "")


def folders_installed(found: Iterable[Distribution], *, checkout: Path) -> dict[str, Path]:
    """Return what was installed from folders of a checkout (`pip install .`), by name.

    Args:
        found: what is installed.
        checkout: its top, links resolved; the folders are relative to it.
    """
    places = ((name_of(one), _folder(one)) for one in found)
    return {
        name: place.relative_to(checkout)
        for name, place in places
        if place is not None and place.is_relative_to(checkout)
    }


def installed_modules(found: Iterable[Distribution], *, names: Collection[str]) -> frozenset[str]:
    """Return what the distributions of these names have put among the installed packages.

    A name is that of a module or of a regular package, as in `owned_modules`. Generated and
    compiled modules are in no tree, so that only this tells whose they are.
    """
    own = (one for one in found if name_of(one) in names)
    return frozenset(module for one in own for module in _modules(one))


def _folder(distribution: Distribution) -> Path | None:
    """Where it was installed from, if that was a folder (PEP 610)."""
    try:
        told = json.loads(distribution.read_text("direct_url.json") or "{}")
        url = urlsplit(told["url"]) if "dir_info" in told else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Path(url2pathname(url.path)).resolve() if url and url.scheme == "file" else None


def _modules(distribution: Distribution) -> Iterator[str]:
    files = [PurePosixPath(file.as_posix()) for file in distribution.files or ()]
    split = [(file.parent, *file.name.partition(".")) for file in files]
    packages = {folder for folder, name, _, _ in split if name == "__init__"}
    for folder, name, dot, suffix in split:
        parts = (*folder.parts, name)
        if f"{dot}{suffix}" not in MODULE_SUFFIXES or not all(map(str.isidentifier, parts)):
            continue
        if name.startswith("_") and "editable" in name:
            continue  # the loader of an installation for editing, which every backend names so
        above = [PurePosixPath(*parts[:depth]) for depth in range(1, len(parts))]
        package = next((one for one in above if one in packages), PurePosixPath(*parts))
        yield ".".join(package.parts)
