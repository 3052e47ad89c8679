"""Experiments without tests: two callables or two models, served by a test that is written here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pytest_costguard.app.carrying import SIDE_VARIABLE, Carried, write
from pytest_costguard.app.experiment import Contrast
from pytest_costguard.app.variants import Variant, side_of
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.records import SIDES, SideName
from pytest_costguard.reports.templates import locate

_TEST = "test_ab.py"


@contextmanager
def contrast_of(
    carried: Mapping[SideName, Carried],
    *,
    labels: Mapping[SideName, str],
    threads: int,
    notes: tuple[str, ...] = (),
) -> Iterator[Contrast]:
    """Write a test that serves what each side has; it is removed in the end.

    The folder is made with permissions for its owner alone.

    Args:
        carried: what each side serves.
        labels: what a person calls the sides.
        threads: that serve it.
        notes: what a reader must know beforehand.

    Raises:
        ConfigError: something cannot be carried into a worker.
    """
    with tempfile.TemporaryDirectory(prefix="costguard-ab-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        test = folder / _TEST
        test.write_text(locate(f"ab/{_TEST}.j2").read_text(encoding="utf-8"), encoding="utf-8")
        settings = folder / "pytest.ini"  # so that no settings of folders above are found
        settings.write_text("[pytest]\n", encoding="utf-8")
        files = {name: folder / f"{name}.pickle" for name in SIDES}
        write({files[name]: carried[name] for name in SIDES})
        sides = {}
        for name in SIDES:
            variant = Variant(folder=Path.cwd(), variables={SIDE_VARIABLE: os.fspath(files[name])})
            side = side_of(name, variant, root=folder, invocation=Path.cwd())
            sides[name] = replace(side, inifile=settings)
        yield Contrast(
            sides=sides,
            labels=labels,
            tests=[CollectedTest(nodeid=f"{_TEST}::test_ab", path=test, threads=threads)],
            notes=notes,
        )
