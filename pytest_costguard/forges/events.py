"""Which pull request a job is about, read from what the CI says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_costguard.errors import ConfigError

ForgeName = Literal["github", "gitlab"]
_PULL_REQUEST_EVENTS = frozenset({"pull_request", "pull_request_target", "pull_request_review"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job of the CI knows of itself; "" and None where it does not."""

    forge: ForgeName
    repository: str
    """`owner/name`, or GitLab's path of the project."""
    api: str
    server: str
    """Where people look at it in a browser."""
    run: int
    attempt: int
    event: str
    number: int | None
    """Of the pull or merge request; None where the job is about none."""
    head_sha: str
    from_fork: bool
    protected_branch: str
    """The branch that was pushed to, where that is what the job is about; "" else."""

    @property
    def run_url(self) -> str:
        """The page of this run, with its summary and files."""
        if self.forge == "gitlab":
            return f"{self.server}/{self.repository}/-/pipelines/{self.run}"
        return f"{self.server}/{self.repository}/actions/runs/{self.run}"


def job(environ: Mapping[str, str], event: Mapping[str, Any] | None = None) -> Job | None:
    """Return what the environment says; None outside of a CI that is known.

    Args:
        environ: the job's variables.
        event: the content of the file that GITHUB_EVENT_PATH names.

    Raises:
        ConfigError: a variable that the CI always sets is missing or no number.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ, event or {})
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    return None


def _github(environ: Mapping[str, str], event: Mapping[str, Any]) -> Job:
    name = environ.get("GITHUB_EVENT_NAME", "")
    pull = _mapping(event.get("pull_request")) if name in _PULL_REQUEST_EVENTS else {}
    head = _mapping(pull.get("head"))
    number = pull.get("number")
    repository = _required(environ, "GITHUB_REPOSITORY")
    # A fork that was deleted meanwhile has no repository any more, and is a fork all the same.
    source = _mapping(head.get("repo")).get("full_name")
    return Job(
        forge="github",
        repository=repository,
        api=environ.get("GITHUB_API_URL") or "https://api.github.com",
        server=(environ.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/"),
        run=_whole(environ, "GITHUB_RUN_ID"),
        attempt=_whole(environ, "GITHUB_RUN_ATTEMPT", default="1"),
        event=name,
        number=number if isinstance(number, int) and not isinstance(number, bool) else None,
        head_sha=str(head.get("sha") or environ.get("GITHUB_SHA", "")),
        from_fork=bool(pull) and source != repository,
        protected_branch=environ.get("GITHUB_REF_NAME", "")
        if name == "push" and environ.get("GITHUB_REF_TYPE") == "branch"
        else "",
    )


def _gitlab(environ: Mapping[str, str]) -> Job:
    number = environ.get("CI_MERGE_REQUEST_IID", "")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "")
    repository = _required(environ, "CI_PROJECT_PATH")
    target = environ.get("CI_MERGE_REQUEST_PROJECT_PATH") or repository
    return Job(
        forge="gitlab",
        repository=target if number else repository,
        api=_required(environ, "CI_API_V4_URL"),
        server=_required(environ, "CI_SERVER_URL").rstrip("/"),
        run=_whole(environ, "CI_PIPELINE_ID"),
        attempt=1,
        event=environ.get("CI_PIPELINE_SOURCE", ""),
        number=int(number) if number.isdecimal() else None,
        head_sha=environ.get("CI_COMMIT_SHA", ""),
        from_fork=bool(number) and bool(source) and source != target,
        protected_branch=environ.get("CI_COMMIT_BRANCH", "")
        if environ.get("CI_COMMIT_REF_PROTECTED") == "true"
        else "",
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise ConfigError(
            f"environment: {name} is not set, though the CI always sets it",
            remedy="run this in a job of the CI, or give what is missing on the command line",
        )
    return value


def _whole(environ: Mapping[str, str], name: str, *, default: str = "") -> int:
    text = environ.get(name, "") or default
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ConfigError(
            f"environment: {name}={text!r} is not a whole number",
            remedy="run this in a job of the CI, which sets it",
        )
    return int(text)
