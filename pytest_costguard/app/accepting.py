"""Use case: write down that a regression is accepted, in a file that reviewers see."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.app.reporting import remake
from pytest_costguard.baselines.files import write_atomically, write_error
from pytest_costguard.config.acceptances import (
    FILE,
    AcceptedChange,
    new_acceptances,
    newest,
    parse_acceptances,
)
from pytest_costguard.config.files import parse_yaml
from pytest_costguard.config.model import Settings
from pytest_costguard.config.words import require_known
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import ConfigError, RevisionError
from pytest_costguard.records import METRICS, Report
from pytest_costguard.reports.acceptable import AcceptableChange, acceptable_changes
from pytest_costguard.revisions.naming import resolve
from pytest_costguard.revisions.repository import CommandFailed, Repository

_HEAD = """\
# Regressions that were accepted, reviewed like code: `costguard accept` adds to the list, and of
# two entries for the same test and metric the later one counts. An entry ends after its last day.
accepted:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an entry says beside test, metric and size."""

    reason: str
    by: str
    until: dt.date
    """The last day."""
    ahead: bool = False
    """Whether it comes before the change that it is about."""


def regressions_of(report: Report) -> tuple[AcceptableChange, ...]:
    """Return what in a report regressed, decided again from its own measurements."""
    return acceptable_changes(remake(report))


def accept(changes: Sequence[AcceptableChange], *, said: Said, rootdir: Path) -> Path:
    """Add entries to the project's file and return it; what it says already stays as it is.

    An entry that counts already, until the same day, is not added once more.

    Args:
        changes: at least one.
        said: of all of them.
        rootdir: the project.

    Raises:
        ConfigError: the file is not understood, or nothing can be added at its end.
        StoreError: it cannot be written.
    """
    require_known([one.metric for one in changes], METRICS, origin="--metric", at="")
    path = rootdir / FILE
    with _alone(path.parent):
        _add(changes, path=path, said=said)
    return path


def _add(changes: Sequence[AcceptableChange], *, path: Path, said: Said) -> None:
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = _HEAD
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="mend the file") from error
    name = FILE.as_posix()
    known = parse_acceptances(parse_yaml(before, path=path, name=name))
    changes = [one for one in changes if not _counts(one, said, known=known)]
    if not changes:
        return
    gap = "" if before.endswith("\n") or not before else "\n"
    entries = "".join(_entry(one, said) for one in changes)
    # What is wrong with them by themselves is not the file's fault.
    parse_acceptances(parse_yaml(f"{_HEAD}{entries}", path=path, name="command line"))
    after = f"{before or _HEAD}{gap}{entries}"
    try:
        written = parse_acceptances(parse_yaml(after, path=path, name=name))
    except ConfigError as error:
        raise _not_at_the_end(name) from error
    if len(written) != len(known) + len(changes):
        raise _not_at_the_end(name)
    write_atomically(path, after.encode())


def _counts(change: AcceptableChange, said: Said, *, known: Sequence[AcceptedChange]) -> bool:
    """Whether the entry that counts for this test and metric says the same."""
    entry = newest(known, nodeid=change.nodeid, metric=change.metric)
    return entry is not None and (
        (entry.up_to, entry.reason, entry.by, entry.until, entry.ahead)
        == (change.up_to, said.reason, said.by, said.until, said.ahead)
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else adds to a file in a folder, where the system can tell.

    Raises:
        StoreError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = None if os.name == "nt" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise write_error(folder, error) from error
    if descriptor is None:
        yield
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def standing_acceptances(settings: Settings, side: Side) -> tuple[AcceptedChange, ...]:
    """Return the entries that count in a run: side by side, those that base does not have.

    Args:
        settings: of the run.
        side: head.

    Raises:
        ConfigError: base's file is not understood.
        RevisionError: there is no such base.
    """
    if settings.against is None or not settings.accepted:
        return settings.accepted
    repository = Repository(side.rootdir, environ=side.environ)
    base = resolve(settings.against, repository=repository, environ=side.environ)
    path = side.rootdir.resolve() / FILE
    name = f"{FILE.as_posix()} of {base.sha[:12]}"
    try:
        inside = path.relative_to(repository.top.resolve())
        text = repository.content(base.sha, inside.as_posix()).decode("utf-8")
    except CommandFailed:
        return settings.accepted  # base has no such file
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8: {error}", remedy="mend it on base") from error
    before = parse_acceptances(parse_yaml(text, path=path, name=name))
    return new_acceptances(settings.accepted, before=before)


def author(rootdir: Path, *, environ: Mapping[str, str]) -> str:
    """Return who works here, as git knows it.

    Raises:
        ConfigError: git does not know.
    """
    try:
        repository = Repository(rootdir, environ=environ)
        return _named(repository.ask("config", f"user.{key}") for key in ("name", "email"))
    except (CommandFailed, RevisionError) as error:
        raise ConfigError(
            "git does not know who you are", remedy='give --by "Name <address>"'
        ) from error


def _named(parts: Iterable[str]) -> str:
    name, email = parts
    return f"{name} <{email}>"


def _entry(change: AcceptableChange, said: Said) -> str:
    return (
        f"  - workload: {_text(change.nodeid)}\n"
        f"    metric: {change.metric}\n"
        f"    up_to: {change.percent}\n"
        f"    reason: {_text(said.reason)}\n"
        f"    by: {_text(said.by)}\n"
        f"    until: {said.until.isoformat()}\n" + ("    ahead: true\n" if said.ahead else "")
    )


def _text(value: str) -> str:
    """Return a text of YAML: JSON's are, once nothing in them is left to be seen by itself.

    Raises:
        ConfigError: it is no text.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{value!a} is no text", remedy="write it in UTF-8, as the terminal should"
        ) from error
    return json.dumps(value, ensure_ascii=not value.isprintable()).replace("\x7f", "\\x7f")


def _not_at_the_end(name: str) -> ConfigError:
    return ConfigError(
        f"{name}: nothing can be added at its end",
        remedy="let the list `accepted:` come last, with an item a line",
    )
