"""Use case: give a project its first configuration and its first test, overwriting nothing."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.config.files import read_configuration
from pytest_costguard.errors import ConfigError
from pytest_costguard.reports.templates import locate

EXAMPLE_TEST = Path("tests") / "test_inference_cost.py"
_YAML = "costguard.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What `start` did: files that it wrote, and why it let others be."""

    written: tuple[Path, ...]
    kept: tuple[str, ...]


def start(rootdir: Path, *, force: bool = False) -> Started:
    """Write a starting configuration and an example test where there are none.

    The configuration is added to the end of pyproject.toml where there is one, else it is
    costguard.yaml. Doing it twice changes nothing.

    Args:
        rootdir: The project.
        force: Write the example test anew though it is there. A configuration is never replaced.

    Raises:
        ConfigError: There are two configurations, or one is broken.
        StoreError: A file could not be written.
    """
    written: list[Path] = []
    kept: list[str] = []
    existing = read_configuration(rootdir)
    if existing.path is not None:
        kept.append(f"{existing.name} configures costguard already")
    else:
        written.append(_write_configuration(rootdir))
    example = rootdir / EXAMPLE_TEST
    if example.exists() and not force:
        kept.append(f"{EXAMPLE_TEST.as_posix()} is there already")
    else:
        write_atomically(example, _template("test_inference_cost.py.j2").encode())
        written.append(example)
    return Started(written=tuple(written), kept=tuple(kept))


def _write_configuration(rootdir: Path) -> Path:
    pyproject = rootdir / "pyproject.toml"
    if not pyproject.is_file():
        path = rootdir / _YAML
        write_atomically(path, _template("costguard.yaml.j2").encode())
        return path
    write_atomically(pyproject, _with_table(pyproject.read_bytes(), origin=str(pyproject)))
    return pyproject


def _with_table(before: bytes, *, origin: str) -> bytes:
    """Add `[tool.costguard]` at the end, in the file's own kind of line ends."""
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    table = f"[tool.costguard]\n{_template('options.toml.j2')}".encode()
    gap = newline if not before or before.endswith(b"\n") else newline * 2
    after = before + (gap if before else b"") + table.replace(b"\n", newline)
    try:
        tomllib.loads(after.decode())
    except ValueError as error:
        raise ConfigError(
            f"{origin}: no table can be added at its end: {error}",
            remedy="write [tool.costguard] there by hand, or use a costguard.yaml",
        ) from error
    return after


def _template(name: str) -> str:
    return locate(f"start/{name}").read_text(encoding="utf-8")
