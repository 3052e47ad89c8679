"""Both trees: what is in them, that the checkout is not touched, and that nothing is left."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

import pytest
from factories.git_repositories import ENVIRON, GitProject

from pytest_costguard.errors import RevisionError, StoreError
from pytest_costguard.revisions.naming import Revision
from pytest_costguard.revisions.repository import CommandFailed, Repository
from pytest_costguard.revisions.snapshots import snapshots

pytestmark = pytest.mark.usefixtures("temporary")


def base_of(project, name="HEAD"):
    return Revision(sha=project.git("rev-parse", name), asked=name, found_as=name)


def state(project):
    """Everything of the checkout that must not move, its index and git's own notes included."""
    files = {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and "objects" not in path.parts and not path.is_symlink()
    }
    return files, project.git("stash", "list"), project.git("worktree", "list")


def test_base_is_its_commit_and_head_has_what_is_not_committed(project, repository):
    project.commit({"kept.py": "k", "gone.py": "g", "run.sh": "x", "folder": "a file"})
    (project.folder / "run.sh").chmod(0o755)
    base = base_of(project)
    project.put({"model.py": "SPEED = 2\n", "new/deep.py": "n", ".gitignore": "*.bin\n"})
    project.put({"weights.bin": "ignored", "naïve name.py": "é"})
    (project.folder / "gone.py").unlink()
    (project.folder / "folder").unlink()
    project.put({"folder/inside.py": "i"})
    (project.folder / "link.py").symlink_to("model.py")

    with snapshots(repository, base=base) as taken:
        old, new = taken.base.tree, taken.head.tree
        assert (old / "model.py").read_text() == "SPEED = 1\n"
        assert (old / "gone.py").exists()
        assert not (old / "new").exists()
        assert (new / "model.py").read_text() == "SPEED = 2\n"
        assert not (new / "gone.py").exists()
        assert (new / "folder/inside.py").read_text() == "i"
        assert (new / "new/deep.py").read_text() == "n"
        assert (new / "naïve name.py").exists()
        assert str((new / "link.py").readlink()) == "model.py"
        assert os.access(new / "run.sh", os.X_OK)
        assert not (new / "weights.bin").exists()
        assert (taken.base.dirty, taken.head.dirty) == (False, True)
        assert len(str(old)) == len(str(new))


def test_the_changed_files_are_those_between_base_and_the_checkout(project, repository):
    base = base_of(project)
    project.commit({"committed.py": "c", "same.py": "s"})
    project.put({"model.py": "SPEED = 3\n", "untracked.py": "u"})

    with snapshots(repository, base=base) as taken:
        assert taken.changed == {"committed.py", "same.py", "model.py", "untracked.py"}


def test_the_checkout_is_not_touched_and_no_hook_runs(project, repository, tmp_path):
    base = base_of(project)
    project.put({"model.py": "SPEED = 2\n", "staged.py": "s"})
    project.git("add", "staged.py")
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        path = project.folder / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch '{tmp_path}/hook-ran'\n")
        path.chmod(0o755)
    before = state(project)

    with snapshots(repository, base=base):
        pass

    assert not (tmp_path / "hook-ran").exists()
    assert state(project) == before


def test_a_branch_that_is_checked_out_can_be_the_base(project, repository):
    with snapshots(repository, base=base_of(project, "main")) as taken:
        assert taken.base.sha == taken.head.sha


def test_nothing_is_left_after_an_error(project, repository, temporary):
    with pytest.raises(KeyboardInterrupt), snapshots(repository, base=base_of(project)):
        raise KeyboardInterrupt

    assert list(temporary.iterdir()) == []
    assert project.git("worktree", "list").count("\n") == 0


def killed_run(project, temporary):
    """Leave what a run leaves that takes its own life inside the context, as SIGKILL would."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pytest_costguard.revisions.naming import Revision\n"
        "from pytest_costguard.revisions.repository import Repository\n"
        "from pytest_costguard.revisions.snapshots import snapshots\n"
        "repository = Repository(Path(sys.argv[1]), environ=os.environ)\n"
        "base = Revision(sha='HEAD', asked='HEAD', found_as='HEAD')\n"
        "with snapshots(repository, base=base):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environ = {**ENVIRON, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", script, str(project.folder)], env=environ, check=False)
    (left,) = temporary.iterdir()
    return left


@pytest.mark.parametrize(
    "words",
    ["unable to write file blob", "unable to create file d/6: No space left on device"],
    ids=["a large file", "no inodes"],
)
def test_a_full_disk_is_named_with_its_remedy(project, repository, temporary, monkeypatch, words):
    ask = repository.ask

    def full(*asked):
        if asked[:2] == ("worktree", "add"):
            reset = "fatal: Could not reset index file to revision 'HEAD'."
            raise CommandFailed(f"error: {words}\n{reset}")
        return ask(*asked)

    monkeypatch.setattr(repository, "ask", full)
    with (
        pytest.raises(StoreError, match="could not be written in") as caught,
        snapshots(repository, base=base_of(project)),
    ):
        pass

    assert f"{temporary}, which has " in caught.value.message
    assert words in caught.value.message
    assert "TMPDIR" in caught.value.remedy


def test_what_a_killed_run_left_is_cleared_by_the_next(project, repository, temporary):
    left = killed_run(project, temporary)

    with snapshots(repository, base=base_of(project)):
        assert not left.exists()

    assert list(temporary.iterdir()) == []
    assert project.git("worktree", "list").count("\n") == 0


@pytest.mark.parametrize("gone", ["base", "head"])
def test_what_git_noted_of_a_tree_that_is_gone_is_cleared_too(project, repository, temporary, gone):
    left = killed_run(project, temporary)
    shutil.rmtree(left / gone)

    with snapshots(repository, base=base_of(project)):
        assert not left.exists()

    assert project.git("worktree", "list").count("\n") == 0


def test_a_tree_that_is_not_in_this_file_system_keeps_its_note(project, repository, temporary):
    # It may be that of a run in a container that shares the repository and no temporary folder.
    left = killed_run(project, temporary)
    elsewhere = left.rename(temporary.parent / "elsewhere")

    with snapshots(repository, base=base_of(project)):
        pass

    assert project.git("worktree", "list").count("\n") == 2
    assert (elsewhere / "base/model.py").exists()


def test_a_tree_that_a_user_has_locked_stays(project, repository, temporary):
    left = killed_run(project, temporary)
    project.git("worktree", "lock", "--reason", "I look into it", str(left / "head"))

    with snapshots(repository, base=base_of(project)):
        assert (left / "head/model.py").exists()
        assert not (left / "base").exists()


def test_a_tree_that_git_was_killed_in_the_midst_of_is_cleared(project, repository, temporary):
    left = killed_run(project, temporary)
    project.git("worktree", "lock", "--reason", "initializing", str(left / "head"))

    with snapshots(repository, base=base_of(project)):
        assert not left.exists()


def half_noted(project, name):
    """Leave the note of a work tree as git leaves it that is killed while it writes it."""
    note = project.folder / ".git/worktrees" / name
    note.mkdir(parents=True, exist_ok=True)
    (note / "locked").write_text("initializing\n")
    if not (note / "gitdir").exists():
        (note / "gitdir").write_text(f"{project.folder.parent / name}/.git\n")
    (note / "commondir").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        project.git("worktree", "list")
    return note


def test_a_note_that_git_was_killed_in_the_midst_of_is_cleared(project, repository, temporary):
    left = killed_run(project, temporary)
    note = half_noted(project, "head")

    with snapshots(repository, base=base_of(project)):
        assert not left.exists()

    assert not note.exists()
    assert project.git("worktree", "list").count("\n") == 0


def test_a_note_of_another_that_is_being_made_stays_and_ours_go(project, repository):
    with snapshots(repository, base=base_of(project)):
        note = half_noted(project, "mine")

    assert [one.name for one in note.parent.iterdir()] == ["mine"]


def test_two_runs_at_once_leave_each_other_alone(project, repository):
    base = base_of(project)

    with snapshots(repository, base=base) as first:
        with snapshots(repository, base=base) as second:
            assert second.base.tree != first.base.tree
        assert (first.base.tree / "model.py").exists()
        assert (first.head.tree / "model.py").exists()


@pytest.mark.parametrize(
    "place", ["mine", "costguard-sides-review/feature", "costguard-sides-x/base"]
)
def test_a_work_tree_of_the_users_own_stays(project, repository, tmp_path, place):
    mine = tmp_path / place
    project.git("worktree", "add", "-q", "--detach", str(mine))
    (mine / "uncommitted.txt").write_text("days of work")
    (mine.parent / "claimed").write_text("")

    with snapshots(repository, base=base_of(project)):
        pass

    assert (mine / "uncommitted.txt").read_text() == "days of work"
    assert project.git("worktree", "list").count("\n") == 1


@pytest.mark.parametrize("named_by", ["its own path", "a link"])
def test_a_link_to_the_checkout_by_its_path_leads_into_the_tree(
    project, repository, tmp_path, named_by
):
    checkout = project.folder
    if named_by == "a link":
        checkout = tmp_path / "link"
        checkout.symlink_to(project.folder)
    (project.folder / "linked.py").symlink_to(checkout / "model.py")
    (project.folder / "folder").symlink_to(checkout / "data")
    project.commit({"data/x.txt": "base"})
    base = base_of(project)
    project.commit({"data/x.txt": "head", "data/new.txt": "", "model.py": "SPEED = 2\n"})
    (project.folder / "untracked.py").symlink_to(checkout / "model.py")

    with snapshots(repository, base=base) as taken:
        assert (taken.base.tree / "linked.py").read_text() == "SPEED = 1\n"
        assert (taken.head.tree / "linked.py").resolve() == taken.head.tree.resolve() / "model.py"
        assert (
            (taken.head.tree / "untracked.py").resolve().is_relative_to(taken.head.tree.resolve())
        )
        assert (taken.base.tree / "folder/x.txt").read_text() == "base"
        assert not (taken.base.tree / "folder/new.txt").exists()


def test_a_link_to_what_git_ignores_and_one_elsewhere_stay_as_they_are(
    project, repository, tmp_path
):
    (project.folder / "weights").symlink_to(project.folder / "ignored")
    (project.folder / "outside").symlink_to(tmp_path)
    project.commit({".gitignore": "ignored/\n"})
    project.put({"ignored/w.bin": "w"})

    with snapshots(repository, base=base_of(project)) as taken:
        assert (taken.base.tree / "weights/w.bin").read_text() == "w"
        assert (taken.base.tree / "outside").readlink() == tmp_path


# What git ignores, and what it keeps elsewhere --------------------------------------------------


def test_shared_files_are_in_both_trees(project, repository):
    project.commit({".gitignore": "weights/\n*.onnx\n"})
    base = base_of(project)
    project.put({"weights/a/w.bin": "w", "models/m.onnx": "m"})

    with snapshots(repository, base=base, share=("weights/", "models/*.onnx")) as taken:
        for tree in (taken.base.tree, taken.head.tree):
            assert (tree / "weights/a/w.bin").read_text() == "w"
            assert (tree / "models/m.onnx").read_text() == "m"

    assert (project.folder / "weights/a/w.bin").exists(), "a link is removed, never what it names"


def test_a_tracked_file_goes_before_a_shared_one(project, repository):
    project.commit({".gitignore": "cached.py"})
    base = base_of(project)
    project.put({"model.py": "SPEED = 2\n", "cached.py": "c"})

    with snapshots(repository, base=base, share=("*.py",)) as taken:
        assert (taken.base.tree / "model.py").read_text() == "SPEED = 1\n"
        assert (taken.base.tree / "cached.py").read_text() == "c"


def test_a_shared_folder_that_both_sides_have_gets_what_git_ignores(project, repository):
    project.commit({"data/.gitkeep": "", "data/old/notes.txt": "n", ".gitignore": "data/**/*.bin"})
    base = base_of(project)
    project.commit({"data/new/.gitkeep": "", "data/new.csv": "head alone tracks it"})
    project.put({"data/a.bin": "a", "data/old/b.bin": "b", "data/new/c.bin": "c"})
    project.put({"data/only/d.bin": "d", "data/old/notes.txt": "changed"})
    project.put({"data/load.py": "a change of head's that is not added yet"})

    with snapshots(repository, base=base, share=("data/",)) as taken:
        for tree in (taken.base.tree, taken.head.tree):
            for path, text in {"a": "a", "old/b": "b", "new/c": "c", "only/d": "d"}.items():
                assert (tree / f"data/{path}.bin").read_text() == text
        assert (taken.base.tree / "data/old/notes.txt").read_text() == "n"
        assert (taken.head.tree / "data/old/notes.txt").read_text() == "changed"
        for name in ("new.csv", "load.py"):
            assert (taken.head.tree / "data" / name).exists()
            assert not (taken.base.tree / "data" / name).exists(), "base must be base"

    assert sorted(path.name for path in (project.folder / "data").iterdir()) == [
        *(".gitkeep", "a.bin", "load.py", "new", "new.csv", "old", "only")
    ]


def test_a_shared_folder_of_which_base_alone_tracks_a_file_is_merged(project, repository):
    project.commit({"data/.gitkeep": "", ".gitignore": "data/*.bin"})
    base = base_of(project)
    project.git("rm", "-q", "--cached", "data/.gitkeep")
    project.git("commit", "-q", "-m", "no more")
    project.put({".gitignore": "data/", "data/a.bin": "a"})

    with snapshots(repository, base=base, share=("data",)) as taken:
        assert (taken.base.tree / "data/a.bin").read_text() == "a"
        assert (taken.base.tree / "data/.gitkeep").is_file()
        assert (taken.head.tree / "data/a.bin").read_text() == "a"


def test_a_pattern_may_find_everything(project, repository):
    project.commit({".gitignore": "*.bin\nenv/\n"})
    project.put({"w.bin": "w", "deep/er/v.bin": "v", "env/x": "x"})

    with snapshots(repository, base=base_of(project), share=("**", "*", "**/*.bin")) as taken:
        for tree in (taken.base.tree, taken.head.tree):
            assert (tree / "w.bin").exists()
            assert (tree / "deep/er/v.bin").exists()
            assert (tree / "env").is_symlink()
            assert (tree / ".git").is_file(), "git's own file stays the tree's"


def test_what_base_has_in_the_place_of_a_folder_stays(project, repository):
    project.commit({"data": "a file"})
    base = base_of(project)
    (project.folder / "data").unlink()
    project.commit({".gitignore": "data/\n"})
    project.put({"data/w.bin": "w"})

    with snapshots(repository, base=base, share=("data/*", "data")) as taken:
        assert (taken.base.tree / "data").read_text() == "a file"
        assert (taken.head.tree / "data/w.bin").read_text() == "w"


def test_a_shared_folder_does_not_bring_what_a_submodule_tracks(
    project, repository, with_submodule
):
    (project.folder / "lib/weights.bin").write_text("w")

    with snapshots(repository, base=with_submodule, share=("lib/",)) as taken:
        assert (taken.base.tree / "lib/lib.py").read_text() == "VERSION = 1\n"
        assert (taken.base.tree / "lib/weights.bin").read_text() == "w"


def test_files_are_copied_where_links_are_not_allowed(project, repository, monkeypatch):
    project.commit({".gitignore": "weights/\n"})
    project.put({"weights/w.bin": "w"})

    def refuse(*_args, **_keywords):
        raise OSError("privilege not held")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    with snapshots(repository, base=base_of(project), share=("weights",)) as taken:
        assert (taken.base.tree / "weights/w.bin").read_text() == "w"
        assert not (taken.base.tree / "weights").is_symlink()


@pytest.mark.parametrize("pattern", ["no/*.bin", ".git/config", "*.py", "kept/", "new.bin"])
def test_a_pattern_that_finds_nothing_to_share_is_refused(project, repository, pattern):
    project.commit({"kept/.gitkeep": ""})
    project.put({"new.bin": "not added yet"})

    with (
        pytest.raises(RevisionError, match=r"--costguard-share: .* finds nothing") as caught,
        snapshots(repository, base=base_of(project), share=(pattern,)),
    ):
        pass

    assert repr(pattern) in caught.value.message
    assert "let git ignore" in caught.value.remedy


def pointer(content):
    digest = hashlib.sha256(content.encode()).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    return digest, text


def test_lfs_content_comes_from_the_store_on_this_machine(project, repository):
    digest, text = pointer("old weights")
    project.commit({".gitattributes": "*.bin filter=lfs\n", "w.bin": text})
    base = base_of(project)
    project.commit({"w.bin": pointer("new weights")[1]})
    project.put({f".git/lfs/objects/{digest[:2]}/{digest[2:4]}/{digest}": "old weights"})

    with snapshots(repository, base=base) as taken:
        assert (taken.base.tree / "w.bin").read_text() == "old weights"
        assert taken.base.pointers == ()
        assert taken.head.pointers == ("w.bin",)


def test_lfs_content_comes_from_the_checkout_where_it_is_the_very_file(project, repository):
    project.commit({".gitattributes": "*.bin filter=lfs\n", "w.bin": pointer("weights")[1]})
    base = base_of(project)
    project.put({"w.bin": "weights"})

    with snapshots(repository, base=base) as taken:
        assert (taken.base.tree / "w.bin").read_text() == "weights"
        assert (taken.head.tree / "w.bin").read_text() == "weights"
        assert taken.base.pointers == ()


# Submodules -------------------------------------------------------------------------------------


@pytest.fixture
def with_submodule(project, repository, tmp_path):
    """A repository whose submodule `lib` was moved on after base."""
    library = GitProject(tmp_path / "library")
    library.commit({"lib.py": "VERSION = 1\n"})
    project.git("submodule", "--quiet", "add", library.folder.as_uri(), "lib")
    project.commit()
    base = base_of(project)
    library.commit({"lib.py": "VERSION = 2\n"})
    project.git("-C", "lib", "pull", "-q", "origin", "main")
    project.commit()
    return base


def test_each_side_has_its_own_commit_of_a_submodule(project, repository, with_submodule):
    (project.folder / "lib/lib.py").write_text("VERSION = 3\n")

    with snapshots(repository, base=with_submodule) as taken:
        assert (taken.base.tree / "lib/lib.py").read_text() == "VERSION = 1\n"
        assert (taken.head.tree / "lib/lib.py").read_text() == "VERSION = 3\n"

    assert project.git("-C", "lib", "worktree", "list").count("\n") == 0
    assert (project.folder / "lib/lib.py").read_text() == "VERSION = 3\n"


def test_a_submodule_that_is_not_initialised_is_empty_on_both_sides(
    project, with_submodule, tmp_path
):
    clone = GitProject(tmp_path / "clone")
    clone.git("pull", "-q", project.folder.as_uri(), "main")
    repository = Repository(clone.folder, environ=ENVIRON)

    with snapshots(repository, base=with_submodule) as taken:
        assert taken.base.empty_submodules == taken.head.empty_submodules == ("lib",)


def test_a_missing_commit_of_a_submodule_is_named(project, repository, with_submodule, tmp_path):
    shallow = GitProject(tmp_path / "shallow")
    shallow.git("fetch", "-q", "--depth=1", (tmp_path / "library").as_uri(), "main")
    shallow.git("checkout", "-q", "FETCH_HEAD")
    lib = project.folder / "lib"
    lib.rename(tmp_path / "lib-before")
    shallow.folder.rename(lib)

    with (
        pytest.raises(RevisionError, match="of the submodule lib, which is not here") as caught,
        snapshots(repository, base=with_submodule),
    ):
        pass

    assert "git -C lib fetch origin" in caught.value.remedy
