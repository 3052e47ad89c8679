"""`costguard init`: the first configuration and the first test."""

from __future__ import annotations

from pathlib import Path

import click

_NEXT = "and the next pull request gets a verdict"
_FIRST_VERDICT = {
    "fork-safe": "and merge it: GitHub starts the second workflow on the default branch alone, so"
    " that the pull requests after this one get a comment",
    "nightly": "and merge it: the next night is measured",
}


@click.command(short_help="Write a first configuration and an example test.")
@click.option(
    "--force",
    is_flag=True,
    help="Write the example test, or the workflow, anew though it is there.",
)
@click.option(
    "--rootdir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The project; otherwise found from the working folder upwards.",
)
@click.option(
    "--github",
    is_flag=False,
    flag_value="ask",
    metavar="KIND",
    help="Write a workflow for GitHub Actions instead: pull-request, fork-safe, target-matrix,"
    " self-hosted-gpu or nightly; without a kind you are asked.",
)
def init(*, force: bool, rootdir: Path | None, github: str | None) -> None:
    """Write a starting configuration and an example test that runs as it is.

    The configuration becomes [tool.costguard] at the end of pyproject.toml, or costguard.yaml
    where there is no pyproject.toml. What is there already stays as it is, so that running this
    twice changes nothing.

    In a folder of a project they are written to the project's own folder, since pytest reads its
    configuration there; --rootdir . writes here all the same.

    With --github a workflow is written, to .github/workflows at the top of the checkout.
    """
    from pytest_costguard.app.baselines import project_root, root_marker
    from pytest_costguard.app.starting import EXAMPLE_TEST, start

    here = Path.cwd().resolve()
    root = (rootdir or project_root(here)).resolve()
    if rootdir is None and root != here:
        click.echo(
            f"the project is {click.format_filename(root)}: the nearest folder from here upwards"
            f" with a {root_marker(root)}\n(to write here instead: costguard init --rootdir .)"
        )
    if github is not None:
        _write_workflows(github, root=root, force=force)
        return
    done = start(root, force=force)
    for path in done.written:
        click.echo(f"wrote {click.format_filename(path)}")
    for reason in done.kept:
        click.echo(f"kept: {reason}")
    example = root / EXAMPLE_TEST in done.written
    what = "the example" if example else "what is there"
    click.echo(
        "\nWhat to do next:\n"
        + (f"  cd {click.format_filename(root)}\n" if root != here else "")
        + f"  pytest {EXAMPLE_TEST.as_posix()} --costguard   measure {what}\n"
        "  costguard baseline record --runs 8                record what later runs compare with\n"
        + (
            "Then put your own model in the example's place, and name what serves it in the\n"
            "configuration, so that latency becomes money."
            if example
            else "Name what serves the model in the configuration, so that latency becomes money."
        )
    )


def _write_workflows(kind: str, *, root: Path, force: bool) -> None:
    import os

    from pytest_costguard.app.workflows import KINDS, write_workflows
    from pytest_costguard.config.words import parse_choice

    if kind == "ask":
        kind = click.prompt("Which workflow", type=click.Choice(list(KINDS)))
    parse_choice(kind, KINDS, origin="command line", key="--github")
    done = write_workflows(kind, rootdir=root, environ=os.environ, force=force)
    for path in done.written:
        click.echo(f"wrote {click.format_filename(path)}")
    for path in done.kept:
        click.echo(f"kept: {click.format_filename(path)} is there already (--force writes it anew)")
    if done.written:
        click.echo(
            "\nLook through it: how the project is installed, the folder of its tests, the machine."
            f"\nThen commit it, {_FIRST_VERDICT.get(kind, _NEXT)} (docs/ci.md)."
        )
