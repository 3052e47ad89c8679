"""Where a project's own modules are imported from, and which modules are its own."""

from __future__ import annotations

import configparser
import importlib.machinery
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_METADATA = ("pyproject.toml", "setup.cfg", "setup.py")
_SUFFIXES = tuple(importlib.machinery.all_suffixes())
_DEEPEST_NAMESPACE = 4


def source_roots(
    tree: Path,
    *,
    rootdir: Path,
    pythonpath: Sequence[str] = (),
    installed: frozenset[str] = frozenset(),
    projects: Iterable[Path] = (),
) -> tuple[Path, ...]:
    """Return the folders that a tree's own modules are imported from, in the order of search.

    What pytest's `pythonpath` names comes first, then what the metadata of each project declares,
    its `src/`, and the project's folder itself.

    Args:
        tree: the top of the tree.
        rootdir: pytest's, inside the tree.
        pythonpath: pytest's setting, relative to `rootdir`.
        installed: names of the distributions that are installed, normalised (PEP 503).
        projects: folders inside the tree that hold a project; one counts if it is `rootdir`,
            above it, or installed, so that the examples of a repository own no names.
    """
    above = [folder for folder in (rootdir, *rootdir.parents) if folder.is_relative_to(tree)]
    found = [rootdir / entry for entry in pythonpath]
    for folder in dict.fromkeys([*above, *projects]):
        if not any((folder / name).is_file() for name in _METADATA):
            continue
        declared = _toml(folder / "pyproject.toml")
        if folder in above or _distribution(declared) in installed:
            found += [folder / entry for entry in _declared(declared)]
            found += [folder / entry for entry in _declared_in_setup_cfg(folder / "setup.cfg")]
            found += [folder / "src", folder]
    found.append(rootdir)
    inside = (path.resolve() for path in found if path.is_dir())
    return tuple(dict.fromkeys(path for path in inside if path.is_relative_to(tree)))


def owned_modules(roots: Iterable[Path]) -> frozenset[str]:
    """Return the names of the modules and regular packages below `roots`.

    A folder without `__init__.py` is a portion of a namespace that others may share: there it is
    what is inside that is owned, such as `acme.search` of `acme/search/__init__.py`.
    """
    return frozenset(name for root in roots for name in _below(root, "", _DEEPEST_NAMESPACE))


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _below(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        name, dot, suffix = child.name.partition(".")
        if not name.isidentifier():
            continue
        if dot and f".{suffix}" in _SUFFIXES:
            yield prefix + name
        elif not dot and child.is_dir():
            if any((child / f"__init__{suffix}").exists() for suffix in _SUFFIXES):
                yield prefix + name
            elif depth:
                yield from _below(child, f"{prefix}{name}.", depth - 1)


def _distribution(declared: Mapping[str, Any]) -> str:
    for table in (declared.get("project"), _at(declared, "tool", "poetry")):
        if isinstance(table, Mapping) and isinstance(table.get("name"), str):
            return normalised(table["name"])
    return ""


def _declared(declared: Mapping[str, Any]) -> list[str]:
    """The folders that the build backends' own tables name."""
    wheel = _at(declared, "tool", "hatch", "build", "targets", "wheel")
    packages = _texts(_at(wheel, "packages")) + _texts(_at(wheel, "only-include"))
    poetry = _at(declared, "tool", "poetry", "packages")
    return [
        *_texts(_at(declared, "tool", "setuptools", "package-dir", "")),
        *_texts(_at(declared, "tool", "setuptools", "packages", "find", "where")),
        *_texts(_at(declared, "tool", "hatch", "build", "dev-mode-dirs")),
        *_texts(_at(wheel, "sources")),
        *(str(Path(package).parent) for package in packages),
        *(
            entry["from"]
            for entry in (poetry if isinstance(poetry, list) else ())
            if isinstance(entry, Mapping) and isinstance(entry.get("from"), str)
        ),
        *_texts(_at(declared, "tool", "pdm", "build", "package-dir")),
        *_texts(_at(declared, "tool", "maturin", "python-source")),
        *_texts(_at(declared, "tool", "uv", "build-backend", "module-root")),
    ]


def _declared_in_setup_cfg(path: Path) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return []
    found = parser.get("options.packages.find", "where", fallback="").split()
    for line in parser.get("options", "package_dir", fallback="").splitlines():
        package, equals, folder = line.partition("=")
        if equals and not package.strip():
            found.append(folder.strip())
    return found


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
