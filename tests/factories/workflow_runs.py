"""A repository with a workflow, run by act on this machine: no container, no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factories.git_repositories import ENVIRON, GitProject
from fakes.forge_server import TOKEN

ROOT = Path(__file__).parents[2]
REPOSITORY = "acme/ranker"
OWN = "pytest-costguard/pytest-costguard"
_BIN = Path(sys.executable).parent
_STAND_INS = ROOT / "tests" / "fixtures" / "actions"
_USED = re.compile(r"(actions/(upload-artifact|setup-python)@[0-9a-f]{40})")


@dataclass(frozen=True)
class WorkflowRun:
    """How a run of act ended."""

    exit_code: int
    log: str
    uploads: Path

    def lines(self, job: str = "") -> list[str]:
        """Return what a job has printed, without act's own prefix."""
        found = (line.partition("| ") for line in self.log.splitlines())
        return [text for prefix, bar, text in found if bar and job in prefix]


class Workflows:
    """A project whose workflows are run as GitHub would.

    Args:
        folder: an empty one.
        api: the address of the fake that stands for GitHub's API.
    """

    def __init__(self, folder: Path, *, api: str) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.project = GitProject(self.folder)
        self._api = api
        self._home, self._uploads = folder / "home", folder / "uploads"
        for made in (self._home, self._uploads):
            made.mkdir()
        # act packs all of a repository, and this checkout has a virtual environment in it.
        self._action = folder / "action-repository"
        shutil.copytree(ROOT / "action", self._action / "action")

    def run(
        self, name: str, event: Mapping[str, Any], *, workflow: str, **environ: str
    ) -> WorkflowRun:
        """Run one workflow after an event.

        Args:
            name: of the event.
            event: what GitHub says of it.
            workflow: its file's name.
            environ: more variables of every job.
        """
        path = self._home / "event.json"
        path.write_text(json.dumps(event), encoding="utf-8")
        variables = {
            "GITHUB_API_URL": self._api,
            "GITHUB_SERVER_URL": "https://github.example.invalid",
            "UPLOADS": str(self._uploads),
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "pytest_costguard.plugin",
            **environ,
        }
        command = [
            *(str(_BIN / "act"), name, "--eventpath", str(path)),
            *("--workflows", f".github/workflows/{workflow}"),
            *("--platform", "ubuntu-24.04=-self-hosted", "--platform", "gpu=-self-hosted"),
            *("--no-cache-server", "--artifact-server-addr", "127.0.0.1"),
            *("--secret", f"GITHUB_TOKEN={TOKEN}", "--no-skip-checkout=false"),
            *("--local-repository", f"{OWN}@main={self._action}"),
        ]
        for reference, name in set(
            _USED.findall((ROOT / "action" / "action.yml").read_text("utf-8"))
        ):
            command += ["--local-repository", f"{reference}={_STAND_INS / name}"]
        for key, value in variables.items():
            command += ["--env", f"{key}={value}"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**ENVIRON, "HOME": str(self._home), "XDG_CACHE_HOME": str(self._home / "cache")},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return WorkflowRun(
            exit_code=done.returncode, log=done.stdout + done.stderr, uploads=self._uploads
        )


def pull_request(
    number: int = 7, *, repository: str = REPOSITORY, sha: str = "abc"
) -> dict[str, Any]:
    """Return what GitHub says of a pull request, of a fork where the repository is another."""
    return {
        "pull_request": {
            "number": number,
            "head": {"sha": sha, "ref": "change", "repo": {"full_name": repository}},
            "base": {"ref": "main", "repo": {"full_name": REPOSITORY}},
        },
        "repository": {
            "full_name": REPOSITORY,
            "name": "ranker",
            "owner": {"login": "acme"},
            "default_branch": "main",
        },
    }
