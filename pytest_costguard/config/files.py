"""Finding and reading the one configuration file: `[tool.costguard]` or `costguard.yaml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pytest_costguard.config.words import did_you_mean, require_table
from pytest_costguard.errors import ConfigError

YAML_NAME = "costguard.yaml"
MISTAKEN_NAMES = ("costguard.yml", ".costguard.yaml", ".costguard.yml", "costguard.toml")
_LARGEST_BYTES = 1_000_000
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<field>[^`]*)`")
_PLACE = re.compile(r" - at `?(?P<rest>.*)$")

Shape = TypeVar("Shape", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The configuration file as it was read: a table of plain values, not yet checked."""

    name: str
    """`pyproject.toml` or `costguard.yaml`."""
    path: Path | None = None
    prefix: str = ""
    """Where the table stands in the file: `tool.costguard` or ""."""
    table: Mapping[object, object] = field(default_factory=dict)

    def key(self, path: str) -> str:
        """Return the full key of a path in the table: `tool.costguard.units`."""
        return f"{self.prefix}.{path}" if self.prefix else path

    def place(self, key: str) -> str:
        """Return where a key stands, in words: `pyproject.toml [tool.costguard] units`."""
        return f"{self.name} [{self.prefix}] {key}" if self.prefix else f"{self.name} {key}"


NO_FILE = ConfigFile(name="no file")


def read_configuration(rootdir: Path) -> ConfigFile:
    """Return the project's configuration file, or `NO_FILE`.

    Args:
        rootdir: pytest's root directory, where the file is looked for.

    Raises:
        ConfigError: two files configure costguard, or one cannot be read or is no TOML or YAML.
    """
    for mistaken in MISTAKEN_NAMES:
        if (rootdir / mistaken).is_file():
            raise ConfigError(
                f"{rootdir / mistaken} is not a name that is read",
                remedy=f"rename it to {YAML_NAME}, or use [tool.costguard] in pyproject.toml",
            )
    found = [
        file
        for file in (
            _from_pyproject(rootdir / "pyproject.toml"),
            read_yaml(rootdir / YAML_NAME, name=YAML_NAME),
        )
        if file is not None
    ]
    if len(found) > 1:
        raise ConfigError(
            f"{found[0].name} has [tool.costguard], and there is a {YAML_NAME} too",
            remedy="keep one of the two",
        )
    return found[0] if found else NO_FILE


def decode(value: object, shape: type[Shape], *, origin: str, key: str) -> Shape:
    """Return a table of the file as `shape`, strictly.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type; names the path and the remedy.
    """
    require_table(value, origin=origin, key=key)
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        at = key + (place["rest"].rstrip("`").removeprefix("$") if place else "")
        problem = text[: place.start()] if place else text
        unknown = _UNKNOWN_FIELD.search(text)
        if unknown:
            raise ConfigError(
                f"{origin}: unknown key {at}.{unknown['field']}",
                remedy=did_you_mean(unknown["field"], shape.__struct_fields__),
            ) from error
        raise ConfigError(
            f"{origin}: {at}: {problem}", remedy="docs/options.md shows the form of every key"
        ) from error


def _from_pyproject(path: Path) -> ConfigFile | None:
    """Return `[tool.costguard]` of a pyproject.toml; None if file or table is absent."""
    text = _text_of(path)
    if text is None:
        return None
    try:
        document = tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        raise _broken(path, "TOML", error) from error
    tool = document.get("tool", {})
    if not isinstance(tool, Mapping) or "costguard" not in tool:
        return None
    table = require_table(tool["costguard"], origin=path.name, key="tool.costguard")
    return ConfigFile(name=path.name, path=path, prefix="tool.costguard", table=table)


def read_yaml(path: Path, *, name: str) -> ConfigFile | None:
    """Return a file in YAML; None if it is absent. An empty file is an empty table.

    Args:
        path: of the file.
        name: what it is called in errors.

    Raises:
        ConfigError: it cannot be read, or is no YAML of plain values.
    """
    text = _text_of(path)
    return None if text is None else parse_yaml(text, path=path, name=name)


def parse_yaml(text: str, *, path: Path, name: str) -> ConfigFile:
    """Return the table in a text of YAML; see `read_yaml`."""
    import yaml

    from pytest_costguard.config.yaml_loading import load_yaml

    try:
        document = load_yaml(text)
    # PyYAML's constructors let these through for malformed dates, tags and numbers.
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise _broken(path, "YAML", error) from error
    table = require_table({} if document is None else document, origin=name, key="the file")
    return ConfigFile(name=name, path=path, table=table)


def _text_of(path: Path) -> str | None:
    """Return a file's text; None if there is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", remedy="make it a readable file, or move it"
        ) from error
    if len(data) > _LARGEST_BYTES:
        raise ConfigError(
            f"{path} has {len(data)} bytes; a configuration has at most {_LARGEST_BYTES}",
            remedy="shorten it: a rule's pattern can stand for many tests",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}: line {line} is not UTF-8", remedy="save the file as UTF-8"
        ) from error


def _broken(path: Path, form: str, error: Exception) -> ConfigError:
    """Return the error for a file that cannot be parsed, with the line where it is known."""
    problem = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, RecursionError):
        problem = "nested too deeply"
    return ConfigError(
        f"{path} is not valid {form}: {problem}", remedy=f"mend the {form} at that place"
    )
