"""`costguard init`: the first configuration and the first test."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a first configuration and an example test.")
@click.option("--force", is_flag=True, help="Write the example test anew though it is there.")
@click.option(
    "--rootdir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The project; otherwise found from the working folder upwards.",
)
def init(*, force: bool, rootdir: Path | None) -> None:
    """Write a starting configuration and an example test that runs as it is.

    The configuration becomes [tool.costguard] at the end of pyproject.toml, or costguard.yaml
    where there is no pyproject.toml. What is there already stays as it is, so that running this
    twice changes nothing.

    In a folder of a project they are written to the project's own folder, since pytest reads its
    configuration there; --rootdir . writes here all the same.
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
