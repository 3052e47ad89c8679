"""`costguard completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the script for completion in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands and options.

    \b
    bash, in ~/.bashrc:
      eval "$(costguard completion bash)"
    zsh, in ~/.zshrc, after compinit:
      eval "$(costguard completion zsh)"
    fish:
      costguard completion fish > ~/.config/fish/completions/costguard.fish
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    maker = get_completion_class(shell)
    assert maker is not None, shell
    root = context.find_root()
    script = maker(root.command, {}, "costguard", "_COSTGUARD_COMPLETE")
    click.echo(script.source_template % script.source_vars())
