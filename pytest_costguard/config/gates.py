"""What one workload is held to: defaults, file, rules, marker and command line, in that order."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_costguard.config.limits import parse_gates, regression
from pytest_costguard.config.model import BudgetKind, DeclaredGates, Rule, Settings
from pytest_costguard.config.quantities import parse_threads
from pytest_costguard.config.traffic import DeclaredTraffic, declared_traffic
from pytest_costguard.config.words import optional, parse_text, require_known, require_table
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Gates, Regression, Traffic

DEFAULT_GATES = DeclaredGates(
    regressions={
        metric: Regression(metric=metric, allow=0.02, catch=0.05, origin="default")
        for metric in ("mean", "peak_memory")
    }
)
"""Mean latency and peak memory may surely get 2 % worse; 5 % must not be missed."""

MARKER_ARGUMENTS = ("slo", "budget", "regression", "threads", "labels", "traffic")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerSettings:
    """What the `costguard` markers of one test say."""

    gates: DeclaredGates = field(default_factory=DeclaredGates)
    threads: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """Where the number of threads is set, in words."""
    traffic: DeclaredTraffic | None = None
    own: frozenset[tuple[BudgetKind, str]] = frozenset()
    """The limits that the test itself has, and not its class or module."""

    def over(self, below: MarkerSettings) -> MarkerSettings:
        """Return this marker laid over one further from the test: what is said here wins."""
        closest = self if self.threads is not None else below
        return MarkerSettings(
            gates=self.gates.over(below.gates),
            threads=closest.threads,
            labels={**below.labels, **self.labels},
            origin=closest.origin,
            traffic=self.traffic or below.traffic,
            own=self.own | below.own,
        )


def parse_marker(
    kwargs: Mapping[str, object], *, nodeid: str, location: str = "", of_test: bool = True
) -> MarkerSettings:
    """Return what one `@pytest.mark.costguard(…)` says.

    Args:
        kwargs: The marker's keyword arguments.
        nodeid: The test it belongs to.
        location: Where the test stands, `tests/test_a.py:12`, or "".
        of_test: Whether it is at the test itself, and not at its class or module.

    Raises:
        ConfigError: an unknown argument or metric, or a value that does not fit.
    """
    origin = f"marker of {nodeid}" + (f" ({location})" if location else "")
    require_known(kwargs, MARKER_ARGUMENTS, origin=origin, at="")
    gates = parse_gates(
        budget=kwargs.get("budget"),
        slo=kwargs.get("slo"),
        regression=kwargs.get("regression"),
        origin=origin,
        path="",
    )
    return MarkerSettings(
        gates=gates,
        threads=optional(kwargs.get("threads"), parse_threads, origin=origin, key="threads"),
        labels=parse_labels(kwargs.get("labels"), origin=origin, key="labels"),
        origin=f"{origin} threads",
        traffic=declared_traffic(kwargs.get("traffic"), origin=origin, key="traffic"),
        own=frozenset(gates.limits) if of_test else frozenset(),
    )


def stack_markers(closest_first: Sequence[MarkerSettings]) -> MarkerSettings:
    """Return several markers of one test as one; of what two say, the closest to the test wins."""
    stacked = MarkerSettings()
    for marker in reversed(closest_first):
        stacked = marker.over(stacked)
    return stacked


def parse_labels(value: object, *, origin: str, key: str) -> dict[str, str]:
    """Return labels: names with texts, {} for None.

    Raises:
        ConfigError: not a table, or a label that is not a text.
    """
    if value is None:
        return {}
    labels: dict[str, str] = {}
    for name, text in require_table(value, origin=origin, key=key).items():
        known = parse_text(name, origin=origin, key=f"a name in {key}")
        labels[known] = parse_text(text, origin=origin, key=f"{key}.{known}")
    return labels


def labels_for(settings: Settings, marker: MarkerSettings) -> dict[str, str]:
    """Return a workload's labels: the file's, with the marker's over them."""
    return {**settings.labels, **marker.labels}


def gates_for(nodeid: str, settings: Settings, marker: MarkerSettings) -> Gates:
    """Return the budgets and regression rules of one test's workloads.

    For each metric the most specific place wins: command line and environment, marker, rules (see
    `matching_rules`), the file's own tables, defaults. `allow` and `catch` of the command line
    change how much is allowed of what is gated; they turn nothing on.

    Raises:
        ConfigError: a limit is in a currency without a rate, `catch` is not above `allow`, or the
            traffic's file cannot be read.
    """
    declared = settings.gates.over(DEFAULT_GATES)
    own = [limit for key, limit in marker.gates.limits.items() if key in marker.own]
    for rule in reversed(matching_rules(nodeid, settings, marker)):
        declared = rule.gates.over(declared)
        own += rule.gates.limits.values() if _is_exact(rule) else ()
    declared = settings.limits_of_this_run.over(marker.gates.over(declared))
    limits = [limit for limit in declared.limits.values() if limit is not None]
    rules = [rule for rule in declared.regressions.values() if rule is not None]
    return Gates(
        traffic=traffic_for(nodeid, settings, marker),
        budgets=tuple(limit.priced_in(settings.currency, own=limit in own) for limit in limits),
        regressions=tuple(
            adjusted(
                rule,
                allow=settings.allow,
                catch=settings.catch,
                said_by={key: settings.origins[key].text for key in ("allow", "catch")},
                allow_option="--costguard-allow",
            )
            for rule in rules
        ),
    )


def threads_for(nodeid: str, settings: Settings, marker: MarkerSettings) -> tuple[int, str]:
    """Return a test's number of threads, and where that is set, in words."""
    origin = settings.origins["threads"]
    if not origin.this_run:
        if marker.threads is not None:
            return marker.threads, marker.origin
        for rule in matching_rules(nodeid, settings, marker):
            if rule.threads is not None:
                return rule.threads, f"{rule.origin}.threads"
    return settings.threads, origin.text


def traffic_for(nodeid: str, settings: Settings, marker: MarkerSettings) -> Traffic | None:
    """Return how many inferences a test's workloads serve; None where nobody has said it.

    Raises:
        ConfigError: it is in a file that cannot be read.
    """
    if marker.traffic is not None:
        return marker.traffic.read(settings.rootdir)
    rules = matching_rules(nodeid, settings, marker)
    return next((rule.traffic for rule in rules if rule.traffic is not None), None)


def matching_rules(nodeid: str, settings: Settings, marker: MarkerSettings) -> tuple[Rule, ...]:
    """Return the rules that apply to a test, the most specific first.

    Pattern and labels before pattern alone before labels alone; an exact pattern before one with
    wildcards; a longer pattern and more labels before fewer; else the later in the file.
    """
    labels = labels_for(settings, marker)
    ranked = [
        (_specificity(rule), place)
        for place, rule in enumerate(settings.rules)
        if _applies(rule, nodeid=nodeid, labels=labels)
    ]
    return tuple(settings.rules[place] for _, place in sorted(ranked, reverse=True))


def unmatched_rules(
    tests: Iterable[tuple[str, MarkerSettings]], settings: Settings
) -> tuple[Rule, ...]:
    """Return the rules that apply to none of the tests, given as node id and marker."""
    matched = {
        rule.origin for nodeid, marker in tests for rule in matching_rules(nodeid, settings, marker)
    }
    return tuple(rule for rule in settings.rules if rule.origin not in matched)


def _applies(rule: Rule, *, nodeid: str, labels: Mapping[str, str]) -> bool:
    """Whether a rule's pattern and all of its labels fit. A `[` is that of a parameter's id."""
    pattern = rule.workload.replace("[", "[[]")
    fits = not rule.workload or fnmatch.fnmatchcase(nodeid, pattern)
    return fits and all(labels.get(name) == value for name, value in rule.labels.items())


def _is_exact(rule: Rule) -> bool:
    """Whether a rule names one test."""
    return bool(rule.workload) and not set("*?") & set(rule.workload)


def _specificity(rule: Rule) -> tuple[int, bool, int, int]:
    kind = 2 * bool(rule.workload) + bool(rule.labels)
    return kind, _is_exact(rule), len(rule.workload), len(rule.labels)


def adjusted(
    rule: Regression,
    *,
    allow: float | None,
    catch: float | None,
    said_by: Mapping[str, str],
    allow_option: str,
) -> Regression:
    """Return a rule with another `allow` and `catch`, for the metrics gated by default.

    Args:
        rule: as it was declared.
        allow: instead of the rule's; None keeps it.
        catch: instead of the rule's; None derives it from `allow`.
        said_by: who says `allow` and `catch`, by these names.
        allow_option: the option that sets `allow`, for the remedy.

    Raises:
        ConfigError: `catch` is not above `allow`.
    """
    if rule.metric not in DEFAULT_GATES.regressions or (allow is None and catch is None):
        return rule
    given = {"allow": allow, "catch": catch}
    try:
        return regression(
            rule.metric,
            allow=rule.allow if allow is None else allow,
            catch=catch,
            origin=" and ".join(
                said_by[name] for name, value in given.items() if value is not None
            ),
        )
    except ConfigError as error:
        if allow is not None:
            raise
        raise ConfigError(
            f"{error.message}; allow comes from {rule.origin}",
            remedy=f"give {allow_option} too",
        ) from error
