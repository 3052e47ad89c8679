"""What a project's own files say of its name, its folders and its modules, without running them."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

METADATA_FILES = ("pyproject.toml", "setup.cfg", "setup.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMetadata:
    """What is declared in a project's folder, by any of the build backends."""

    names: frozenset[str]
    """Of its distribution, normalised; none where nothing can be read."""
    folders: tuple[str, ...]
    """Where its modules are, relative to its own folder."""
    modules: frozenset[str]
    """Modules that are told by their names, since they may be in a folder of another name."""


def metadata_of(folder: Path) -> ProjectMetadata | None:
    """Return what a folder declares; None where it is no project's.

    What cannot be read, or is computed in `setup.py`, counts as not declared.
    """
    if not any((folder / name).is_file() for name in METADATA_FILES):
        return None
    declared = _toml(folder / "pyproject.toml")
    setups = [
        _setuptools_table(declared),
        _setup_cfg(folder / "setup.cfg"),
        _setup_py(folder / "setup.py"),
    ]
    mapped = [item for setup in setups for item in setup.package_dir.items()]
    return ProjectMetadata(
        names=frozenset(
            normalised(name)
            for name in (*_names(declared), *(setup.name for setup in setups))
            if name
        ),
        folders=(
            *(root for name, place in mapped if (root := _root(name, place)) is not None),
            *(place for setup in setups for place in setup.where),
            *_of_other_backends(declared),
        ),
        modules=frozenset(
            [
                *(name for name, place in mapped if _root(name, place) is None),
                *(name for setup in setups for name in setup.py_modules),
            ]
        ),
    )


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """The settings of setuptools that matter here."""

    name: str = ""
    package_dir: Mapping[str, str]
    py_modules: Iterable[str]
    where: Iterable[str] = ()


def _root(name: str, place: str) -> str | None:
    """The folder that a package is imported from; None where its own folder has another name."""
    parts, wanted = PurePosixPath(place).parts, tuple(filter(None, name.split(".")))
    if parts[len(parts) - len(wanted) :] != wanted:
        return None
    return str(PurePosixPath(*parts[: len(parts) - len(wanted)]))


def _setuptools_table(declared: Mapping[str, Any]) -> _Setup:
    table = _at(declared, "tool", "setuptools")
    return _Setup(
        package_dir=_mapping(_at(table, "package-dir")),
        py_modules=_texts(_at(table, "py-modules")),
        where=_texts(_at(table, "packages", "find", "where")),
    )


def _setup_cfg(path: Path) -> _Setup:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return _Setup(package_dir={}, py_modules=())
    lines = re.split(r"[\n,]", parser.get("options", "package_dir", fallback=""))
    mapped = [line.partition("=") for line in lines]
    return _Setup(
        name=parser.get("metadata", "name", fallback="").strip(),
        package_dir={name.strip(): place.strip() for name, equals, place in mapped if equals},
        py_modules=re.findall(r"[^\s,]+", parser.get("options", "py_modules", fallback="")),
        where=parser.get("options.packages.find", "where", fallback="").split(),
    )


def _setup_py(path: Path) -> _Setup:
    """The arguments of `setup(…)` that are written out there."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return _Setup(package_dir={}, py_modules=())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_setup(node.func)]
    given = {word.arg: _literal(word.value) for call in calls for word in call.keywords}
    return _Setup(
        name=name if isinstance(name := given.get("name"), str) else "",
        package_dir=_mapping(given.get("package_dir")),
        py_modules=_texts(given.get("py_modules")),
    )


def _is_setup(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "setup"


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _names(declared: Mapping[str, Any]) -> list[str]:
    tables = declared.get("project"), _at(declared, "tool", "poetry")
    return [name for table in tables if isinstance(name := _at(table, "name"), str)]


def _of_other_backends(declared: Mapping[str, Any]) -> list[str]:
    """The folders that the tables of hatchling, Poetry, PDM, maturin and uv name."""
    wheel = _at(declared, "tool", "hatch", "build", "targets", "wheel")
    packages = _texts(_at(wheel, "packages")) + _texts(_at(wheel, "only-include"))
    poetry = _at(declared, "tool", "poetry", "packages")
    return [
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


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _at(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _mapping(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: text for name, text in items if isinstance(name, str) and isinstance(text, str)}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
