"""`costguard ci`: what a job of the CI runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_costguard.cli.pytest_arguments import TakesPytestArguments, pytest_arguments
from pytest_costguard.config.ci_options import CI_OPTIONS, ci_flag
from pytest_costguard.config.options import Option

if TYPE_CHECKING:
    from pytest_costguard.app.ci import Measured, Plan
    from pytest_costguard.forges.events import Job

Command = TypeVar("Command", bound=Callable[..., Any])


def _options(command: Command) -> Command:
    """Declare the options of the table, each with its environment variable."""
    for option in reversed(CI_OPTIONS):
        command = _declared(option)(command)
    return command


def _declared(option: Option) -> Callable[[Command], Command]:
    flag = ci_flag(option)
    if option.kind == "switch":
        names = f"{flag}/--no-{flag.removeprefix('--')}"
        default = option.default == "true"
        return click.option(names, default=default, envvar=option.variable, help=option.help)
    kind = click.Choice(option.choices) if option.choices else None
    return click.option(
        flag,
        type=kind,
        metavar=option.metavar,
        default=option.default,
        envvar=option.variable,
        help=option.help,
    )


@click.command(
    cls=TakesPytestArguments,
    short_help="Measure in a job of the CI, and tell the CI.",
)
@_options
@click.option(
    "--gate/--no-gate",
    default=True,
    help="Whether the exit code is pytest's; without it, it is only the output exit-code.",
)
@click.option(
    "--record/--no-record",
    default=True,
    help="Whether a run that is to be recorded is added to the baseline now; without it, its name"
    " is only the output record-as.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be run, and run nothing.")
@click.pass_context
def ci(
    context: click.Context,
    *,
    mode: str,
    record_on: str | None,
    pytest_args: str | None,
    summary: bool,
    annotations: bool,
    gate: bool,
    record: bool,
    dry_run: bool,
) -> None:
    """Measure in a job of the CI, and tell the CI what came of it.

    In a pull request base and head are measured side by side; on the default branch the run is
    compared with the stored baseline and recorded in it. On GitHub there are a step summary,
    annotations at the tests, and outputs; the comment is `costguard comment`'s, which alone needs
    a token. What stands after -- goes to pytest.

    Every option has an environment variable, COSTGUARD_MODE for example; those of measuring
    (COSTGUARD_FAIL_ON, COSTGUARD_TARGET and so on) are pytest's.

    \b
    Examples:
      costguard ci
      costguard ci --mode stored -- tests/perf -k rerank
      costguard ci --dry-run
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    import os
    import shlex
    import sys
    from pathlib import Path

    from pytest_costguard.app.baselines import project_root
    from pytest_costguard.app.ci import command, measure, plan
    from pytest_costguard.app.jobs import current_job
    from pytest_costguard.config.words import parse_words

    job = current_job(os.environ)
    branches = parse_words(record_on or "", origin="command line", key="--record-on")
    chosen = plan(
        job,
        mode=mode,
        record_on=branches,
        environ=os.environ,
        rootdir=project_root(Path.cwd()),
    )
    arguments = (*_lines(pytest_args), *pytest_arguments(context))
    click.echo(f"costguard: {chosen.mode}, since {_told(chosen.because)}")
    if chosen.warning:
        click.echo(f"costguard: warning: {_told(chosen.warning)}")
    if dry_run or _debugging(os.environ):
        words = command(chosen, arguments=arguments, python=sys.executable)
        click.echo(shlex.join(words))
    if dry_run:
        return
    measured = measure(
        chosen,
        arguments=arguments,
        environ=os.environ,
        start=_Starting(job),
        python=sys.executable,
    )
    _tell(chosen, measured, job=job, with_summary=summary, with_annotations=annotations)
    if record and chosen.record_as is not None and measured.report is not None:
        _record(measured, chosen.record_as)
    context.exit(measured.exit_code if gate else 0)


def _record(measured: Measured, name: str) -> None:
    from pathlib import Path

    from pytest_costguard.app.baselines import import_file, project_root
    from pytest_costguard.app.stores import configured

    store = configured(None, rootdir=project_root(Path.cwd()))
    _, place = import_file(measured.folder / "report.json", name, store=store)
    click.echo(f"Recorded this run in baseline {name!r}: {place}")


def _tell(
    chosen: Plan,
    measured: Measured,
    *,
    job: Job | None,
    with_summary: bool,
    with_annotations: bool,
) -> None:
    import os
    import secrets

    from pytest_costguard.app.ci import annotation_commands, tell_github

    if job is None or job.forge != "github":
        return
    if with_annotations:
        for command in annotation_commands(measured):
            click.echo(command)
    tell_github(
        chosen,
        measured,
        environ=os.environ,
        with_summary=with_summary,
        secret=secrets.token_hex(16),
    )


class _Starting:
    """Runs a command in a part of the log that folds, and hands on what ends this process."""

    def __init__(self, job: Job | None) -> None:
        self._forge = None if job is None else job.forge

    def __call__(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        import secrets
        import sys
        import time

        from pytest_costguard.app.relaying import relayed, with_our_streams
        from pytest_costguard.forges.job_log import Group

        frame = Group(title="Measure", forge=self._forge, token=secrets.token_hex(16))
        click.echo(frame.opening(now=time.time()), nl=False)
        sys.stdout.flush()
        try:
            # On GitHub both streams are read apart: what is late must not come after the closing.
            run = relayed if self._forge == "github" else with_our_streams
            return run(command, environ)
        finally:
            sys.stdout.flush()
            click.echo(frame.closing(now=time.time()), nl=False)


def _lines(text: str | None) -> tuple[str, ...]:
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def _debugging(environ: Mapping[str, str]) -> bool:
    """Whether the CI was asked to say more."""
    return environ.get("RUNNER_DEBUG") == "1" or environ.get("CI_DEBUG_TRACE") == "true"


def _told(text: str) -> str:
    from pytest_costguard.reports.escaping import logged

    return logged(text)
