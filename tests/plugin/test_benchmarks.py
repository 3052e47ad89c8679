"""Tests that use pytest-benchmark's fixture, guarded in the same run."""

from __future__ import annotations

PLUGIN = ("pytest_benchmark.plugin",)
TESTS = """
    def test_call(benchmark):
        assert benchmark(abs, -3) == 3
    def test_pedantic(benchmark):
        assert benchmark.pedantic(abs, args=(-3,), rounds=3, iterations=2) == 3
"""


def test_they_are_guarded_and_benchmarked_in_one_session(project):
    project.tests(TESTS)
    result = project.measure("--costguard-benchmarks", "--benchmark-json=b.json", plugins=PLUGIN)
    result.assert_outcomes(passed=2)
    assert project.measured() == {"test_it.py::test_call", "test_it.py::test_pedantic"}
    assert (project.path / "b.json").exists()


def test_without_the_option_they_are_left_alone(project):
    project.tests(TESTS)
    result = project.run("--costguard", plugins=PLUGIN)
    result.assert_outcomes(passed=2)


def test_a_setup_for_each_round_is_refused_clearly(project):
    project.tests("""
        def test_it(benchmark):
            benchmark.pedantic(list.sort, setup=lambda: (([2, 1],), {}), rounds=2)
    """)
    result = project.measure("--costguard-benchmarks", plugins=PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*setup=*"])


def test_benchmark_only_leaves_our_own_tests_unmeasured(project):
    project.tests(TESTS)
    project.tests(
        """
        def test_ours(costguard):
            costguard.measure(abs, inputs=[1])
    """,
        name="test_ours.py",
    )
    project.measure("--costguard-benchmarks", "--benchmark-only", plugins=PLUGIN).assert_outcomes(
        passed=2, skipped=1
    )
    assert len(project.measured()) == 2
