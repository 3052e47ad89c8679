"""A real repository for each test."""

from __future__ import annotations

import pytest
from factories.git_repositories import ENVIRON, GitProject

from pytest_costguard.revisions.repository import Repository


@pytest.fixture
def project(tmp_path):
    return GitProject(tmp_path / "project")


@pytest.fixture
def repository(project):
    project.commit({"model.py": "SPEED = 1\n"}, "first")
    return Repository(project.folder, environ=ENVIRON)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the trees go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder
