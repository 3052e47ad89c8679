"""The command line, run in this process: what it prints, writes and exits with."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result
from factories.judged import head, judged, series

from pytest_costguard.cli.main import COMMANDS, main
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import PriceError
from pytest_costguard.records import Against, Gates, Outcome, Regression, Report, to_json


def costguard(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def slower(tmp_path: Path) -> Path:
    """A stored report whose one workload is surely 30 % slower than its baseline."""
    rule = Regression(metric="mean", allow=0.02, catch=0.05, origin="default")
    run = head(0.0013)
    gates = {str(one.workload): Gates(regressions=(rule,)) for one in run.measurements}
    path = tmp_path / "report.json"
    path.write_bytes(to_json(judged(run, series(0.001), gates=gates, pricer=cost_of)))
    return path


def stored(path: Path) -> Report:
    return msgspec.json.decode(path.read_bytes(), type=Report)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = costguard(name, "--help")

    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_the_command_list_cuts_no_explanation_short() -> None:
    listed = costguard("--help").output.partition("Commands:")[2].partition("Measuring")[0]

    assert [line.split()[0] for line in listed.split("\n") if line.strip()] == list(COMMANDS)


def test_a_command_is_loaded_only_when_it_is_used() -> None:
    script = (
        "import sys; from pytest_costguard.cli.main import main;"
        "main(['--version'], standalone_mode=False);"
        "print([m for m in ('numpy', 'rich', 'jinja2', 'msgspec', 'yaml') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    result = costguard("repotr")

    assert result.exit_code == 2
    assert "'report'?" in result.stderr


def failing_with(error: BaseException) -> Result:
    @click.command
    def fails() -> None:
        raise error

    group = type(main)("costguard")
    group.get_command = lambda _ctx, _name: fails  # type: ignore[method-assign]
    return CliRunner().invoke(group, ["fails"])


def test_our_errors_show_message_and_remedy_and_exit_with_the_code_of_their_class() -> None:
    result = failing_with(PriceError("no such price", remedy="look in the table"))

    assert result.exit_code == 16
    assert result.stderr == "error: no such price\n  remedy: look in the table\n"


def test_output_that_cannot_be_written_is_no_verdict() -> None:
    result = failing_with(OSError(errno.ENOSPC, "No space left on device"))

    assert result.exit_code == 13
    assert "error: the output could not be written: No space left on device" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_behind_the_output_ends_without_a_traceback() -> None:
    script = "from pytest_costguard.cli.main import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script, "schema"], stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert done.returncode == 13
    assert done.stderr.splitlines() == [
        "error: the output could not be written: No space left on device"
    ]


def test_an_interrupt_exits_as_shells_expect() -> None:
    assert failing_with(KeyboardInterrupt()).exit_code == 130


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    result = costguard("completion", shell)

    assert result.exit_code == 0
    assert f"_COSTGUARD_COMPLETE={shell}_complete" in result.output


def test_a_report_is_made_again_and_fails_as_the_run_did(slower: Path) -> None:
    result = costguard("report", slower)

    assert result.exit_code == 1
    assert "regressed" in result.output
    assert result.stderr == ""


@pytest.mark.parametrize("words", [["report"], ["compare", "--allow=50%", "--catch=90%", "base"]])
def test_what_is_known_of_an_interrupted_run_is_no_pass(
    words: list[str], slower: Path, tmp_path: Path
) -> None:
    command, *more = words
    run = msgspec.structs.replace(head(0.001), complete=False)
    report = tmp_path / "interrupted.json"
    report.write_bytes(to_json(judged(run, series(0.001))))
    base = [slower if word == "base" else word for word in more]

    result = costguard(command, *base, report)

    assert result.exit_code == 130
    assert "interrupted" in result.output


def test_what_has_failed_before_the_interruption_counts(slower: Path) -> None:
    report = stored(slower)
    run = msgspec.structs.replace(report.run, complete=False)
    slower.write_bytes(to_json(msgspec.structs.replace(report, run=run)))

    assert costguard("report", slower).exit_code == 1


def test_an_edited_verdict_is_decided_again_and_named(slower: Path) -> None:
    report = stored(slower)
    edited = msgspec.structs.replace(
        report,
        outcome=Outcome(failed=False, sentence="All is well."),
        verdicts=tuple(
            msgspec.structs.replace(one, comparisons=(), failing=()) for one in report.verdicts
        ),
    )
    slower.write_bytes(to_json(edited))

    result = costguard("report", slower)

    assert result.exit_code == 1
    assert "stored as passed and is failed when decided again" in result.stderr
    assert "mean is stored as absent and is regressed" in result.stderr


def test_the_comment_is_written_to_a_file(slower: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "comment.md"

    result = costguard("report", slower, "--format", "markdown", "--output", output)

    assert (result.exit_code, result.output) == (1, "")
    assert "**regressed**" in output.read_text(encoding="utf-8")


def test_the_record_that_is_made_again_is_the_one_that_was_stored(slower: Path) -> None:
    result = costguard("report", slower, "--format", "json")

    assert msgspec.json.decode(result.output, type=Report) == stored(slower)


def test_a_missing_report_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    result = costguard("report", tmp_path / "none.json")

    assert result.exit_code == 13
    assert "remedy:" in result.stderr


@pytest.fixture
def base(slower: Path, tmp_path: Path) -> Path:
    """A folder of the eight baseline runs that the report was compared with."""
    folder = tmp_path / "base"
    folder.mkdir()
    known = stored(slower).baseline
    assert known is not None
    for run in known.runs:
        (folder / f"{run.run_id}.json").write_bytes(to_json(run))
    return folder


def test_compare_applies_the_stored_rule(slower: Path, base: Path) -> None:
    result = costguard("compare", base, slower)

    assert result.exit_code == 1, result.stderr
    assert "regressed" in result.output


def test_compare_takes_limits_from_the_command_line(slower: Path, base: Path) -> None:
    result = costguard("compare", base, slower, "--allow", "50%", "--catch", "60%")

    assert result.exit_code == 0, result.output
    assert "unchanged" in result.output


def test_compare_holds_a_plain_run_to_the_default_limits(
    slower: Path, base: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "run.json"
    plain.write_bytes(to_json(stored(slower).run))

    assert costguard("compare", base, plain).exit_code == 1
    assert costguard("compare", base, plain, "--fail-on", "never").exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fail-on", "regresion"], "did you mean 'regression'?"),
        (["--fail-on", "strict,budget"], "strict or never alone"),
        (["--allow", "5"], "%"),
        (["--allow", "5%", "--catch", "3%"], "not above allow"),
    ],
)
def test_compare_refuses_what_it_does_not_understand(
    slower: Path, base: Path, options: list[str], said: str
) -> None:
    result = costguard("compare", base, slower, *options)

    assert result.exit_code == 11
    assert said in result.stderr


def test_compare_says_why_a_baseline_run_cannot_be_the_head(slower: Path, base: Path) -> None:
    result = costguard("compare", slower, next(base.iterdir()))

    assert result.exit_code == 12
    assert "give it as BASE" in result.stderr


@pytest.mark.parametrize("as_head", [True, False])
def test_compare_takes_no_figures_of_a_run_side_by_side(
    slower: Path, base: Path, tmp_path: Path, as_head: bool
) -> None:
    found = stored(slower)
    against = Against(requested="v1", found_as="a tag", run=found.run, looks=(6,))
    beside = tmp_path / "beside.json"
    beside.write_bytes(to_json(msgspec.structs.replace(found, against=against)))

    result = costguard("compare", *((base, beside) if as_head else (beside, slower)))

    assert result.exit_code == 12
    assert "measured side by side with 'v1'" in result.stderr
    assert "without --costguard-against" in result.stderr


def test_what_did_not_change_passes(tmp_path: Path) -> None:
    same = tmp_path / "same.json"
    same.write_bytes(to_json(judged(head(0.001), series(0.001))))

    assert costguard("report", same).exit_code == 0
