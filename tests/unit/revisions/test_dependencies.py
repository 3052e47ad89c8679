"""Which files an environment is made from, and so which of them make it anew."""

from __future__ import annotations

import pytest

from pytest_costguard.host.revision import LOCK_FILES, files_digest
from pytest_costguard.revisions.dependencies import DEPENDENCY_FILES, dependency_files


@pytest.fixture
def tree(tmp_path):
    top = (tmp_path / "tree").resolve()
    files = {
        "uv.lock": "",
        "pyproject.toml": "",
        "service/requirements.txt": "-r more/base.in\n./lib[fast]  # ours\nnumpy==2 # no/such\n",
        "service/more/base.in": "-c../../limits.txt\n-e ../lib\nhttps://example.invalid/x.whl\n",
        "service/app.py": "",
        "service/lib/lib.py": "",
        "limits.txt": "",
        "ci/extra.txt": "",
        "other/requirements.txt": "",
    }
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (tmp_path / "outside.txt").write_text("")
    return top


def found(tree, command=""):
    files = dependency_files(
        tree / "service",
        top=tree,
        patterns=(*LOCK_FILES, *DEPENDENCY_FILES),
        commands=[command.split()],
    )
    return {path.relative_to(tree).as_posix() for path in files}


REQUIRED = {
    *("uv.lock", "pyproject.toml", "service/requirements.txt"),
    *("service/more/base.in", "limits.txt", "service/lib/lib.py"),
}


def test_lock_files_count_from_the_root_directory_up_and_what_they_include(tree):
    assert found(tree) == REQUIRED


@pytest.mark.parametrize("word", ["-r../ci/extra.txt", "--requirement=../ci/extra.txt"])
def test_a_file_that_the_command_names_counts(tree, word):
    assert found(tree, f"pip install {word}") == {*REQUIRED, "ci/extra.txt"}


def test_a_file_by_its_placeholder_counts(tree):
    assert found(tree, "pip install -r {tree}/ci/extra.txt") == {*REQUIRED, "ci/extra.txt"}


def test_the_project_itself_and_what_is_outside_does_not_count(tree):
    assert (
        found(tree, "pip install -e . .. {tree} ../../outside.txt /etc " + "x" * 5000) == REQUIRED
    )


def test_a_change_of_a_file_and_a_file_less_change_the_digest(tree):
    def digest():
        files = dependency_files(tree, top=tree, patterns=LOCK_FILES, commands=())
        return files_digest(tree, files)

    first = digest()
    (tree / "uv.lock").write_text("numpy 2")
    second = digest()
    (tree / "uv.lock").unlink()

    assert len({first, second, digest()}) == 3
    assert digest() is None
