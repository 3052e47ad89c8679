"""Whatever a configuration, a marker or a command line holds, only a ConfigError comes out."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.files import ConfigFile
from pytest_costguard.config.gates import MARKER_ARGUMENTS, MarkerSettings, gates_for, parse_marker
from pytest_costguard.config.options import OPTIONS
from pytest_costguard.config.tables import (
    TABLE_KEYS,
    CurrencyTable,
    RuleTable,
    parse_tables,
)
from pytest_costguard.config.targets import TargetTable
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import METRICS, Gates

NOWHERE = Path("no-such-folder")
NODE = "tests/test_a.py::test_b[x]"
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(
        [
            *("5%", "2%", "50ms", "$0.02", "€1", "1.5GiB", "3 J", "120/s", "99% of baseline"),
            *("off", "test", "tests/*", "main", "strict", "EUR", "aws:c7i.large:us-east-1", "["),
        ]
    )
)
METRIC_NAMES = st.sampled_from([*METRICS, "allow", "p98", "", 3])
REGRESSIONS = SCALARS | st.dictionaries(st.sampled_from(["allow", "catch", "x"]), SCALARS)
METRIC_TABLES = SCALARS | st.dictionaries(METRIC_NAMES, REGRESSIONS, max_size=4)
VALUES = st.recursive(
    METRIC_TABLES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SCALARS, inner, max_size=2),
    max_leaves=4,
)


def tables_of(shape: type) -> st.SearchStrategy[object]:
    keys = st.sampled_from([*shape.__struct_fields__, "x"])
    return st.dictionaries(keys, VALUES, max_size=5) | VALUES


FILES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("budget", "slo", "regression", "labels"), METRIC_TABLES),
        "rules": st.lists(tables_of(RuleTable), max_size=2) | VALUES,
        "targets": st.dictionaries(st.text(max_size=3), tables_of(TargetTable), max_size=2),
        "currency": tables_of(CurrencyTable),
    },
)


def test_the_fuzzed_file_has_every_table():
    strategy_keys = {"budget", "slo", "regression", "labels", "rules", "targets", "currency"}

    assert strategy_keys == set(TABLE_KEYS)


@settings(max_examples=100, deadline=None)
@given(table=FILES)
def test_the_tables_of_a_file_are_read_or_refused(table):
    with contextlib.suppress(ConfigError):
        parse_tables(ConfigFile(name="costguard.yaml", table=table))


@settings(max_examples=100, deadline=None)
@given(kwargs=st.dictionaries(st.sampled_from([*MARKER_ARGUMENTS, "x"]), VALUES, max_size=4))
def test_a_marker_is_read_or_refused(kwargs):
    plain = resolve(cli={}, environ={}, rootdir=NOWHERE)
    with contextlib.suppress(ConfigError):
        marker = parse_marker(kwargs, nodeid=NODE, location="tests/test_a.py:3")
        assert isinstance(gates_for(NODE, plain, marker), Gates)


@settings(max_examples=100, deadline=None)
@given(
    cli=st.dictionaries(st.sampled_from([option.key for option in OPTIONS]), VALUES, max_size=4),
    environ=st.dictionaries(
        st.sampled_from([option.variable for option in OPTIONS if option.variable]),
        st.text(max_size=8) | st.sampled_from(["5%", "2s", "p99=5ms", "strict", "1"]),
        max_size=3,
    ),
)
def test_the_command_line_and_environment_are_read_or_refused(cli, environ):
    with contextlib.suppress(ConfigError):
        found = resolve(cli=cli, environ=environ, rootdir=NOWHERE)
        assert isinstance(gates_for(NODE, found, MarkerSettings()), Gates)
