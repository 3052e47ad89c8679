"""Commands that a project declares: words, never handed to a shell."""

from __future__ import annotations

import re
import shlex

from pytest_costguard.config.words import nearest, parse_text, refusal

Commands = tuple[tuple[str, ...], ...]
"""One after the other, each as its words."""

_AND = "&&"
_SHELLS_OWN = frozenset({"|", "||", ";", "&", ">", ">>", "<", "2>", "2>&1"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_SURELY_MEANT = 0.75
"""Likeness from which on a name in braces is taken for a misspelt placeholder."""


def parse_commands(
    value: object, *, origin: str, key: str, placeholders: tuple[str, ...]
) -> Commands:
    """Return the commands of a text such as `uv sync && uv pip list`, split as a shell would.

    Args:
        value: as it was written.
        origin: the place, for an error.
        key: the name there.
        placeholders: names that may stand in braces; other braces are left as they are, except in
            the name of a program.

    Raises:
        ConfigError: a quote is open, a command is empty, something would need a shell, or a
            placeholder is misspelt or unknown.
    """
    text = parse_text(value, origin=origin, key=key)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise refusal(
            value,
            f"cannot be split into words: {error}",
            origin=origin,
            key=key,
            remedy="close the quote, or write \\' for a quote that is meant",
        ) from error
    commands: list[list[str]] = [[]]
    for word in words:
        if word == _AND:
            commands.append([])
        else:
            commands[-1].append(word)
    for command in commands:
        _check(command, value, origin=origin, key=key, placeholders=placeholders)
    return tuple(map(tuple, commands))


def _check(
    command: list[str], value: object, *, origin: str, key: str, placeholders: tuple[str, ...]
) -> None:
    def refuse(problem: str, remedy: str) -> Exception:
        return refusal(value, problem, origin=origin, key=key, remedy=remedy)

    if not command:
        raise refuse("has an empty command", "write a command before and after each &&")
    for word in command:
        if word in _SHELLS_OWN:
            raise refuse(
                f"holds {word!r}, and no shell reads it",
                "join commands by && alone, or put them into a script and name that",
            )
        for name in _PLACEHOLDER.findall(word):
            meant = nearest(name, placeholders, cutoff=_SURELY_MEANT)
            if name not in placeholders and meant:
                raise refuse(f"holds {{{name}}}", f"did you mean {{{meant}}}?")
    for name in _PLACEHOLDER.findall(command[0]):
        if name not in placeholders:
            known = ", ".join(f"{{{known}}}" for known in placeholders)
            raise refuse(f"starts {{{name}}}, which stands for nothing", f"write one of {known}")
    if _ASSIGNMENT.match(command[0]):
        raise refuse(
            f"begins with the assignment {command[0]!r}, and no shell reads it",
            f"begin with env: env {command[0]} …",
        )
