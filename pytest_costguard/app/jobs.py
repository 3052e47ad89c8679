"""The job of the CI that this process runs in, and the connection to its forge."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_costguard.errors import ConfigError
from pytest_costguard.forges import events
from pytest_costguard.forges.events import ForgeName, Job

if TYPE_CHECKING:
    from pytest_costguard.forges.port import Thread
    from pytest_costguard.forges.transport import Transport

OWN_TOKEN = "COSTGUARD_TOKEN"  # noqa: S105 - the name of a variable
_TOKENS: Mapping[ForgeName, tuple[str, ...]] = MappingProxyType(
    {"github": (OWN_TOKEN, "GITHUB_TOKEN"), "gitlab": (OWN_TOKEN, "GITLAB_TOKEN")}
)
TOKENS = tuple(dict.fromkeys(name for names in _TOKENS.values() for name in names))
"""The variables in which tokens are: tests have no business with them."""
_MOST_EVENT_BYTES = 64 << 20


def current_job(environ: Mapping[str, str]) -> Job | None:
    """Return the job that the environment describes; None outside of a CI that is known.

    Raises:
        ConfigError: a variable that the CI always sets is missing or no number.
    """
    return events.job(environ, _event(environ))


def required_job(environ: Mapping[str, str]) -> Job:
    """Return the job that the environment describes.

    Raises:
        ConfigError: it describes none.
    """
    found = current_job(environ)
    if found is None:
        raise ConfigError(
            "this is no job of GitHub Actions or GitLab CI",
            remedy="run this in one; `costguard comment --dry-run` shows a comment anywhere",
        )
    return found


def recorded_branches(job: Job, record_on: Sequence[str]) -> tuple[str, ...]:
    """Return the branches whose runs are recorded: those named, else the default branch."""
    return tuple(record_on) or ((job.default_branch,) if job.default_branch else ())


def unprotected(job: Job) -> str:
    """Return a warning where anybody may push to the branch that is recorded, else ""."""
    if job.branch_protected:
        return ""
    return f"the branch {job.branch} is not protected: whoever may push to it chooses the baseline"


def require_recordable(job: Job, record_on: Sequence[str]) -> None:
    """Raise `ConfigError` where what a job has measured would let a change choose its judge.

    Args:
        job: this one.
        record_on: branches whose runs are recorded; none: the repository's default branch.
    """
    if job.of_a_change:
        raise ConfigError(
            f"nothing is recorded in a job about a change ({job.event}): a change must not"
            " choose the baseline that judges it",
            remedy="record on a push to the branch that it is merged into",
        )
    branches = recorded_branches(job, record_on)
    if job.branch not in branches:
        told = ", ".join(branches) or "no branch, since the CI names no default one"
        raise ConfigError(
            f"nothing is recorded on {job.branch or job.event}: runs are recorded on {told}",
            remedy="name the branch (record-on), or record nothing there (mode=stored)",
        )


def connection(job: Job, environ: Mapping[str, str]) -> Transport:
    """Return the connection to the forge of a job, with the job's token.

    Raises:
        ConfigError: there is no token, or what speaks HTTP is not installed.
    """
    try:
        from pytest_costguard.forges import github, gitlab
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed, and comments need it",
            remedy="pip install 'pytest-costguard[ci]'",
        ) from error

    token = _token(job, environ)
    if job.forge == "gitlab":
        return gitlab.transport(token, api=job.api)
    return github.transport(token, api=job.api)


def thread(job: Job, number: int, *, transport: Transport) -> Thread:
    """Return the comments of a pull or merge request."""
    from pytest_costguard.forges import github, gitlab

    if job.forge == "gitlab":
        return gitlab.GitLabThread(transport, project=job.repository, number=number)
    return github.GitHubThread(transport, repository=job.repository, number=number)


def git_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that let git speak with the forge by our token; none without one.

    They replace what a checkout step may have left in the configuration: two headers are refused.
    They go into the environment of git alone: arguments and files are seen by others.
    """
    forge: ForgeName = "github" if environ.get("GITHUB_SERVER_URL") else "gitlab"
    server = environ.get("GITHUB_SERVER_URL") or environ.get("CI_SERVER_URL") or ""
    token = next((environ[name] for name in _TOKENS[forge] if environ.get(name)), "")
    if not token or not server.startswith("https://"):
        return {}
    user = "x-access-token" if forge == "github" else "oauth2"
    login = base64.b64encode(f"{user}:{token}".encode()).decode()
    key = f"http.{server.rstrip('/')}/.extraheader"
    count = environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() and len(count) < 6 else 0
    pairs = ((key, ""), (key, f"AUTHORIZATION: basic {login}"))
    credentials = {"GIT_CONFIG_COUNT": str(first + len(pairs))}
    for place, (name, value) in enumerate(pairs, first):
        credentials[f"GIT_CONFIG_KEY_{place}"] = name
        credentials[f"GIT_CONFIG_VALUE_{place}"] = value
    return credentials


def _token(job: Job, environ: Mapping[str, str]) -> str:
    names = _TOKENS[job.forge]
    name = next((name for name in names if environ.get(name, "").strip()), "")
    token = environ.get(name, "").strip()  # a secret that was pasted often ends with a new line
    if not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"environment: {name} holds characters that no token has",
            remedy="copy the token anew, without spaces or lines around it",
        )
    if not token:
        raise ConfigError(
            f"environment: there is no token in {' or '.join(names)}",
            remedy="on GitHub: env: GITHUB_TOKEN: ${{ github.token }}; on GitLab: a project access"
            " token with the scope api in a masked variable GITLAB_TOKEN",
        )
    return token


def _event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            event = json.loads(file.read(_MOST_EVENT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
