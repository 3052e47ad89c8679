from __future__ import annotations

from decimal import Decimal

import msgspec
from factories.judged import head, judged
from factories.judging import budget, gates, run
from factories.money import target
from factories.reports import (
    CLASSIFY,
    EMBED,
    RERANK,
    all_unchanged,
    baseline,
    failures,
    first_run,
    inconclusive,
    not_comparable,
    not_priced,
    regressed_and_over,
    unchanged,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import (
    FailOn,
    Gates,
    MonthlyChange,
    Report,
    Traffic,
    WorkloadId,
)
from pytest_costguard.reports import markdown, terminal
from pytest_costguard.reports.junit import properties
from pytest_costguard.reports.rows import labels_of
from pytest_costguard.reports.view import view_of


def test_a_reason_that_follows_itself_is_told_at_the_first() -> None:
    held = gates(budget("mean", 1.0), budget("throughput", 1.0, bound="at least"))

    text = terminal.render(judged(head(units=1), gates=held), width=200)

    first, _, rest = text.partition("one unit gives an estimate only")
    assert first.count("inconclusive: ") == 1
    assert "for the same reason" in rest
    assert "one unit gives" not in rest


def test_what_fails_comes_first_and_a_workloads_rows_stay_together() -> None:
    view = view_of(regressed_and_over())

    assert [row.mark.word for row in view.action] == ["regressed", "over budget", "improved"]
    assert [row.fails for row in view.action] == [True, True, False]


def test_an_inconclusive_row_fails_only_where_that_was_asked_for() -> None:
    lenient = inconclusive()
    strict = msgspec.structs.replace(lenient, fail_on=(FailOn.INCONCLUSIVE,))

    assert not view_of(lenient).action[0].fails
    assert view_of(strict).action[0].fails


def test_one_reason_for_all_metrics_is_one_row() -> None:
    rows = view_of(not_comparable()).action

    assert [row.metric for row in rows if row.workload == RERANK] == ["all metrics"]


def test_where_nothing_was_measured_nothing_has_passed() -> None:
    empty = msgspec.structs.replace(all_unchanged(), verdicts=())

    assert view_of(empty).status == "no verdict"
    assert terminal.render(empty).startswith("! no verdict: ")


def test_no_baseline_is_neither_zero_nor_a_change() -> None:
    view = view_of(first_run())

    assert view.baseline.state == "none yet"
    assert view.baseline.command == "pytest --costguard --costguard-save=main"
    assert {row.change for row in view.quiet} == {"–"}
    assert {line.change_of_mean for line in view.figures.lines} == {"–"}


def test_what_is_not_priced_has_no_cost_column_and_says_why() -> None:
    view = view_of(not_priced())

    assert "cost_per_1k" not in [column.metric for column in view.figures.columns]
    assert view.assumptions[0].value.startswith("not priced: no price is known for")


def test_where_workloads_take_different_shares_it_is_said_whose_they_are():
    one, two = (
        msgspec.structs.replace(found, workload=WorkloadId(nodeid=f"test_it.py::{name}"))
        for threads, name in ((1, "test_one"), (2, "test_two"))
        for found in head(threads=threads).measurements
    )
    report = judged(run(one, two), target=target(stands_for=True), pricer=cost_of)

    told = {fact.value for fact in view_of(report).assumptions if fact.label == "Share"}

    assert told == {
        "12.5 % of the machine: 8 workers fit: 8 cores ÷ 1 thread (test_one)",
        "25 % of the machine: 4 workers fit: 8 cores ÷ 2 threads (test_two)",
    }


def test_a_baseline_of_one_day_is_named_as_such() -> None:
    one_day = msgspec.structs.replace(all_unchanged(), baseline=baseline(days=1))

    assert terminal.render(one_day).count("from one day") == 1
    declared = msgspec.structs.replace(one_day, runner_spread=0.03)
    for known in (declared, all_unchanged()):
        assert not view_of(known).baseline.hints


def test_a_new_level_takes_the_place_of_the_old_one() -> None:
    assert view_of(regressed_and_over()).accept == (
        "costguard baseline record --runs 8 --name accepted",
        "costguard baseline promote accepted main",
    )
    assert view_of(all_unchanged()).accept == ()


def test_the_command_repeats_only_what_needs_action() -> None:
    (command,) = view_of(failures()).reproduce

    assert command == f"pytest --costguard --costguard-baseline=main '{RERANK}'"


def test_the_command_goes_to_the_folder_and_the_store_that_were_used() -> None:
    report = failures()
    assert report.baseline is not None
    elsewhere = msgspec.structs.replace(
        report,
        run=msgspec.structs.replace(report.run, root="services/re ranker"),
        baseline=msgspec.structs.replace(report.baseline, store="git:costguard-baselines"),
    )

    (command,) = view_of(elsewhere).reproduce

    assert command == (
        "cd 'services/re ranker' && pytest --costguard --costguard-baseline=main"
        f" --costguard-store=git:costguard-baselines '{RERANK}'"
    )


def test_labels_are_short_and_never_the_same() -> None:
    names = ["a/test_x.py::test_one", "b/test_x.py::test_one", "a/test_y.py::test_two", "alone"]
    labels = labels_of([WorkloadId(nodeid=name) for name in names])

    assert labels["a/test_y.py::test_two"] == "test_two"
    assert labels["a/test_x.py::test_one"] == "a/test_x.py::test_one"
    assert len(set(labels.values())) == len(names)


def test_a_warning_that_workloads_share_is_said_once() -> None:
    report = all_unchanged()
    warned = tuple(
        msgspec.structs.replace(verdict, warnings=("prices are 200 days old",))
        for verdict in report.verdicts
    )

    view = view_of(msgspec.structs.replace(report, verdicts=warned))

    assert view.warnings == ("prices are 200 days old (2 workloads)",)


def test_a_report_fits_the_terminal_at_every_width() -> None:
    for width in (60, 80, 120, 200):
        text = terminal.render(inconclusive(), width=width)
        assert max(map(len, text.splitlines())) <= width


def test_columns_without_room_are_named() -> None:
    assert "not shown for want of room: memory; -v" in terminal.render(inconclusive(), width=80)
    assert "want of room" not in terminal.render(inconclusive(), width=120)


def test_a_missing_price_does_not_hide_the_verdict() -> None:
    narrow, wide = (terminal.render(not_priced(), width=width) for width in (80, 120))

    assert "+0.3 ± 1.2  unchanged\n" in narrow
    assert "+0.3 ± 1.2  unchanged, not priced\n" in wide
    assert " ".join(narrow.split()).count("no price is known") == 1


def test_a_missing_price_that_fails_the_run_is_the_verdict() -> None:
    strict = msgspec.structs.replace(not_priced(), fail_on=(FailOn.NOT_PRICED,))

    assert "+0.3 ± 1.2  not priced\n" in terminal.render(strict, width=120)


def test_a_new_level_is_of_no_fewer_runs_than_know_their_spread() -> None:
    lone = msgspec.structs.replace(regressed_and_over(), baseline=baseline(runs=1))
    long = msgspec.structs.replace(regressed_and_over(), baseline=baseline(runs=12))

    assert "--runs 8 " in view_of(lone).accept[0]
    assert "--runs 12 " in view_of(long).accept[0]


def test_a_new_level_is_offered_only_where_the_baseline_objects() -> None:
    for build in (inconclusive, failures, not_priced):
        assert view_of(build()).accept == ()


def test_colour_says_nothing_that_plain_text_does_not() -> None:
    import re

    coloured = terminal.render(regressed_and_over(), colour=True)

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == (
        terminal.render(regressed_and_over()).split()
    )


def test_quiet_shows_the_headline_and_what_fails() -> None:
    lines = terminal.render(all_unchanged(), verbosity=-1).splitlines()

    assert lines == ["✓ passed: Nothing changed: 2 workloads compared with main, all budgets hold."]


def test_a_long_name_keeps_both_ends() -> None:
    assert terminal.shortened("tests/test_a.py::test_b[int8]", 15) == "test…st_b[int8]"


def test_names_that_would_be_shortened_alike_are_told_apart():
    names = [
        "test_reranker_with_small_batches_int8[onnx-8-threads]",
        "test_reranker_with_large_batches_int8[onnx-8-threads]",
        "test_embedder",
    ]

    shown = terminal.shortened_apart(names, 30)

    assert shown == [
        "…th_small…int8[onnx-8-threads]",
        "…th_large…int8[onnx-8-threads]",
        "test_embedder",
    ]


def test_of_several_names_each_is_told_apart_from_the_one_it_reads_like():
    names = [
        f"test_reranker_{which}_int8[onnx-8-threads]"
        for which in (
            "aaa_batches_x_small",
            "aaa_batches_x_large",
            "bbb_batches_x_small",
            "bbb_batches_x_large",
        )
    ]

    for some in (names[:3], names):
        shown = terminal.shortened_apart(some, 30)
        assert len(set(shown)) == len(some)
        assert all(len(name) <= 30 for name in shown)


def test_many_names_that_read_alike_are_numbered_within_the_room():
    names = [f"test_{'x' * 8 * number}_reranker" for number in range(20, 35)]

    shown = terminal.shortened_apart(names, 16)

    assert len(set(shown)) == len(names)
    assert all(len(name) <= 16 for name in shown)


# A name that begins with a dash is refused before it gets here.
NAMES = st.text(min_size=1, max_size=60).filter(lambda name: not name.startswith("-"))


@given(NAMES, st.text(max_size=60))
@example("a##[command]b", "##[warning]")
@settings(max_examples=40, deadline=None)
def test_no_name_steers_the_terminal_or_a_ci_log(name: str, reason: str) -> None:
    report = all_unchanged()
    verdict = msgspec.structs.replace(
        report.verdicts[0], workload=WorkloadId(nodeid=name), warnings=(f"::error::{reason}",)
    )

    text = terminal.render(msgspec.structs.replace(report, verdicts=(verdict,)), verbosity=1)

    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_thousand_workloads_make_a_comment_that_github_takes() -> None:
    many = tuple(
        unchanged(f"tests/test_{number}.py::test_case", mean=0.01, memory=1e8, p99=0.02)
        for number in range(1_000)
    )
    report = msgspec.structs.replace(all_unchanged(), verdicts=many)

    text = markdown.render(report)

    assert len(text.encode()) < 65_000
    assert "see report.json" in text
    assert text.count("<details>") == text.count("</details>")


def test_a_comment_that_is_too_long_says_that_it_was_cut() -> None:
    text = markdown.render(regressed_and_over(), limit=2_000)

    assert len(text.encode()) < 2_000
    assert text.rstrip().endswith("The whole of it is in report.json.")
    assert text.count("<details>") == text.count("</details>")


def test_junit_properties_are_plain_numbers_and_words() -> None:
    report: Report = regressed_and_over()
    named = dict(properties(report.verdicts[0]))

    assert named["costguard.mean"] == "0.0138300"
    assert named["costguard.mean.verdict"] == "regressed"
    assert named["costguard.cost_per_1k.budget"] == "over"
    assert named["costguard.cost"] == "priced"


def test_every_workload_has_a_line_of_figures() -> None:
    lines = view_of(regressed_and_over()).figures.lines

    assert [line.workload for line in lines] == [RERANK, CLASSIFY, EMBED]


def with_traffic(**origins: str) -> Report:
    """A report in which money a month is told, and these workloads serve a traffic."""
    made = regressed_and_over()
    monthly = MonthlyChange(usd=Decimal(310), lower=Decimal(250), upper=Decimal(370))
    outcome = msgspec.structs.replace(made.outcome, monthly=monthly)
    gates = {
        name: Gates(traffic=Traffic(items_per_month=1e6, text="1M/month", origin=origin))
        for name, origin in origins.items()
    }
    return msgspec.structs.replace(made, outcome=outcome, gates=gates)


def test_one_traffic_of_several_parametrised_tests_is_said_to_count_several_times() -> None:
    shared = with_traffic(a="marker of a.py::t[x] (a.py:3)", b="marker of a.py::t[y] (a.py:3)")
    (warning,) = [one for one in view_of(shared).warnings if "traffic" in one]
    assert warning.startswith("traffic 1M/month (marker of a.py::t (a.py:3)) counts in full for")
    assert "each of 2 workloads" in warning


def test_traffics_of_their_own_are_no_reason_to_warn() -> None:
    apart = with_traffic(a="marker of a.py::t (a.py:3)", b="marker of b.py::t (b.py:3)")
    assert not any("traffic" in one for one in view_of(apart).warnings)
