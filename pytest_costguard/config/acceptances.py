"""Accepted regressions: entries of a committed file, reviewed like code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_costguard.config.files import ConfigFile, decode, read_yaml
from pytest_costguard.config.quantities import parse_percent
from pytest_costguard.config.words import parse_text, refusal
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import METRICS, Acceptance, Gates, Regression

FILE = Path(".costguard") / "accepted.yaml"
_KEY = "accepted"


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """The shape of one entry."""

    workload: str
    metric: str
    up_to: str
    reason: str
    by: str
    until: dt.date
    ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedChange:
    """One entry: this test may get worse in this metric, so far and so long."""

    nodeid: str
    metric: str
    up_to: float
    reason: str
    by: str
    until: dt.date
    ahead: bool = False
    """Whether it came before the change that it is about, so that it counts on base as well."""
    origin: str


def read_acceptances(rootdir: Path) -> tuple[AcceptedChange, ...]:
    """Return the entries of the project's file, in order; none where there is no file.

    Raises:
        ConfigError: the file is not understood.
    """
    file = read_yaml(rootdir / FILE, name=FILE.as_posix())
    return () if file is None else parse_acceptances(file)


def parse_acceptances(file: ConfigFile) -> tuple[AcceptedChange, ...]:
    """Return the entries of a file that was read; raises as `read_acceptances`."""
    unknown = [key for key in file.table if key != _KEY]
    if unknown:
        raise ConfigError(
            f"{file.name}: unknown key {str(unknown[0])[:80]}", remedy=f"write the list {_KEY}:"
        )
    entries = file.table.get(_KEY) or []
    if not isinstance(entries, list):
        raise refusal(
            entries,
            "is no list",
            origin=file.name,
            key=_KEY,
            remedy="write each entry as an item, or let `costguard accept` do it",
        )
    return tuple(
        _parsed(entry, origin=file.name, key=f"{_KEY}[{place}]")
        for place, entry in enumerate(entries)
    )


def _parsed(value: object, *, origin: str, key: str) -> AcceptedChange:
    entry = decode(value, _Entry, origin=origin, key=key)
    if entry.metric not in METRICS:
        raise refusal(
            entry.metric,
            "is no metric",
            origin=origin,
            key=f"{key}.metric",
            remedy=f"write one of {', '.join(METRICS)}",
        )
    return AcceptedChange(
        nodeid=parse_text(entry.workload, origin=origin, key=f"{key}.workload"),
        metric=entry.metric,
        up_to=parse_percent(entry.up_to, origin=origin, key=f"{key}.up_to"),
        reason=parse_text(entry.reason, origin=origin, key=f"{key}.reason"),
        by=parse_text(entry.by, origin=origin, key=f"{key}.by"),
        until=entry.until,
        ahead=entry.ahead,
        origin=f"{origin} {key}",
    )


def accepted_gates(
    gates: Gates, *, nodeid: str, accepted: Sequence[AcceptedChange], today: dt.date
) -> Gates:
    """Return what a test is held to, with what was accepted; see `accepted_rule`."""
    rules = (
        accepted_rule(rule, nodeid=nodeid, accepted=accepted, today=today)
        for rule in gates.regressions
    )
    return msgspec.structs.replace(gates, regressions=tuple(rules))


def accepted_rule(
    rule: Regression, *, nodeid: str, accepted: Sequence[AcceptedChange], today: dt.date
) -> Regression:
    """Return a rule as an acceptance has it: what was accepted is allowed until its day.

    Of two entries for the same test and metric the later one counts. One that has expired, or
    accepts no more than the rule allows, changes nothing.

    Args:
        rule: of one metric of the test.
        nodeid: of the test.
        accepted: all entries.
        today: the day of the run.
    """
    entry = newest(accepted, nodeid=nodeid, metric=rule.metric)
    if entry is None or today > entry.until or not entry.up_to > rule.allow:
        return rule
    return Regression(
        metric=rule.metric,
        allow=entry.up_to,
        # What must be caught lies as far above as it did.
        catch=(1 + entry.up_to) * (1 + rule.catch) / (1 + rule.allow) - 1,
        origin=f"{entry.origin}, over {rule.origin}",
        accepted=Acceptance(
            up_to=entry.up_to,
            reason=entry.reason,
            by=entry.by,
            until=entry.until,
            allow=rule.allow,
            catch=rule.catch,
        ),
    )


def new_acceptances(
    accepted: Sequence[AcceptedChange], *, before: Sequence[AcceptedChange]
) -> tuple[AcceptedChange, ...]:
    """Return the entries that count beside a base that has some of them itself.

    Side by side the regression of an old entry is on both sides; counted again, the entry would
    let every later change get worse by as much. One that was written ahead of its change says that
    base has no such regression yet.
    """
    # Another day alone would accept the same once more.
    known = {(one.nodeid, one.metric, one.up_to, one.reason) for one in before}
    return tuple(
        one
        for one in accepted
        if one.ahead or (one.nodeid, one.metric, one.up_to, one.reason) not in known
    )


def newest(
    accepted: Sequence[AcceptedChange], *, nodeid: str, metric: str
) -> AcceptedChange | None:
    """Return the entry that counts for a test and metric; None where there is none."""
    found = [one for one in accepted if (one.nodeid, one.metric) == (nodeid, metric)]
    return found[-1] if found else None


def in_vain(
    accepted: Sequence[AcceptedChange],
    *,
    gates: Mapping[str, Gates],
    whole_suite: bool,
    today: dt.date,
) -> tuple[str, ...]:
    """Say which entries accept nothing, so that the file does not fill with them.

    Args:
        accepted: all entries.
        gates: what each test that measures is held to, by node id.
        whole_suite: whether all of them were collected.
        today: the day of the run.
    """
    found = []
    for one in accepted:
        if today > one.until:
            over = f"accepted until {one.until.isoformat()}, which is over"
            found.append(f"{one.origin}: {over}: remove it, or have it accepted anew")
        elif one.nodeid not in gates:
            if whole_suite:
                gone = f"no test {one.nodeid} measures"
                found.append(f"{one.origin}: {gone}: mend its name or remove it")
        elif all(rule.metric != one.metric for rule in gates[one.nodeid].regressions):
            found.append(f"{one.origin}: {one.metric} of {one.nodeid} is not gated: remove it")
    return tuple(found)
