"""The workflows that `costguard init --github` writes: pinned, without rights, sound."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from factories.git_repositories import ENVIRON, GitProject

from pytest_costguard.app.workflows import ACTION_REVISION, KINDS, rendered
from pytest_costguard.cli.main import main
from pytest_costguard.config.acceptances import parse_acceptances
from pytest_costguard.config.files import parse_yaml

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted(path.name for path in (ROOT / "templates" / "workflows").iterdir())
BIN = Path(sys.executable).parent
_BLOCK = re.compile(r"^```ya?ml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_template_belongs_to_a_kind():
    assert sorted(name for files in KINDS.values() for name, _ in files) == TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_action_is_pinned_and_nothing_is_granted_to_all_jobs(name):
    content = yaml.safe_load(rendered(name))
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            if "uses" in step:
                assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_no_job_that_runs_the_projects_code_may_write():
    for name in TEMPLATES:
        content = yaml.safe_load(rendered(name))
        triggers = content[True]  # YAML 1.1 reads `on` as a truth value
        assert "pull_request_target" not in triggers
        for job in content["jobs"].values():
            if any("checkout" in step.get("uses", "") for step in job["steps"]):
                assert "write" not in job["permissions"].values()


def test_templates_use_the_action_as_it_is_in_this_projects_history():
    shallow = _git("rev-parse", "--is-shallow-repository")
    if shallow != "false":
        pytest.skip("this checkout has no history")
    for name in ("action.yml", "report/action.yml", "record/action.yml", "locked.txt"):
        assert _git("cat-file", "-t", f"{ACTION_REVISION}:action/{name}") == "blob"


def _git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def written_to(folder):
    """Lay all workflows, the actions and the documents' examples out as a repository has them."""
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for name in TEMPLATES:
        (workflows / name).write_text(rendered(name), encoding="utf-8")
    for path in (ROOT / "example_repo" / ".github" / "workflows").glob("*.yml"):
        (workflows / f"example-{path.name}").write_text(path.read_text(encoding="utf-8"), "utf-8")
    for place in ("action", "action/report", "action/record"):
        (folder / place).mkdir(exist_ok=True)
        text = (ROOT / place / "action.yml").read_text(encoding="utf-8")
        (folder / place / "action.yml").write_text(text, encoding="utf-8")
    for number, block in enumerate(_document_workflows()):
        (workflows / f"document-{number}.yml").write_text(block, encoding="utf-8")
    return folder


def _document_blocks():
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("example_repo/*.md")):
        yield from _BLOCK.findall(path.read_text(encoding="utf-8"))


def _document_workflows():
    return (block for block in _document_blocks() if "\njobs:" in block)


def test_every_block_of_yaml_in_the_documents_is_what_it_says(tmp_path):
    pipelines, acceptances = [], []
    for block in _document_blocks():
        content = yaml.safe_load(block)
        if "accepted" in content:
            acceptances.append(parse_acceptances(parse_yaml(block, path=tmp_path, name="a.yaml")))
        elif any(isinstance(one, dict) and "script" in one for one in content.values()):
            pipelines.append(tmp_path / f"{len(pipelines)}.gitlab-ci.yml")
            pipelines[-1].write_text(block, encoding="utf-8")
        else:
            assert "jobs" in content or parse_yaml(block, path=tmp_path, name="costguard.yaml")
    assert acceptances
    words = ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci")
    done = ran(*words, *map(str, pipelines), cwd=tmp_path)
    assert (done.returncode, len(pipelines)) == (0, 1), done.stdout + done.stderr


def ran(*command, cwd):
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env={**ENVIRON, "PATH": f"{BIN}:{ENVIRON['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_zizmor_finds_nothing_unexplained(tmp_path):
    done = ran(
        "zizmor", "--offline", "--format=json", "--no-progress", ".", cwd=written_to(tmp_path)
    )
    findings = [
        (one["ident"], one["locations"][0]["symbolic"]["key"])
        for one in json.loads(done.stdout)
        if not one["ignored"]
    ]
    assert findings == [], done.stderr


def test_actionlint_with_shellcheck_finds_nothing(tmp_path):
    written_to(tmp_path)
    known = tmp_path / "actionlint.yaml"
    known.write_text("self-hosted-runner: { labels: [gpu] }\n")  # the template's own machine
    files = [str(path) for path in (tmp_path / ".github" / "workflows").iterdir()]
    words = ("-config-file", str(known), "-shellcheck", str(BIN / "shellcheck"))
    done = ran("actionlint", *words, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("vendor.github-actions", "action/**/action.yml"),
    ],
)
def test_the_schemas_hold(tmp_path, schema, pattern):
    files = [str(path) for path in written_to(tmp_path).glob(pattern)]
    assert files
    done = ran("check-jsonschema", "--builtin-schema", schema, *files, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing_in_the_actions_scripts(tmp_path):
    scripts = [ROOT / "action" / "install.sh"]
    for path in sorted(ROOT.glob("action/**/action.yml")):
        steps = yaml.safe_load(path.read_text(encoding="utf-8"))["runs"]["steps"]
        for number, step in enumerate(step for step in steps if "run" in step):
            assert step["shell"] == "bash"
            scripts.append(tmp_path / f"{path.parent.name}-{number}.sh")
            known = "".join(f"{name}=; " for name in step.get("env", {}))
            scripts[-1].write_text(f"#!/usr/bin/env bash\n{known}\n{step['run']}\n", "utf-8")
    # Variables of a step come from outside.
    done = ran("shellcheck", "--exclude=SC2034,SC2154", *map(str, scripts), cwd=ROOT)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nothing_is_cached_and_every_pin_says_its_version():
    files = [*ROOT.glob("action/**/*.yml"), *ROOT.glob("templates/workflows/*.yml")]
    assert len(files) > 8
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "cache" not in text.lower(), path
        for line in re.findall(r"uses: (?!pytest-costguard/)(.*)", text):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[0-9.]+", line), line


def test_no_fork_reaches_a_machine_of_your_own():
    jobs = yaml.safe_load(rendered("self-hosted-gpu.yml"))["jobs"]
    own = [job for job in jobs.values() if "self-hosted" in job["runs-on"]]
    assert own
    for job in own:
        assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def init(*words):
    return CliRunner().invoke(main, ["init", *words], env=ENVIRON)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_written_to_the_top_of_the_checkout_and_nothing_is_overwritten(
    tmp_path, monkeypatch, kind
):
    project = GitProject(tmp_path)
    project.commit({"services/ranker/pyproject.toml": "", "README.md": ""})
    monkeypatch.chdir(tmp_path / "services" / "ranker")
    assert init("--github", kind).exit_code == 0
    names = [name for _, name in KINDS[kind]]
    folder = tmp_path / ".github" / "workflows"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    text = (folder / names[0]).read_text(encoding="utf-8")
    assert '-e "./services/ranker[test]"' in text
    assert "working-directory: services/ranker" in text
    (folder / names[0]).write_text("mine", encoding="utf-8")
    assert "kept" in init("--github", kind).output
    assert (folder / names[0]).read_text(encoding="utf-8") == "mine"


def test_without_a_kind_it_asks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    done = CliRunner().invoke(main, ["init", "--github"], input="nightly\n", env=ENVIRON)
    assert done.exit_code == 0, done.output
    assert (tmp_path / ".github" / "workflows" / "costguard-nightly.yml").is_file()


def test_a_kind_that_is_none_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    done = init("--github", "fork-save")
    assert done.exit_code == 11
    assert "fork-safe" in done.stderr


@pytest.mark.parametrize("folder", ["sub dir: x", 'a b"$(x)', "-x"])
def test_a_folder_that_a_workflow_would_read_as_its_own_is_refused(tmp_path, folder):
    project = GitProject(tmp_path / "checkout")
    project.commit({f"{folder}/pyproject.toml": ""})
    words = ["init", "--github", "pull-request", "--rootdir", str(project.folder / folder)]
    done = CliRunner().invoke(main, words, env=ENVIRON)
    assert done.exit_code == 11, done.output
    assert not (project.folder / ".github").exists()


def test_files_that_belong_together_are_not_mixed_with_those_of_another_kind(tmp_path):
    project = GitProject(tmp_path / "checkout")
    project.commit({"pyproject.toml": ""})
    words = ["init", "--rootdir", str(project.folder), "--github"]
    assert CliRunner().invoke(main, [*words, "pull-request"], env=ENVIRON).exit_code == 0
    mixed = CliRunner().invoke(main, [*words, "fork-safe"], env=ENVIRON)
    assert mixed.exit_code == 11
    assert "belong together" in mixed.stderr
    assert not (project.folder / ".github/workflows/costguard-comment.yml").exists()
    forced = CliRunner().invoke(main, [*words, "fork-safe", "--force"], env=ENVIRON)
    assert forced.output.count("wrote ") == 2
    assert "on the default branch alone" in forced.output
