"""The command `costguard`: finds its subcommands in a table, loads only the one that is used."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from pytest_costguard import __version__
from pytest_costguard.cli.endings import INTERRUPTED
from pytest_costguard.errors import CostguardError, StoreError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "init": "pytest_costguard.cli.init:init",
        "ab": "pytest_costguard.cli.ab:ab",
        "baseline": "pytest_costguard.cli.baseline:baseline",
        "compare": "pytest_costguard.cli.compare:compare",
        "report": "pytest_costguard.cli.report:report",
        "ci": "pytest_costguard.cli.ci:ci",
        "comment": "pytest_costguard.cli.comment:comment",
        "accept": "pytest_costguard.cli.accept:accept",
        "explain-cost": "pytest_costguard.cli.explain_cost:explain_cost",
        "plan": "pytest_costguard.cli.plan:plan",
        "export": "pytest_costguard.cli.export:export",
        "doctor": "pytest_costguard.cli.doctor:doctor",
        "schema": "pytest_costguard.cli.schema:schema",
        "completion": "pytest_costguard.cli.completion:completion",
    }
)
"""Name to `module:object`, in the order of `--help`."""

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


class LazyGroup(click.Group):
    """Loads a subcommand when it is asked for, and ends every error as its class says."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, none of them loaded."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one subcommand; None where there is none of that name."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, and a misspelt name is answered with the nearest one."""
        import difflib

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if near and "Did you mean" not in error.message:
                told = f"{error.message} Did you mean {near[0]!r}?"
                raise click.UsageError(told, ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; an error of ours is printed with its remedy, never as a traceback."""
        try:
            return super().invoke(ctx)
        except CostguardError as error:
            from pytest_costguard.reports.escaping import logged

            click.echo(f"error: {logged(str(error))}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.filename is not None or error.errno not in _UNWRITTEN:
                raise
            click.echo(f"error: the output could not be written: {error.strerror}", err=True)
            with suppress(OSError):  # what is left would be tried again at the end
                sys.stdout.close()
            ctx.exit(StoreError.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Measuring itself is pytest's: pytest --costguard. Exit codes: 0 all is well, 1 the"
    " gate fails, 2 the command line is not understood, 10 and above an error, explained.",
)
@click.version_option(__version__, "--version", prog_name="costguard")
def main() -> None:
    """Keep the inference of your models fast and cheap.

    \b
    First steps:
      costguard init                       a configuration and an example test
      pytest --costguard                   measure, price, hold to budgets
      costguard baseline record --runs 8   what later runs are compared with
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
