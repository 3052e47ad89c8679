"""Environments made by a declared command, kept until the command or the lock file changes.

A virtual environment cannot be moved, so each is made where it stays: in a folder that no other
making has, since the command of a killed run may still be at work in its own. It counts once its
marker was written, which comes last: what a killed run has left is made anew. One lock for the
whole cache lets nobody see a half of one, and nobody remove what another run is using.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.errors import RevisionError, StoreError
from pytest_costguard.revisions.claims import in_use, lock
from pytest_costguard.revisions.commands import LIMIT_SECONDS

KEPT = 4
"""How many environments are kept, the ones that were used last."""
_LOCK = "lock"
_COMPLETE = "complete.json"
_USERS = "users"
_PAUSE_SECONDS = 0.1


def python_of(environment: Path) -> Path:
    """Return where the interpreter of a virtual environment is."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment_digest(
    commands: Sequence[Sequence[str]], *, dependencies: str | None, cache: Path
) -> str:
    """Return the name of an environment: whatever it is made of changes it.

    Args:
        commands: what makes it, its placeholders unfilled.
        dependencies: a digest of the files that say what is in it.
        cache: where it will be; one that was moved is made anew, as its scripts name their place.

    Returns:
        16 hexadecimal digits: scripts name their interpreter in a line that may not be long.
    """
    parts = [
        [list(command) for command in commands],
        dependencies,
        *(sys.version, sys.implementation.name, sysconfig.get_platform()),
        *(sys.base_prefix, str(cache.absolute())),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentCache:
    """The environments in one folder, which git does not see."""

    folder: Path
    patience_seconds: float = LIMIT_SECONDS
    """How long another run may take to make one."""

    @contextmanager
    def environment(
        self, digest: str, *, make: Callable[[Path], None], tell: Callable[[str], None]
    ) -> Iterator[Path]:
        """Make the environment of that digest if it is not there, and keep it while it is used.

        Args:
            digest: what it is made of.
            make: makes it in a folder that is not there yet.
            tell: is told what a person waits for.

        Raises:
            RevisionError: `make` did not leave an interpreter there, or another run takes too long.
            StoreError: the folder cannot be written.
        """
        with ExitStack() as using:
            with self._locked(tell):
                entry = self._complete_one(digest) or self._make(digest, make)
                with _written(entry):
                    os.utime(entry / _COMPLETE)
                    using.enter_context(_used(entry / _USERS))
                self._keep_recent()
            yield _environment(entry)

    def _complete_one(self, digest: str) -> Path | None:
        return next(filter(_complete, self.folder.glob(f"{digest}-*")), None)

    def _make(self, digest: str, make: Callable[[Path], None]) -> Path:
        entry = self.folder / f"{digest}-{secrets.token_hex(4)}"
        environment = _environment(entry)
        try:
            with _written(entry):
                entry.mkdir()
            make(environment)
            if not python_of(environment).exists():
                raise RevisionError(
                    f"--costguard-base-environment left no interpreter {python_of(environment)}",
                    remedy="let it make a virtual environment in {environment}, as in"
                    " {python} -m venv {environment} && …",
                )
            with _written(entry):
                made = {"made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
                (entry / _COMPLETE).write_text(json.dumps(made) + "\n", encoding="utf-8")
        except BaseException:
            shutil.rmtree(entry, ignore_errors=True)
            raise
        return entry

    def _keep_recent(self) -> None:
        """Remove all but the last used; in vain where files are in use: another run will."""
        entries = [path for path in self.folder.iterdir() if path.is_dir()]
        old = sorted(filter(_complete, entries), key=_last_used, reverse=True)[KEPT:]
        broken = [path for path in entries if not _complete(path)]
        for entry in (*old, *broken):
            if not any(in_use(claim) for claim in (entry / _USERS).glob("*")):
                shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def _locked(self, tell: Callable[[str], None]) -> Iterator[None]:
        path = self.folder / _LOCK
        with _written(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            path.touch()
            file = path.open("r+")
        with file:
            deadline = time.monotonic() + self.patience_seconds
            told = False
            while not lock(file):
                if not told:
                    tell(f"waiting for another run{_who(path)}, which makes an environment")
                    told = True
                if time.monotonic() > deadline:
                    raise RevisionError(
                        f"{path}: another run{_who(path)} has been making an environment for"
                        f" {self.patience_seconds:g} s",
                        remedy="wait for it, or end it",
                    )
                time.sleep(_PAUSE_SECONDS)
            with contextlib.suppress(OSError):  # only for the message of who waits
                file.truncate()
                file.write(str(os.getpid()))
                file.flush()
            yield


def _environment(entry: Path) -> Path:
    return entry / "environment"


def _complete(entry: Path) -> bool:
    """Whether it was finished, and its interpreter, often a link, still leads somewhere."""
    return (entry / _COMPLETE).is_file() and python_of(_environment(entry)).exists()


def _last_used(entry: Path) -> float:
    return (entry / _COMPLETE).stat().st_mtime


@contextmanager
def _used(users: Path) -> Iterator[None]:
    """Hold a claim on an environment, beside those of other runs."""
    users.mkdir(exist_ok=True)
    for left in users.glob("*"):
        if not in_use(left):
            left.unlink(missing_ok=True)
    claim = users / f"{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with claim.open("w") as file:
            lock(file)
            yield
    finally:
        claim.unlink(missing_ok=True)


def _who(path: Path) -> str:
    try:
        pid = path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return f" (process {pid})" if pid else ""


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder}: an environment for base could not be kept there: {error.strerror or error}",
            remedy="make the folder writable, free some space, or make the environment yourself"
            " and name its interpreter: --costguard-base-python=PATH",
        ) from error
