"""The cascade: defaults < file < environment < command line, each value with its origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar, cast

from pytest_costguard.config.acceptances import read_acceptances
from pytest_costguard.config.ci_options import CI_OPTIONS
from pytest_costguard.config.commands import Commands, parse_commands
from pytest_costguard.config.digest import digest_of
from pytest_costguard.config.files import ConfigFile, read_configuration
from pytest_costguard.config.limits import parse_limit_pairs
from pytest_costguard.config.model import DeclaredGates, Origin, Settings, Source, in_usd
from pytest_costguard.config.options import BY_KEY, OPTIONS, Option
from pytest_costguard.config.quantities import (
    parse_count,
    parse_duration,
    parse_percent,
    parse_threads,
    parse_usd,
)
from pytest_costguard.config.tables import TABLE_KEYS, FileTables, parse_tables
from pytest_costguard.config.words import (
    nearest,
    parse_choice,
    parse_name,
    parse_patterns,
    parse_switch,
    parse_text,
    parse_words,
    refusal,
    require_known,
)
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import ClockName, Currency, FailOn, PairingKind

T = TypeVar("T")

_RANK: Mapping[Source, int] = {
    "default": 0,
    "file": 1,
    "environment": 2,
    "command line": 3,
    "job": 4,
}
RIVALS: Mapping[tuple[str, str], str] = {
    ("target", "price"): "price is for this very machine, target for the one that serves",
    ("base_environment", "base_python"): "base_python names an interpreter that is there,"
    " base_environment makes an environment with one",
}
"""Options of which a run takes one, and which of them is for what."""
JOB_DECIDES = "COSTGUARD_JOB_DECIDES"
"""Set by `costguard ci`: then variables come before flags, which `addopts` gives as well."""
_PREFIX = "COSTGUARD_"
_SURELY_MEANT = 0.92
"""Likeness, the common prefix included, from which on a variable is taken for a misspelt one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What was written for one option in the place that wins, still as it was written."""

    value: object
    source: Source
    where: str
    """The place for an error: "pyproject.toml", "command line"."""
    key: str
    """The name there: "tool.costguard.units", "--costguard-units"."""
    origin: str

    def read(self, parse: Callable[..., T]) -> T | None:
        """Return the value as `parse` reads it, None where nothing was written."""
        return None if self.value is None else parse(self.value, origin=self.where, key=self.key)

    def refuse(self, problem: str, *, remedy: str) -> ConfigError:
        return refusal(self.value, problem, origin=self.where, key=self.key, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What was written for every option."""

    said: Mapping[str, _Said]

    def optional(self, key: str, parse: Callable[..., T]) -> T | None:
        return self.said[key].read(parse)

    def required(self, key: str, parse: Callable[..., T]) -> T:
        """Return an option that has a default, so that something is always written."""
        value = self.said[key].read(parse)
        assert value is not None
        return value

    def choice(self, key: str) -> str:
        """Return an option that is one of its choices."""
        return self.required(key, partial(parse_choice, choices=BY_KEY[key].choices))


def resolve(*, cli: Mapping[str, object], environ: Mapping[str, str], rootdir: Path) -> Settings:
    """Return the settings of a run.

    Args:
        cli: By option key, what the flags were given; None or absent: not given.
        environ: The environment; a blank variable counts as not set.
        rootdir: pytest's root directory. Paths in the file are relative to it, others to the
            current directory.

    Raises:
        ConfigError: something is not understood; names where it was said, and the remedy.
    """
    require_known(cli, BY_KEY, origin="command line", at="")
    file = read_configuration(rootdir)
    _require_file_keys(file)
    _refuse_misspelt(environ)
    tables = parse_tables(file)
    given = _Given(
        said={option.key: _said(option, cli=cli, environ=environ, file=file) for option in OPTIONS}
    )
    settings = _settings(given, tables=tables, file=file, rootdir=rootdir)
    return replace(settings, digest=digest_of(settings))


def _said(
    option: Option, *, cli: Mapping[str, object], environ: Mapping[str, str], file: ConfigFile
) -> _Said:
    """Return what the highest place says about one option."""
    variable = option.variable or ""
    in_job = environ.get(JOB_DECIDES) == "true"
    by_variable: _Said | None = None
    if environ.get(variable, "").strip():
        by_variable = _Said(
            value=environ[variable],
            source="job" if in_job else "environment",
            where="environment",
            key=variable,
            origin=variable,
        )
        if in_job:
            return by_variable
    given = cli.get(option.key)
    if given is not None and given != []:
        flag = option.flag
        return _Said(
            value=given, source="command line", where="command line", key=flag, origin=flag
        )
    if by_variable is not None:
        return by_variable
    if "file" in option.scopes and option.key in file.table:
        return _Said(
            value=file.table[option.key],
            source="file",
            where=file.name,
            key=file.key(option.key),
            origin=file.place(option.key),
        )
    return _Said(
        value=option.default, source="default", where="default", key=option.key, origin="default"
    )


def _settings(given: _Given, *, tables: FileTables, file: ConfigFile, rootdir: Path) -> Settings:
    """Return every setting in its fixed unit; the digest is still to come."""
    given = _one_of_each(given)
    target = given.said["target"]
    named_by: Literal["command line", "configuration"] = (
        "command line" if target.source == "command line" else "configuration"
    )
    return Settings(
        measure=given.required("measure", parse_switch),
        units=given.required("units", parse_count),
        unit_seconds=given.required("unit_time", parse_duration),
        timeout_seconds=given.required("timeout", parse_duration),
        threads=given.required("threads", parse_threads),
        baseline=given.required("baseline", parse_text),
        store=given.required("store", parse_text),
        against=_against(given),
        escalate=_escalate(given),
        workload_seconds=given.required("time", parse_duration),
        suite_seconds=given.required("suite_time", parse_duration),
        deep=given.required("deep", parse_switch),
        pairing=cast("PairingKind | None", _unless_auto(given.choice("pairing"))),
        clock=cast("ClockName | None", _unless_auto(given.choice("clock"))),
        share=given.optional("share", parse_patterns) or (),
        base_python=_program(given.said["base_python"], rootdir=rootdir),
        base_environment=_commands(given.said["base_environment"], "environment", "tree", "python"),
        build=_commands(given.said["build"], "tree", "python"),
        save=_save(given.said["save"], against=given.said["against"], rootdir=rootdir),
        report_dir=_path(given.said["report"], rootdir=rootdir),
        fail_on=_fail_on(given.said["fail_on"]),
        target_name=target.read(parse_text),
        target_origin=None if target.value is None else named_by,
        price_usd_per_hour=_price(given.said["price"], currency=tables.currency),
        prices_csv=_path(given.said["prices"], rootdir=rootdir),
        detect_target=given.required("detect_target", parse_switch),
        benchmarks=given.required("benchmarks", parse_switch),
        runner_spread=given.optional("runner_spread", parse_percent),
        isolate=cast(Literal["test", "suite"], given.choice("isolate")),
        labels=tables.labels,
        accepted=read_acceptances(rootdir),
        gates=tables.gates,
        rules=tables.rules,
        targets=tables.targets,
        currency=tables.currency,
        limits_of_this_run=_limits(given.said["budget"], currency=tables.currency),
        allow=given.optional("allow", parse_percent),
        catch=given.optional("catch", parse_percent),
        origins={
            key: Origin(source=said.source, text=said.origin) for key, said in given.said.items()
        },
        rootdir=rootdir,
        config_file=file.path,
        digest="",
    )


def _require_file_keys(file: ConfigFile) -> None:
    """Raise for a key that the file cannot have; options for one run alone name their flag."""
    known = [*TABLE_KEYS, *(option.key for option in OPTIONS if "file" in option.scopes)]
    for option in OPTIONS:
        if option.key in file.table and option.key not in known:
            raise ConfigError(
                f"{file.name}: {file.key(option.key)} is for one run, not for the file",
                remedy=f"give {option.flag} where you want it",
            )
    require_known(file.table, known, origin=file.name, at=file.prefix)


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Raise for a `COSTGUARD_` variable that resembles one of ours: silence would hide a typo."""
    known = [option.variable for option in (*OPTIONS, *CI_OPTIONS) if option.variable]
    known.append(JOB_DECIDES)
    for name in environ:
        if name.startswith(_PREFIX) and name not in known:
            near = nearest(name, known, cutoff=_SURELY_MEANT)
            if near:
                raise ConfigError(
                    f"environment: unknown variable {name}",
                    remedy=f"did you mean {near}? Unset it otherwise",
                )


def _one_of_each(given: _Given) -> _Given:
    """Return what was said with one option of each pair of `RIVALS`: the higher place wins.

    Raises:
        ConfigError: the same place says both.
    """
    said = dict(given.said)
    for (first, second), remedy in RIVALS.items():
        one, other = said[first], said[second]
        if one.value is None or other.value is None:
            continue
        if one.source == other.source:
            raise other.refuse(
                f"is given beside {one.key} = {one.value!r}", remedy=f"keep one: {remedy}"
            )
        loser = first if _RANK[one.source] < _RANK[other.source] else second
        said[loser] = replace(said[loser], value=None)
    return _Given(said=said)


def _against(given: _Given) -> str | None:
    """Return the revision to compare with.

    Raises:
        ConfigError: the same place names a stored baseline as well.
    """
    baseline, against = given.said["baseline"], given.said["against"]
    if against.value is not None and baseline.source == against.source:
        raise baseline.refuse(
            f"is given beside {against.key} = {against.value!r}",
            remedy="keep one: a run compares with a stored baseline, or side by side",
        )
    return given.optional("against", parse_text)


def _escalate(given: _Given) -> bool:
    """Return whether to escalate; where a higher place leaves nothing to escalate from, not.

    Raises:
        ConfigError: it is asked for in the same place, or a higher one than what forbids it.
    """
    said = given.said["escalate"]
    if not given.required("escalate", parse_switch):
        return False
    for key, forbids, why in (
        ("against", given.said["against"].value is not None, "measures side by side already"),
        ("baseline", given.required("baseline", parse_text) == "none", "leaves none to doubt"),
    ):
        other = given.said[key]
        if not forbids:
            continue
        if _RANK[other.source] > _RANK[said.source]:
            return False
        raise ConfigError(
            f"{said.where}: {said.key} asks for a second look at the verdicts of a stored"
            f" baseline, and {other.key}={other.value} {why}",
            remedy=f"keep one: leave out {said.key} or {other.key}",
        )
    return True


def _save(said: _Said, *, against: _Said, rootdir: Path) -> str | None:
    """Return the name to save under.

    Raises:
        ConfigError: it is a path that the bare flag has swallowed, or the run is one of two sides,
            whose figures a plain run's cannot be held against.
    """
    name = said.read(parse_name)
    bare = said.value == BY_KEY["save"].bare_value
    if name and not bare and said.source == "command line" and (rootdir / name).exists():
        raise said.refuse(
            "is a file or folder of the project",
            remedy=f"write {said.key}=main {name}, or another name after the '='",
        )
    if name and against.value is not None:
        raise ConfigError(
            f"{said.where}: {said.key} saves a baseline, and with {against.key}={against.value} the"
            " processes are others than a plain run's: more would be called changed than the code",
            remedy="save in a run of its own (costguard baseline record), or leave out"
            f" {said.key} or {against.key}",
        )
    return name


def _path(said: _Said, *, rootdir: Path) -> Path | None:
    """Return a path: in the file relative to the root directory, else as it is."""
    text = said.read(parse_text)
    if text is None:
        return None
    return rootdir / text if said.source == "file" else Path(text)


def _program(said: _Said, *, rootdir: Path) -> str | None:
    """Return a program: a name as it is, a path of the file from the root directory."""
    text = said.read(parse_text)
    if text is None or said.source != "file" or Path(text).name == text:
        return text
    return str(rootdir / text)


def _commands(said: _Said, *placeholders: str) -> Commands | None:
    """Return commands, in which the placeholders may stand."""
    return said.read(partial(parse_commands, placeholders=placeholders))


def _fail_on(said: _Said) -> tuple[FailOn, ...]:
    """Return what fails the run, in the order of `FailOn`."""
    words = said.read(parse_words) or ()
    for word in words:
        parse_choice(word, BY_KEY["fail_on"].choices, origin=said.where, key=said.key)
    if not words:
        raise said.refuse("is empty", remedy='write "never" if nothing is to fail the run')
    if {"strict", "never"} & set(words) and len(set(words)) > 1:
        raise said.refuse(
            "says strict or never beside other words", remedy="write strict or never alone"
        )
    return tuple(kind for kind in FailOn if kind in words or "strict" in words)


def _price(said: _Said, *, currency: Currency) -> Decimal | None:
    """Return the price of this machine in US dollars an hour."""
    money = said.read(parse_usd)
    if money is None:
        return None
    return in_usd(
        money[0], code=money[1], currency=currency, origin=said.origin, text=str(said.value)
    )


def _limits(said: _Said, *, currency: Currency) -> DeclaredGates:
    """Return this run's budgets; each `METRIC=LIMIT` may hold several, with commas between."""
    texts = said.value if isinstance(said.value, list | tuple) else [said.value]
    pairs = tuple(
        pair
        for text in texts
        if text is not None
        for pair in parse_words(text, origin=said.where, key=said.key)
    )
    gates = parse_limit_pairs(pairs, origin=said.where, key=said.key)
    for limit in gates.limits.values():
        if limit is not None:
            limit.priced_in(currency)
    return gates


def _unless_auto(asked: str) -> str | None:
    return None if asked == "auto" else asked
