"""The one table of options: file keys, pytest flags, environment variables and their documentation.

An idle plugin imports this module, so it imports nothing that pytest does not, and its classes are
written out: making one dataclass or named tuple takes as long as all the rest, at every start of
pytest. Values stay as they were written; `cascade.resolve` turns them into settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scope = Literal["file", "flag", "environment", "action"]
Kind = Literal[
    "switch", "count", "duration", "percent", "price", "text", "name", "words", "limit", "command"
]

_EVERYWHERE: frozenset[Scope] = frozenset({"file", "flag", "environment", "action"})
_THIS_RUN: frozenset[Scope] = frozenset({"flag", "environment", "action"})

FORMS: Mapping[Kind, str] = {
    "count": "a whole number above zero",
    "duration": "a number with its unit: ns, us, ms, s, min, h",
    "percent": "a number with %",
    "price": "US dollars an hour, or an amount with its currency",
    "name": "letters, digits, `.`, `_`, `-`",
    "words": "words with commas between, or a list",
    "limit": "METRIC=LIMIT, with commas between if there are several",
    "command": "a command, or several with && between; no shell reads it",
}
"""How a value is written, where its kind does not say it."""

FAIL_ON = (
    "regression",
    "budget",
    "inconclusive",
    "missing",
    "changed",
    "not-comparable",
    "not-priced",
)
"""What can fail a run; the values of `records.FailOn`, which a test holds them to."""


class Option:
    """One option: how it is named everywhere, what it takes, and what it means."""

    __slots__ = (
        "bare_value",
        "choices",
        "default",
        "help",
        "key",
        "kind",
        "metavar",
        "repeatable",
        "scopes",
    )

    def __init__(
        self,
        *,
        key: str,
        kind: Kind,
        help: str,  # noqa: A002 - argparse's own name for it
        default: str | None = None,
        metavar: str | None = None,
        choices: tuple[str, ...] = (),
        scopes: frozenset[Scope] = _EVERYWHERE,
        repeatable: bool = False,
        bare_value: str | None = None,
    ) -> None:
        """Describe an option.

        Args:
            key: its name in files; the flag and the variable are made of it.
            kind: what it takes.
            help: one sentence.
            default: as it would be written; None: not set.
            metavar: what stands for the value in the help.
            choices: the only values there are; empty: any of the kind.
            scopes: where it can be given.
            repeatable: whether the flag can be given several times.
            bare_value: what the flag means without a value; None: it needs one.
        """
        self.key = key
        self.kind = kind
        self.help = help
        self.default = default
        self.metavar = metavar
        self.choices = choices
        self.scopes = scopes
        self.repeatable = repeatable
        self.bare_value = bare_value

    @property
    def flag(self) -> str:
        """The pytest flag, `--costguard-unit-time`."""
        return "--costguard" if self.key == "measure" else f"--costguard-{self._dashed}"

    @property
    def dest(self) -> str:
        """The name to ask pytest's `config.getoption` for."""
        return "costguard" if self.key == "measure" else f"costguard_{self.key}"

    @property
    def variable(self) -> str | None:
        """The environment variable, `COSTGUARD_UNIT_TIME`, or None."""
        return f"COSTGUARD_{self.key.upper()}" if "environment" in self.scopes else None

    @property
    def _dashed(self) -> str:
        return self.key.replace("_", "-")


OPTIONS: tuple[Option, ...] = (
    Option(
        key="measure",
        kind="switch",
        default="false",
        scopes=frozenset({"flag"}),
        help="Measure what the tests declare, price it, and hold it to its budgets and baseline.",
    ),
    Option(
        key="units",
        kind="count",
        metavar="N",
        default="6",
        help="Fresh processes to measure each workload in; 1 is a quick look, whose budgets are "
        "estimates only.",
    ),
    Option(
        key="unit_time",
        kind="duration",
        metavar="DURATION",
        default="0.5s",
        help="Measured time for each workload and unit, at least; side by side each side gets "
        "half.",
    ),
    Option(
        key="timeout",
        kind="duration",
        metavar="DURATION",
        default="120s",
        help="Longest time for a single step of a worker (loading, one block of requests); beyond "
        "it the worker is stopped and the test fails.",
    ),
    Option(
        key="threads",
        kind="count",
        metavar="N",
        default="1",
        help="Threads that a workload runs with.",
    ),
    Option(
        key="baseline",
        kind="text",
        metavar="PATH|NAME|auto|none",
        default="auto",
        help="The stored numbers to compare with; auto is the baseline named main if there is one.",
    ),
    Option(
        key="store",
        kind="text",
        metavar="FOLDER|git:BRANCH|commit:REV|artifact:NAME|ADDRESS",
        default=".costguard",
        help="Where baselines are kept: a folder of the project; git:BRANCH, a branch of its own "
        "that is fetched and pushed; commit:REV, the folder .costguard as that commit has it "
        "(commit:auto: the base of the pull request; commit:REV:FOLDER: another folder), which is "
        "only read; artifact:NAME, the reports that the base branch's own runs have left on "
        "GitHub; or an address such as s3://bucket/path.",
    ),
    Option(
        key="against",
        kind="text",
        metavar="REV",
        scopes=_THIS_RUN,
        help="Measure that revision side by side with this checkout and compare the two: a commit, "
        "a branch, a tag, merge-base:BRANCH, or auto for the base of the pull request that the "
        "CI's environment names.",
    ),
    Option(
        key="escalate",
        kind="switch",
        default="false",
        help="With a stored baseline: measure each workload whose verdict is in doubt "
        "(inconclusive, regressed, not comparable) once more, side by side with the baseline's "
        "commit, and let that decide.",
    ),
    Option(
        key="time",
        kind="duration",
        metavar="DURATION",
        default="60s",
        help="Side by side: longest time for each workload, starts of its processes included, once "
        "its first six units are measured; what is undecided then is inconclusive. Where requests "
        "are so slow that 16 units take longer, they get up to three times the default.",
    ),
    Option(
        key="suite_time",
        kind="duration",
        metavar="DURATION",
        default="15min",
        help="Side by side: longest time for all workloads together.",
    ),
    Option(
        key="deep",
        kind="switch",
        default="false",
        help="Side by side: up to 48 pairs of processes for each workload, rather than 24, and "
        "twice the time.",
    ),
    Option(
        key="pairing",
        kind="text",
        metavar="auto|alternating|together|restart",
        choices=("auto", "alternating", "together", "restart"),
        default="auto",
        help="Side by side: how both sides are measured beside each other: in alternating blocks, "
        "together at the same time on one core by CPU time, or each alone in its turn; auto "
        "chooses for each workload and says why.",
    ),
    Option(
        key="clock",
        kind="text",
        metavar="auto|wall|cpu",
        choices=("auto", "wall", "cpu"),
        default="auto",
        help="Side by side: by which clock mean latency, throughput and cost are compared; auto "
        "takes CPU time where a request of one thread waits for nothing but a core, so that "
        "neighbours are not in it, and wall time elsewhere.",
    ),
    Option(
        key="share",
        kind="words",
        metavar="PATTERN",
        help="Side by side: files and folders that git ignores and both revisions need, such as "
        "model weights; they are linked into both work trees, or copied.",
    ),
    Option(
        key="base_python",
        kind="text",
        metavar="PATH",
        help="Side by side: the Python interpreter that the base's workers run in, in place of the "
        "one that runs pytest; a path, or a name to look for on PATH.",
    ),
    Option(
        key="base_environment",
        kind="command",
        metavar="COMMAND",
        help="Side by side: makes the base's environment from the base's own lock file, run in the "
        "base's root directory and kept until the command or those files change. {environment} is "
        "the folder to make, {tree} the base's tree, {python} the interpreter that runs pytest.",
    ),
    Option(
        key="build",
        kind="command",
        metavar="COMMAND",
        help="Side by side: run in each revision's root directory before measuring, for compiled "
        "extensions and generated files that git ignores. {tree} is that revision's tree, {python} "
        "its interpreter.",
    ),
    Option(
        key="save",
        kind="name",
        metavar="NAME",
        bare_value="main",
        scopes=_THIS_RUN,
        help="Store this run as a baseline of that name; main where the flag has no name.",
    ),
    Option(
        key="report",
        kind="text",
        metavar="DIR",
        help="Folder to write report.json and report.md into.",
    ),
    Option(
        key="fail_on",
        kind="words",
        metavar="SET",
        choices=(*FAIL_ON, "strict", "never"),
        default="regression,budget",
        help="What fails the run; strict is all of it, never is none.",
    ),
    Option(
        key="target",
        kind="text",
        metavar="NAME",
        help="The hardware that serves: a target declared in the configuration, or a key of the "
        "price table such as aws:c7i.large:us-east-1.",
    ),
    Option(
        key="price",
        kind="price",
        metavar="USD_PER_HOUR",
        help="What an hour of this very machine costs, in place of a target.",
    ),
    Option(
        key="prices",
        kind="text",
        metavar="CSV",
        help="A price file of your own, which wins over the bundled table.",
    ),
    Option(
        key="detect_target",
        kind="switch",
        default="false",
        help="Ask the cloud's metadata service which machine this is; without it nothing is asked "
        "over the network. A declared target wins over the answer.",
    ),
    Option(
        key="allow",
        kind="percent",
        metavar="PERCENT",
        scopes=_THIS_RUN,
        help="How much worse mean and peak_memory may surely get, where they are gated.",
    ),
    Option(
        key="catch",
        kind="percent",
        metavar="PERCENT",
        scopes=_THIS_RUN,
        help="The change in mean and peak_memory that must not be missed; 2.5 times --costguard-"
        "allow if only that is given.",
    ),
    Option(
        key="budget",
        kind="limit",
        metavar="METRIC=LIMIT",
        scopes=_THIS_RUN,
        repeatable=True,
        help="A budget for every workload, above what tests and files say.",
    ),
    Option(
        key="benchmarks",
        kind="switch",
        default="false",
        help="Guard the tests that use pytest-benchmark's fixture too.",
    ),
    Option(
        key="runner_spread",
        kind="percent",
        metavar="PERCENT",
        help="How much results differ from run to run on this runner, where that was measured; it "
        "stands in for baseline runs that are still missing.",
    ),
    Option(
        key="isolate",
        kind="text",
        metavar="test|suite",
        choices=("test", "suite"),
        default="test",
        help="Start one worker process for each test and unit, or one a unit for all tests; "
        "memory and cold start then come from three more starts for each workload.",
    ),
)

BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS}


class Flag:
    """One pytest flag: `group.addoption(flag.name, **flag.arguments)` declares it."""

    __slots__ = ("arguments", "dest", "key", "name")

    def __init__(self, option: Option) -> None:
        """Make the flag of an option."""
        self.key = option.key
        self.name = option.flag
        self.dest = option.dest
        self.arguments: Mapping[str, object] = _arguments(option)


def flags() -> tuple[Flag, ...]:
    """Return every pytest flag; one that is not given yields None."""
    return tuple(Flag(option) for option in OPTIONS if "flag" in option.scopes)


def _arguments(option: Option) -> dict[str, object]:
    """Return what argparse needs. Values stay texts: the cascade checks them with its own words."""
    default = f" Default: {option.default}." if option.default not in (None, "false") else ""
    arguments: dict[str, object] = {
        "dest": option.dest,
        "default": None,
        "help": (option.help + default).replace("%", "%%"),
    }
    if option.kind == "switch":
        return arguments | {"action": "store_const", "const": True}
    arguments["metavar"] = option.metavar
    if option.repeatable:
        arguments["action"] = "append"
    if option.bare_value is not None:
        arguments |= {"nargs": "?", "const": option.bare_value}
    return arguments
