"""Finds and compiles the templates, in a wheel, an editable install and a plain checkout."""

from __future__ import annotations

from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_costguard.errors import StoreError
from pytest_costguard.reports.escaping import PROSE_LIMIT, code, fenced, prose, unbroken

if TYPE_CHECKING:
    from jinja2 import Template


def locate(name: str) -> Traversable:
    """Return the template file `name`.

    Raises:
        StoreError: if neither the installed package nor the checkout has it.
    """
    package = resources.files("pytest_costguard")
    checkout = Path(str(package)).parent / "templates"
    for folder in (package / "_templates", checkout):
        found = folder / name
        if found.is_file():
            return found
    raise StoreError(
        f"the report template {name!r} is not installed",
        remedy="install pytest-costguard again: its files are incomplete",
    )


def compiled(name: str, *, foreign: bool = False) -> Template:
    """Return the compiled template: sandboxed, and an undefined name is an error.

    The filters `code`, `prose`, `unbroken` and `fenced` make foreign text harmless in Markdown.
    `quoted` is `prose` for texts that a project's own code has a part in, and a code span where
    that project is a stranger's.

    Args:
        name: of the file.
        foreign: whether the report is a stranger's.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Autoescaping is for HTML: in Markdown, entities in a code span would be shown as they are.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        code=code,
        prose=prose,
        quoted=partial(code, limit=PROSE_LIMIT) if foreign else prose,
        fenced=fenced,
        unbroken=unbroken,
    )
    return environment.from_string(locate(name).read_text(encoding="utf-8"))
