"""The user's repository, asked without touching it: no hook, no lock, no index that is written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pytest_costguard.errors import RevisionError

# `status` would otherwise start a file-system monitor, or refresh the index and run a hook.
_SAFE = (
    *("--no-optional-locks", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false", "-c", "submodule.recurse=false"),
)
_MISLEADING = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES"),
)
"""What git sets for its hooks. Under GIT_INDEX_FILE, `worktree add` overwrites the user's index.

This is why the commands are started here and not by GitPython, which hands on every variable.
"""


def outside_of_hooks(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less what would point git at another repository."""
    return {name: value for name, value in environ.items() if name not in _MISLEADING}


class CommandFailed(Exception):
    """Git refused a command; the message is git's own."""


class Repository:
    """A checkout and the commands that are run in it.

    Args:
        folder: the checkout's top, or a folder below it.
        environ: the environment variables.

    Raises:
        RevisionError: there is none, or git is not installed or refuses it.
    """

    def __init__(self, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._environ = outside_of_hooks(environ) | {
            # Content is taken from the store on this machine; asking a server is not for a test.
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
        }
        self.top = folder
        try:
            self.top = Path(self.ask("rev-parse", "--show-toplevel"))
        except CommandFailed as error:
            raise RevisionError(
                f"{folder} is in no git checkout: {error}",
                remedy="run in a checkout, or compare with a stored baseline",
            ) from error

    def submodule(self, path: str) -> Repository:
        """Return the checkout of an initialised submodule."""
        return Repository(self.top / path, environ=self._environ)

    def ask(self, *words: str) -> str:
        """Run a git command in the checkout and return what it prints, less the last line end.

        Raises:
            CommandFailed: git says no.
            RevisionError: there is no git.
        """
        return os.fsdecode(self._printed(*words)).removesuffix("\n")

    def content(self, sha: str, path: str) -> bytes:
        """Return a file as it is in a commit; `path` is relative to the checkout's top.

        Raises:
            CommandFailed: there is no such file.
            RevisionError: there is no git.
        """
        return self._printed("cat-file", "blob", f"{sha}:{path}")

    def _printed(self, *words: str) -> bytes:
        try:
            done = subprocess.run(
                ["git", *_SAFE, *words],
                cwd=self.top,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise RevisionError(
                "comparing with a revision needs git, which was not found",
                remedy="install git, or compare with a stored baseline: --costguard-baseline=NAME",
            ) from error
        if done.returncode != 0:
            told = done.stderr.decode(errors="replace").strip()
            raise CommandFailed(told or f"git {words[0]} ended with {done.returncode}")
        return done.stdout

    def listed(self, *words: str) -> list[str]:
        """Run a git command with `-z` among its words; return its entries."""
        return [entry for entry in self.ask(*words).split("\0") if entry]

    def ignores(self, path: Path) -> bool:
        """Whether git ignores a file or folder; `path` is relative to the checkout's top."""
        try:
            self.ask("check-ignore", "--quiet", "--", str(path))
        except CommandFailed:
            return False
        return True

    @property
    def shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"
