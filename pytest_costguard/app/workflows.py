"""Use case: write the workflow that runs the action in a project's pull requests."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pytest_costguard import __version__
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.errors import ConfigError, RevisionError
from pytest_costguard.reports.templates import locate
from pytest_costguard.revisions.repository import CommandFailed, Repository

ACTION_REVISION = "d24c173d35072ac3a62522b1ad298e7f6e6bd898"
"""The commit of this project at which templates use the action; set at each release."""

KINDS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "pull-request": (("pull-request.yml", "costguard.yml"),),
        "fork-safe": (
            ("fork-safe.yml", "costguard.yml"),
            ("fork-safe-comment.yml", "costguard-comment.yml"),
        ),
        "target-matrix": (("target-matrix.yml", "costguard.yml"),),
        "self-hosted-gpu": (("self-hosted-gpu.yml", "costguard-gpu.yml"),),
        "nightly": (("nightly.yml", "costguard-nightly.yml"),),
    }
)
"""Templates and the names of the files that they become."""

_PLACEHOLDER = "@ACTION_REVISION"
_PLAIN = re.compile(r"[\w.][\w./-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowsWritten:
    """Files that were written, and those that were there already and are as they were."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def write_workflows(
    kind: str, *, rootdir: Path, environ: Mapping[str, str], force: bool = False
) -> WorkflowsWritten:
    """Write a template to `.github/workflows` at the top of the checkout.

    Args:
        kind: one of `KINDS`.
        rootdir: the project, which may be a folder of the checkout.
        environ: for git.
        force: write files anew that are there.

    Raises:
        ConfigError: the project's folder or branch cannot stand in a workflow, or of several files
            that belong together some are there already and others are not.
        StoreError: a file could not be written.
    """
    top, branch = _checkout(rootdir, environ=environ)
    below = Path(os.path.relpath(rootdir, top)).as_posix()
    for what, said in (("folder", below), ("branch", branch)):
        if not _PLAIN.fullmatch(said):
            raise ConfigError(
                f"the {what} {said!r} holds characters that a workflow would read as its own",
                remedy=f"rename the {what}, or copy the template by hand (docs/ci.md)",
            )
    folder = top / ".github" / "workflows"
    texts = {
        folder / name: rendered(template, branch=branch, below=below)
        for template, name in KINDS[kind]
    }
    there = [path for path in texts if path.exists() and not force]
    if there and len(there) < len(texts):
        raise ConfigError(
            f"{there[0]} is there already, and the files of {kind} belong together",
            remedy="look whether it may go; --force writes all of them anew",
        )
    written = [path for path in texts if path not in there]
    for path in written:
        write_atomically(path, texts[path].encode())
    return WorkflowsWritten(written=tuple(written), kept=tuple(there))


def rendered(template: str, *, branch: str = "main", below: str = ".") -> str:
    """Return a workflow for a project.

    Args:
        template: its name in `templates/workflows`.
        branch: the repository's default branch.
        below: the way from the checkout's top to the project.
    """
    text = locate(f"workflows/{template}").read_text(encoding="utf-8")
    text = text.replace(_PLACEHOLDER, f"@{ACTION_REVISION} # v{__version__}")
    text = text.replace("record-on: main", f"record-on: {branch}")
    if below != ".":
        text = text.replace('-e ".[test]"', f'-e "./{below}[test]"')
        text = text.replace(
            "          pytest-args: |",
            f"          working-directory: {below}\n          pytest-args: |",
        )
    return text


def _checkout(rootdir: Path, *, environ: Mapping[str, str]) -> tuple[Path, str]:
    """Return the checkout's top and the default branch, as far as git knows them."""
    try:
        repository = Repository(rootdir, environ=environ)
    except RevisionError:
        return rootdir, "main"
    try:
        named = repository.ask("symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    except CommandFailed:
        return repository.top, "main"
    return repository.top, named.partition("/")[2] or "main"
