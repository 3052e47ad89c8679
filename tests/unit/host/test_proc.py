from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.host.proc import (
    parse_core_list,
    parse_count,
    parse_fields,
    parse_kib,
    parse_schedstat,
    parse_stat_cpu_seconds,
    read_text,
    schedule_times,
    thread_ids,
)


def test_a_core_list_is_expanded():
    assert parse_core_list("0-2,8\n") == {0, 1, 2, 8}


def test_a_core_list_beyond_any_machine_is_not_expanded():
    assert parse_core_list("0-999999999") is None


def test_a_count_of_more_digits_than_a_counter_has_is_refused():
    assert parse_count("9" * 20) is None


def test_kib_are_bytes_times_1024():
    assert parse_kib("1752 kB") == 1_794_048


def test_cpu_seconds_are_found_behind_a_name_with_brackets_and_spaces():
    line = "42 (a) b (c) R 1 42 42 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 2 0"
    assert parse_stat_cpu_seconds(line) == 2.0


def test_schedule_times_are_those_of_all_threads(tree):
    root = tree(
        {
            "proc/self/task/7/schedstat": "1000 200 3\n",
            "proc/self/task/8/schedstat": "5000 700 9\n",
        }
    )
    times = schedule_times(root)
    assert times is not None
    assert {tid: (time.run_ns, time.wait_ns) for tid, time in times.items()} == {
        7: (1000, 200),
        8: (5000, 700),
    }


def test_schedule_times_of_a_kernel_that_keeps_none_are_not_known(tree):
    assert schedule_times(tree({"proc/self/task/7/schedstat": "0 0 0\n"})) is None


def test_a_machine_without_proc_lists_no_threads(tree):
    assert thread_ids(tree({})) == ()


def test_a_folder_in_place_of_a_file_is_not_readable(tree):
    assert read_text(tree({"proc/stat/file": ""}) / "proc/stat") is None


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str):
    count, cores = parse_count(text), parse_core_list(text)
    assert count is None or count >= 0
    assert cores is None or len(cores) > 0
    assert isinstance(parse_fields(text), dict)
    for parse in (parse_kib, parse_schedstat, parse_stat_cpu_seconds):
        parse(text)


@given(st.sets(st.integers(0, 500), min_size=1))
def test_every_core_list_reads_back(cores: set[int]):
    assert parse_core_list(",".join(map(str, sorted(cores)))) == cores
