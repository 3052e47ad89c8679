"""The examples of docs/environments.md are valid configurations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_costguard.config.cascade import resolve
from pytest_costguard.host.revision import LOCK_FILES
from pytest_costguard.revisions.dependencies import DEPENDENCY_FILES
from pytest_costguard.revisions.interpreters import NEEDED

PAGE = Path(__file__).parents[3].joinpath("docs", "environments.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[1][:30])
def test_the_toml_examples_are_valid(tmp_path, block):
    (tmp_path / "pyproject.toml").write_text(block, encoding="utf-8")

    settings = resolve(cli={}, environ={}, rootdir=tmp_path)

    assert settings.base_environment or settings.build or settings.share


def test_the_page_names_what_an_environment_is_made_of_and_needs():
    names = {name.replace("y*ml", "yml") for name in (*LOCK_FILES, *DEPENDENCY_FILES)}

    assert all(f"`{name}`" in PAGE for name in names)
    assert all(name in PAGE for name in NEEDED)
