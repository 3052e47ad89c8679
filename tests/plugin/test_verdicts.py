"""Verdicts: they fail the test in its natural place, and say what, how much and why."""

from __future__ import annotations

SLEEPY = """
    import os, time
    import pytest
    def serve(x):
        time.sleep(float(os.environ.get("PACE", "0.005")))
        return x
    {marker}
    def test_it(costguard):
        costguard.measure(serve, inputs=[1, 2])
"""


def test_an_slo_that_is_surely_broken_fails_its_own_test(project):
    project.tests(SLEEPY.format(marker='@pytest.mark.costguard(slo={"mean": "50us"})'))
    result = project.measure("--costguard-units=4")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*50*"])
    assert "test_it.py" in result.stdout.str()
    assert "traceback entries" not in result.stdout.str()
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it - Failed: * ms mean*"])


def test_a_stream_of_ascii_gets_a_report_of_ascii(project, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("LC_ALL", "C")
    project.tests(SLEEPY.format(marker=""))
    shown = project.measure("--costguard-units=2").stdout
    assert "\\u2713" not in shown.str()
    shown.fnmatch_lines(["v passed: *", "*workload *", "* test_it *"])


def test_budgets_that_hold_pass(project):
    project.tests(
        SLEEPY.format(
            marker='@pytest.mark.costguard(slo={"mean": "10s"}, budget={"quality": None})'
        )
    )
    project.tests(SLEEPY.format(marker='@pytest.mark.costguard(slo={"mean": "10s"})'))
    result = project.measure()
    result.assert_outcomes(passed=1)
    assert result.ret == 0


def test_the_first_run_says_no_baseline_yet_and_the_next_one_compares(project, monkeypatch):
    project.tests(SLEEPY.format(marker=""))
    first = project.measure("--costguard-save")
    first.stdout.fnmatch_lines(["*No baseline yet*"])
    assert first.ret == 0
    monkeypatch.setenv("PACE", "0.1")
    second = project.measure()
    second.assert_outcomes(failed=1)
    assert second.ret == 1
    result = project.report["verdicts"][0]["comparisons"]
    assert {c["verdict"] for c in result if c["metric"] == "mean"} == {"regressed"}


def test_fail_on_never_shows_the_same_and_passes(project, monkeypatch):
    project.tests(SLEEPY.format(marker=""))
    project.measure("--costguard-save")
    monkeypatch.setenv("PACE", "0.1")
    result = project.measure("--costguard-fail-on=never")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*regressed*"])


def test_cost_is_priced_on_this_machine_when_told(project):
    project.tests("""
        def test_it(costguard):
            result = costguard.measure(abs, inputs=[1])
            if result.measured:
                assert 0 < result.cost_per_1k < 1
    """)
    project.measure("--costguard-price=0.10").assert_outcomes(passed=1)
    assert project.report["verdicts"][0]["cost"]["state"] == "priced"


def test_a_target_that_is_other_hardware_gives_no_money(project):
    project.tests("""
        def test_it(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    project.measure("--costguard-target=aws:g5.xlarge:us-east-1").assert_outcomes(passed=1)
    assert project.report["verdicts"][0]["cost"]["state"] == "not measured on target"


def test_a_missing_workload_can_fail_the_run_that_has_no_test_for_it(project):
    project.tests(SLEEPY.format(marker=""), name="test_one.py")
    project.tests(SLEEPY.format(marker=""), name="test_two.py")
    project.measure("--costguard-save")
    (project.path / "test_two.py").unlink()
    assert project.measure("--costguard-fail-on=budget").ret == 0
    assert project.measure("--costguard-fail-on=missing").ret == 1


def test_junit_carries_the_figures(project):
    project.tests(SLEEPY.format(marker=""))
    project.measure("--junitxml=junit.xml")
    assert "costguard" in (project.path / "junit.xml").read_text()


def test_two_failures_of_one_test_are_both_said_though_one_names_the_other(project):
    project.tests("""
        import time
        import pytest
        def serve(x):
            raise ValueError("broken")
        @pytest.mark.costguard(slo={"mean": "1ns"})
        @pytest.mark.parametrize("case", [1], ids=["it raised ValueError: broken"])
        def test_it(costguard, case):
            costguard.measure(time.sleep, inputs=[0.001], name="slow")
            try:
                costguard.measure(serve, inputs=[1], name="bad")
            except Exception:
                pass
    """)
    result = project.measure("--costguard-fail-on=strict", "--costguard-units=1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*[[]bad[]] was not measured: it raised ValueError: broken"])


RULES = """
    rules:
      - workload: "test_renamed.py::*"
        threads: 1
      - workload: "test_it.py::*"
        threads: 1
"""


def test_a_rule_that_matches_no_test_is_said_once_at_the_end(project):
    project.write("costguard.yaml", RULES)
    project.tests(SLEEPY.format(marker=""))
    result = project.measure()
    result.assert_outcomes(passed=1)
    warnings = [line for line in result.outlines if "matched no test" in line]
    assert len(warnings) == 1
    assert "rules[0]" in warnings[0]
    assert "test_renamed.py" in warnings[0]


def test_a_part_of_the_suite_says_nothing_of_the_rules_for_the_rest(project):
    project.write("costguard.yaml", RULES)
    project.tests(SLEEPY.format(marker=""))
    result = project.measure("test_it.py")
    assert "matched no test" not in result.stdout.str()
