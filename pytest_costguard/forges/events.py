"""What a job of the CI is about, read from what the CI says of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_costguard.errors import ConfigError

ForgeName = Literal["github", "gitlab"]
_ABOUT_A_PULL_REQUEST = "pull_request"
"""So begin the names of all events whose object is one: pull_request_target, and its reviews."""
_PULL_REQUEST_REF = re.compile(r"refs/pull/([1-9]\d{0,17})/", re.ASCII)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]*\w[\w.-]*", re.ASCII)
_EVENTS_OF_A_BRANCH = frozenset({"push", "schedule", "workflow_dispatch"})
"""After these a job runs the code of the branch that the CI names, and nobody else's."""
_MERGE_REQUEST_EVENTS = frozenset({"merge_request_event", "external_pull_request_event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeringRun:
    """A run of another workflow that has ended, as GitHub describes it to the job that follows.

    The names are the fork's own choice; that they belong to this run is GitHub's word.
    """

    run: int
    attempt: int
    event: str
    head_sha: str
    head_branch: str
    head_owner: str
    head_repository: str


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
    branch: str
    """The branch whose own code the job runs; "" for a pull request and a tag."""
    branch_protected: bool
    """Whether the CI says that not everybody may push to that branch."""
    default_branch: str
    """Of the repository; "" where the CI does not tell."""
    base_branch: str = ""
    """That a pull request is to be merged into."""
    base_sha: str = ""
    """Of a merge queue's group: the commit that it is to follow."""
    workflow: str = ""
    """The file of the workflow, without its folder; "" outside of GitHub."""
    triggered_by: TriggeringRun | None = None
    """The run that has ended, where that is what the job is about."""

    @property
    def of_a_change(self) -> bool:
        """Whether the code may be that of a change which nobody has merged yet."""
        if self.number is not None or self.triggered_by is not None:
            return True
        if self.forge == "gitlab":
            return self.event in _MERGE_REQUEST_EVENTS
        return self.event not in {*_EVENTS_OF_A_BRANCH, "release"}

    @property
    def run_url(self) -> str:
        """The page of this run, with its summary and files."""
        return self.page_of(self.run)

    def page_of(self, run: int) -> str:
        """Return the page of a run of this repository."""
        if self.forge == "gitlab":
            return f"{self.server}/{self.repository}/-/pipelines/{run}"
        return f"{self.server}/{self.repository}/actions/runs/{run}"


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
    about = name.startswith(_ABOUT_A_PULL_REQUEST)
    pull = _mapping(event.get("pull_request")) if about else {}
    head = _mapping(pull.get("head"))
    repository = _required(environ, "GITHUB_REPOSITORY")
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(
            f"environment: GITHUB_REPOSITORY={repository!r} is not owner/name",
            remedy="run this in a job of the CI, which sets it",
        )
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
        number=_pull_request(pull.get("number"), environ=environ) if about else None,
        head_sha=str(head.get("sha") or environ.get("GITHUB_SHA", "")),
        from_fork=bool(pull) and source != repository,
        branch=environ.get("GITHUB_REF_NAME", "")
        if name in _EVENTS_OF_A_BRANCH and environ.get("GITHUB_REF_TYPE") == "branch"
        else "",
        branch_protected=environ.get("GITHUB_REF_PROTECTED") == "true",
        default_branch=_default_branch(name, event, environ),
        base_sha=str(_mapping(event.get("merge_group")).get("base_sha") or ""),
        base_branch=environ.get("GITHUB_BASE_REF", ""),
        workflow=_workflow(environ.get("GITHUB_WORKFLOW_REF", "")),
        triggered_by=_triggering_run(event) if name == "workflow_run" else None,
    )


def _pull_request(told: object, *, environ: Mapping[str, str]) -> int:
    """Return the number of the pull request that a job is about.

    Raises:
        ConfigError: nothing tells it. To take the job for one about a branch would let the change
            write what judges it.
    """
    if type(told) is int and told > 0:
        return told
    if found := _PULL_REQUEST_REF.match(environ.get("GITHUB_REF", "")):
        return int(found[1])
    raise ConfigError(
        f"environment: the event {environ.get('GITHUB_EVENT_NAME')} names no pull request in the"
        f" file GITHUB_EVENT_PATH={environ.get('GITHUB_EVENT_PATH', '')!r}",
        remedy="run this in a job of the CI, which sets both; in a container, mount that file",
    )


def _default_branch(name: str, event: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return the repository's default branch: a schedule's event does not tell, and runs on it."""
    told = str(_mapping(event.get("repository")).get("default_branch") or "")
    return told or (environ.get("GITHUB_REF_NAME", "") if name == "schedule" else "")


def _workflow(reference: str) -> str:
    """Return the file of `owner/name/.github/workflows/file.yml@refs/heads/main`."""
    return reference.partition("@")[0].rpartition("/")[2]


def _triggering_run(event: Mapping[str, Any]) -> TriggeringRun:
    told = _mapping(event.get("workflow_run"))
    source = _mapping(told.get("head_repository"))
    run, attempt = told.get("id"), told.get("run_attempt", 1)
    if type(run) is not int or type(attempt) is not int:
        raise ConfigError(
            "the event names no run that has ended",
            remedy="run this in a workflow with `on: workflow_run`",
        )
    return TriggeringRun(
        run=run,
        attempt=attempt,
        event=str(told.get("event") or ""),
        head_sha=str(told.get("head_sha") or ""),
        head_branch=str(told.get("head_branch") or ""),
        head_owner=str(_mapping(source.get("owner")).get("login") or ""),
        head_repository=str(source.get("full_name") or ""),
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
        number=_whole(environ, "CI_MERGE_REQUEST_IID") if number else None,
        head_sha=environ.get("CI_COMMIT_SHA", ""),
        from_fork=bool(number) and bool(source) and source != target,
        branch="" if number else environ.get("CI_COMMIT_BRANCH", ""),
        branch_protected=environ.get("CI_COMMIT_REF_PROTECTED") == "true",
        default_branch=environ.get("CI_DEFAULT_BRANCH", ""),
        base_branch=environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
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
