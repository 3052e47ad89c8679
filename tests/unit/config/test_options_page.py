from __future__ import annotations

import re
from pathlib import Path

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.options import OPTIONS
from pytest_costguard.config.options_page import options_page
from pytest_costguard.records import METRICS

PAGE = Path(__file__).parents[3] / "docs" / "options.md"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", options_page(), re.DOTALL)
    assert found
    return found[1]


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == options_page()


def test_the_page_names_every_option_and_metric():
    page = options_page()

    assert all(option.flag in page and option.help in page for option in OPTIONS)
    assert all(f"| `{name}` |" in page for name in METRICS)


def test_the_toml_example_is_a_valid_configuration(tmp_path):
    (tmp_path / "pyproject.toml").write_text(block("toml"), encoding="utf-8")

    settings = resolve(cli={}, environ={}, rootdir=tmp_path)

    assert settings.targets["prod"].cores == 4


def test_the_yaml_example_is_a_valid_configuration(tmp_path):
    (tmp_path / "costguard.yaml").write_text(block("yaml"), encoding="utf-8")

    settings = resolve(cli={}, environ={}, rootdir=tmp_path)

    assert settings.rules[0].threads == 2
