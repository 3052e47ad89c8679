"""Tokens side by side: the head asks a model that is slow with its first token."""

from __future__ import annotations

import pytest
from factories.git_repositories import GitProject, plugin_environ, report_of
from fakes.language_server import language_server

CONFIGURATION = """
[project]
name = "chat"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard.regression]
mean = "off"
peak_memory = "off"
"""
TESTS = """
import os
import pytest, chat

WIDE = {"allow": "30%", "catch": "100%"}

@pytest.mark.costguard(regression={"ttft_mean": WIDE, "output_tokens_per_second": WIDE})
def test_chat(costguard):
    costguard.measure(
        os.environ["CHAT_SERVER"] + "/v1/chat/completions", model=chat.MODEL,
        inputs=["Go on.", "And then?"], parameters={"max_tokens": 6},
    )
"""


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    project = GitProject(tmp_path_factory.mktemp("tokens") / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "chat.py": 'MODEL = "tiny"\n',
            "tests/test_chat.py": TESTS,
        }
    )
    project.git("checkout", "-q", "-b", "change")
    project.commit({"chat.py": 'MODEL = "slow"\n'})
    with language_server() as origin:
        code, output = project.measure(environ=plugin_environ(CHAT_SERVER=origin))
    assert code == 1, output
    (verdict,) = report_of(project.folder)["verdicts"]
    return {one["metric"]: one for one in verdict["comparisons"]}


def test_a_later_first_token_has_regressed(comparisons):
    found = comparisons["ttft_mean"]
    assert found["verdict"] == "regressed", found
    assert found["ratio"] > 2


def test_fewer_tokens_a_second_have_regressed(comparisons):
    found = comparisons["output_tokens_per_second"]
    assert found["verdict"] == "regressed", found
    assert found["ratio"] < 0.5
