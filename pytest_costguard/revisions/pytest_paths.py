"""What a project's settings of pytest say of where its modules are."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path


def pythonpath_of(folder: Path) -> tuple[str, ...]:
    """Return pytest's setting `pythonpath` as the first settings file of a folder has it.

    A file that cannot be read counts as none: pytest itself says what is wrong with it.
    """
    for name, section in (
        ("pytest.ini", "pytest"),
        (".pytest.ini", "pytest"),
        ("pyproject.toml", ""),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ):
        path = folder / name
        if path.is_file():
            found = _toml_pythonpath(path) if not section else _ini_pythonpath(path, section)
            if found is not None:
                return found
    return ()


def _toml_pythonpath(path: Path) -> tuple[str, ...] | None:
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("pytest", {})
        options = {**tool, **tool.get("ini_options", {})}
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    found = options.get("pythonpath")
    if found is None:
        return () if options else None
    return tuple(found.split()) if isinstance(found, str) else tuple(map(str, found))


def _ini_pythonpath(path: Path, section: str) -> tuple[str, ...] | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None
    if not parser.has_section(section):
        return () if path.name in ("pytest.ini", ".pytest.ini") else None
    return tuple(parser.get(section, "pythonpath", fallback="").split())
