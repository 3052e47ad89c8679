"""The page `docs/options.md`, made from the table of options and the list of metrics.

`python -m pytest_costguard.config.options_page > docs/options.md` refreshes it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pytest_costguard.config.gates import DEFAULT_GATES, MARKER_ARGUMENTS
from pytest_costguard.config.options import FORMS, OPTIONS, Option
from pytest_costguard.records import METRICS, Metric

_INTRODUCTION = """\
# Options

This page is made by `python -m pytest_costguard.config.options_page`; a test fails when it is out
of date.

Each setting is looked for in four places, and the later wins: the default, the configuration file,
the environment, the command line. The file is either `[tool.costguard]` in `pyproject.toml` or
`costguard.yaml` beside it, not both. Paths in the file are relative to it. A blank environment
variable counts as not set. Nothing is measured unless `--costguard` is given. Under `costguard ci`
the environment is what the job says, and comes after the command line, on which `addopts` of the
project is too; only what stands after `--` wins over it.
"""

_FILE_TABLES = """\
## What only a file can hold

```toml
[tool.costguard]
units = 6
fail_on = ["regression", "budget"]
target = "prod"

[tool.costguard.labels]              # of every workload; markers add to them
team = "search"

[tool.costguard.slo]                 # for every workload that nothing more specific speaks of
p99 = "50ms"

[tool.costguard.budget]
cost_per_1k = "$0.02"
peak_memory = "1.5GiB"
quality = "99% of baseline"

[tool.costguard.regression]
mean = { allow = "2%", catch = "5%" }
p95 = "10%"                          # allow; catch is 2.5 times as much
peak_memory = "off"

[[tool.costguard.rules]]             # workload, labels or both; then what applies to them
workload = "tests/test_rerank.py::*" # over the whole node id; * and ? are wild, [ ] are not
labels = { environment = "prod" }    # all of them must be the same
budget = { cost_per_1k = "$0.01", monthly_cost = "$3000", replicas = 4 }
slo = { p99 = "30ms" }
regression = { mean = "1%" }
threads = 2
traffic = "3M/day"                   # inferences: what a change of cost means a month, and what
                                     # monthly_cost and replicas rest on; or "traffic.csv"

[tool.costguard.targets.prod]        # needs instance, usd_per_hour, or both
instance = "aws:c7i.xlarge:us-east-1"
usd_per_hour = "$0.15"               # your own price, in place of the table's
purchase_model = "on_demand"
discount = "10%"                     # taken off the price
cpu_model = "8488C"                  # a regular expression that the CPU's name must contain
cores = 4
gpu = "NVIDIA L4"
stands_for = false                   # true: this runner counts as the target, whatever it is
workers_per_instance = 4             # or instance_share = "25%"

[tool.costguard.currency]            # for limits and prices in another currency
code = "EUR"
per_usd = 0.92
as_of = 2026-11-01
```

In `costguard.yaml` the same keys stand at the top, without `tool.costguard`:

```yaml
units: 6
budget:
  cost_per_1k: $0.02
rules:
  - workload: tests/test_rerank.py::*
    threads: 2
```
"""

_PRECEDENCE = """\
## Which limit applies

For each metric on its own, the most specific place wins:

1. `--costguard-budget`, `--costguard-allow`, `--costguard-catch` and their environment variables;
2. the test's markers, the one closest to the test first;
3. rules with a workload pattern and labels;
4. rules with a pattern alone: an exact one before one with wildcards, a longer before a shorter;
5. rules with labels alone;
6. the file's own tables;
7. the defaults.

Of two rules that are equally specific, the later one wins. `"off"` (in Python also `None`) turns a
limit off. A change surely above `allow` fails; `unchanged` is claimed only for a change surely
below `catch`. A single percentage is `allow`, and `catch` is then 2.5 times as much. Where more is
better (throughput, highest rate), worse is by how much base was more than head: a quarter of base's
throughput is 300 % worse.
"""

_UNITS: Mapping[str, tuple[str, str]] = {
    "s": ("seconds", '`"50ms"`, `"1.5 s"`, `"200µs"`, `"2min"`'),
    "1/s": ("items per second", '`120`, `"120/s"`'),
    "req/s": ("requests per second", '`120`, `"120/s"`'),
    "tok/s": ("tokens per second", '`120`, `"120/s"`'),
    "%": ("share of all requests", '`"0.1%"`'),
    "B": ("bytes", '`"1.5GiB"`, `"512 MB"`'),
    "USD": ("US dollars", '`"$0.02"`, `"0.02 USD"`, `"€0.02"` with a declared rate'),
    "replicas": ("replicas, before rounding up", "`4`"),
    "J": ("joules", '`3.5`, `"3.5 J"`, `"350 mJ"`'),
    "": ("as the metric function returns it", '`0.92`, `"99% of baseline"`'),
}


def options_page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(
        (
            _INTRODUCTION,
            _option_table(),
            _FILE_TABLES,
            _marker_section(),
            _metric_table(),
            _PRECEDENCE.rstrip(),
            "",
        )
    )


def _option_table() -> str:
    rows = [_row(option) for option in OPTIONS]
    return (
        "\n".join(
            [
                "| Flag | In the file | Environment | Default | Meaning |",
                "|---|---|---|---|---|",
                *rows,
            ]
        )
        + "\n"
    )


def _row(option: Option) -> str:
    form = f" Takes {_form(option)}." if _form(option) else ""
    cells = (
        _code(_usage(option)),
        _code(option.key) if "file" in option.scopes else "",
        _code(option.variable) if option.variable else "",
        _code(option.default) if option.default else "",
        option.help + form,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _usage(option: Option) -> str:
    if option.kind == "switch":
        return option.flag
    if option.bare_value is not None:
        return f"{option.flag}[={option.metavar}]"
    return f"{option.flag}={option.metavar}"


def _form(option: Option) -> str:
    if not option.choices:
        return FORMS.get(option.kind, "")
    choices = ", ".join(_code(choice) for choice in option.choices)
    return f"{FORMS[option.kind]}: {choices}" if option.kind == "words" else f"one of {choices}"


def _code(text: str) -> str:
    return f"`{text}`"


def _marker_section() -> str:
    known = ", ".join(_code(name) for name in MARKER_ARGUMENTS)
    return f"""\
## The marker

`@pytest.mark.costguard(…)` takes {known}.
A test has the markers of its class and module too; of what two of them say, the closest wins.

```python
@pytest.mark.costguard(
    slo={{"p99": "50ms"}},
    budget={{"cost_per_1k": "$0.02", "peak_memory": "1.5GiB"}},
    regression={{"mean": {{"allow": "2%", "catch": "5%"}}, "p95": "10%"}},
    threads=1,
    labels={{"team": "search"}},
    traffic="3M/day",
)
```

`slo` limits the test's own figures. The limits of a search for the highest rate, and those that
define goodput, are another `slo=`, that of `measure` ([load.md](load.md#what-is-sent-and-when)).

`traffic` is how many inferences the workload serves in production (`"120/s"`, `"2.5k/min"`,
`"3M/day"`, `"90M/month"`), how that swings (`"peak=120/s,average=30/s"`), or a file that says it
(`"traffic.csv"`, the JSON of a Prometheus `query_range`), whose path begins at the root directory
([capacity.md](capacity.md)). With a price, a sure change of cost is told as money a month, and
budgets on `monthly_cost` and `replicas` can be held. A month has 730 hours.
"""


def _metric_table() -> str:
    rows = [_metric_row(metric) for metric in METRICS.values()]
    return "\n".join(
        [
            "## Metrics",
            "",
            "Budgets and SLOs name them; a regression rule can name any but costs, which follow",
            "what they rest on through the price, and `error_rate`. Those of tokens are defined",
            "in [llm.md](llm.md). Of a search for the",
            "highest rate, `max_rate` is compared by default instead of the mean: allow 5 %,",
            "catch 10 %. Budgets alone can name `monthly_cost` and `replicas`: what the peak of",
            "the declared traffic needs, by the arithmetic of",
            "[`costguard plan`](capacity.md#as-a-budget).",
            "",
            "| Metric | Means | Unit | A limit is | Written as | Regression by default |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _metric_row(metric: Metric) -> str:
    unit, forms = _UNITS[metric.unit]
    bound = "at most" if metric.better == "lower" else "at least"
    rule = DEFAULT_GATES.regressions.get(metric.name)
    gate = f"allow {rule.allow:.0%}, catch {rule.catch:.0%}" if rule else ""
    cells = (_code(metric.name), metric.title, unit, bound, forms, gate)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(options_page())
