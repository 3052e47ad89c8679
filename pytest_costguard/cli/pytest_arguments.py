"""Commands that run tests take pytest's own arguments after `--`."""

from __future__ import annotations

import click

_KEY = "pytest_costguard.pytest_arguments"


class TakesPytestArguments(click.Command):
    """Keeps what stands after `--` apart: it is pytest's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the arguments at the first `--`."""
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[_KEY] = tuple(args[place + 1 :])
        return super().parse_args(ctx, args[:place])


def pytest_arguments(context: click.Context) -> tuple[str, ...]:
    """Return what stood after `--` on the command line."""
    found: tuple[str, ...] = context.meta[_KEY]
    return found
