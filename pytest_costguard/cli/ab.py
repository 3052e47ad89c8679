"""`costguard ab`: two of something side by side, to a wished precision."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_costguard.cli.endings import INTERRUPTED, ended_in_order
from pytest_costguard.cli.pytest_arguments import TakesPytestArguments, pytest_arguments

if TYPE_CHECKING:
    from pytest_costguard.app.experiment import Wish
    from pytest_costguard.app.experimenting import Asked
    from pytest_costguard.engine.coordinator import Progress
    from pytest_costguard.records import Experiment

_WIDEST = 100


@click.command(
    cls=TakesPytestArguments,
    short_help="Compare two of something side by side, to a wished precision.",
)
@click.argument("words", nargs=-1, metavar="[DIR_A DIR_B | TESTS]")
@click.option("--env", "--b-env", "b_env", multiple=True, metavar="NAME=VALUE", help="For B.")
@click.option("--a-env", multiple=True, metavar="NAME=VALUE", help="A variable for A alone.")
@click.option("--a-python", metavar="PYTHON", help="The interpreter of A.")
@click.option("--b-python", metavar="PYTHON", help="The interpreter of B.")
@click.option("--models", nargs=2, type=click.Path(path_type=Path), help="Two ONNX model files.")
@click.option("--inputs", type=click.Path(path_type=Path), help="For --models: an .npz file.")
@click.option("--each", is_flag=True, help="The first axis of its arrays counts requests.")
@click.option("--dim", multiple=True, metavar="NAME=N", help="A size for random inputs.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Items in a request of --models.")
@click.option("--scenario", help="For --models: single_stream, offline, concurrent(4) …")
@click.option("--threads", metavar="N", help="Threads that serve.")
@click.option("--precision", default="1%", show_default=True, help="Half of the interval.")
@click.option("--time", default="2min", show_default=True, help="At most, for each workload.")
@click.option("--metric", default="mean", show_default=True, help="What must be precise.")
@click.option("--price", metavar="USD_PER_HOUR", help="What an hour of this machine costs.")
@click.option("--target", metavar="NAME", help="The hardware that serves, for its price.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--save", type=click.Path(path_type=Path), help="Write that object to a file.")
@click.pass_context
def ab(context: click.Context, /, **given: Any) -> None:
    """Measure A and B side by side until their difference is known as precisely as is wished.

    The tests that measure (costguard.measure) in two folders, or in this one under two
    environments or interpreters; or two ONNX models, for which no test is needed. What stands
    after -- is pytest's. It goes on until half of the interval of the change is at most
    --precision, whatever the change is, and exits with 0 whatever the answer is.

    \b
    Examples:
      costguard ab ../service-main . -- tests/test_rerank.py -k int8
      costguard ab tests/test_rerank.py --a-env OMP_NUM_THREADS=1 --env OMP_NUM_THREADS=2
      costguard ab --a-python .venv-ort120/bin/python --b-python .venv-ort121/bin/python
      costguard ab --models model.onnx model.int8.onnx --inputs requests.npz --each
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from pytest_costguard.app.experimenting import experiment, save

    asked, wish = _asked(given, arguments=pytest_arguments(context)), _wish(given)
    line = _Line()
    with ended_in_order(), contextlib.closing(line):
        found = experiment(asked, wish, folder=Path.cwd(), progress=line, starting=line.announce)
    _show(found, as_json=given["as_json"])
    if given["save"] is not None:
        save(found, given["save"])
    context.exit(_exit_code(found))


def _asked(given: dict[str, Any], *, arguments: Sequence[str]) -> Asked:
    from pytest_costguard.app.experimenting import Asked, variables_of

    return Asked(
        words=given["words"],
        pytest_arguments=tuple(arguments),
        models=_models(given),
        a_variables=variables_of(given["a_env"], option="--a-env"),
        b_variables=variables_of(given["b_env"], option="--env"),
        a_python=given["a_python"],
        b_python=given["b_python"],
        given={key: given[key] for key in ("threads", "price", "target") if given[key] is not None},
    )


def _models(given: dict[str, Any]) -> Any:
    from pytest_costguard.app.experiment_models import ModelPair
    from pytest_costguard.app.experimenting import variables_of
    from pytest_costguard.config.quantities import parse_count
    from pytest_costguard.errors import ConfigError

    if not given["models"]:
        for name in ("inputs", "each", "dim", "batch_size", "scenario"):
            if given[name]:
                raise ConfigError(
                    f"--{name.replace('_', '-')} is for --models", remedy="tests have their own"
                )
        return None
    sizes = variables_of(given["dim"], option="--dim")
    return ModelPair(
        a=given["models"][0],
        b=given["models"][1],
        inputs=given["inputs"],
        each=given["each"],
        dims={
            name: parse_count(size, origin="command line", key=f"--dim {name}")
            for name, size in sizes.items()
        },
        batch_size=given["batch_size"],
        scenario=given["scenario"] or "single_stream",
    )


def _wish(given: dict[str, Any]) -> Wish:
    from pytest_costguard.app.experiment import Wish
    from pytest_costguard.config.quantities import parse_duration, parse_percent

    return Wish(
        precision=parse_percent(given["precision"], origin="command line", key="--precision"),
        seconds=parse_duration(given["time"], origin="command line", key="--time"),
        metric=given["metric"],
    )


def _show(found: Experiment, *, as_json: bool) -> None:
    from pytest_costguard.records import to_json
    from pytest_costguard.reports.experiment import render

    if as_json:
        click.echo(to_json(found).decode())
    else:
        width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
        click.echo(render(found, width=width), nl=False)


def _exit_code(found: Experiment) -> int:
    from pytest_costguard.errors import WorkloadError

    if not found.complete:
        return INTERRUPTED
    return WorkloadError.exit_code if found.failures or not found.workloads else 0


class _Line:
    """Progress on standard error: one line that is rewritten, or one a unit in a log."""

    def __init__(self) -> None:
        self._told = ("", -1)
        self._open = False

    def announce(self, tests: int) -> None:
        """Say what is about to be measured."""
        noun = "workload" if tests == 1 else "tests"
        click.echo(f"costguard: measuring {tests} {noun} on both sides", err=True)

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        from pytest_costguard.app.progress import in_words

        text = f"{in_words(progress)}: {progress.doing}"
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{text[:width]}", err=True, nl=False)
            self._open = True
        elif self._told != (progress.stage, progress.unit):
            click.echo(text, err=True)
        self._told = (progress.stage, progress.unit)

    def close(self) -> None:
        """Leave the line, so that what follows begins on its own."""
        if self._open:
            click.echo("\r\x1b[K", err=True, nl=False)
