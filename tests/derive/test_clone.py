"""A local clone: git's plumbing on folders that git itself made, some of them set up to do harm."""

import gc
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from tests.derive.conftest import FILES, README
from workermd.derive import git
from workermd.derive.source import open_repository
from workermd.protocol.errors import DeriveError

GITHUB = "https://github.com/acme/thing.git"


class Made:
    """A work tree made by git. `commit` returns the digest."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *arguments: str, **more: str) -> str:
        who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        environ = {**os.environ, **who, "GIT_COMMITTER_DATE": "2026-03-04T23:30:00-0200", **more}
        command = ["git", "-c", "commit.gpgSign=false", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, bytes]) -> str:
        for path, content in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "thing")


@pytest.fixture
def no_network(monkeypatch):
    """Whatever opens a socket fails."""

    def refused(*_arguments, **_options):
        raise AssertionError("a local clone needs no network")

    monkeypatch.setattr("socket.socket.connect", refused)


def failure_of(named, **options):
    with pytest.raises(DeriveError) as failure:
        open_repository(str(named), environ={}, **options)
    assert failure.value.message.isprintable()
    assert failure.value.hint
    return failure.value.message


def test_a_work_tree_is_read_at_its_commit(made, no_network):
    commit = made.commit(FILES)
    os.symlink("README.md", made.folder / "link")
    (made.folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (made.folder / "run.sh").chmod(0o755)
    made.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    commit = made.commit({})
    (made.folder / "README.md").write_bytes(b"not committed\n")
    (made.folder / "new").write_bytes(b"not committed\n")
    repository = open_repository(str(made.folder), environ={}, offline=True)
    assert repository.commit == commit
    assert [file.path for file in repository.files()] == sorted([*FILES, "run.sh"])
    assert {file.path: file.size for file in repository.files()}["README.md"] == len(README)
    for path, content in FILES.items():
        assert repository.read(path) == content
    assert repository.facts.name == "thing"
    assert repository.facts.default_branch == "main"
    # In UTC, as GitHub has it, whatever the committer's zone.
    assert repository.facts.updated_on == "2026-03-05"
    assert (repository.facts.owner, repository.facts.url, repository.facts.licence) == ("", "", None)
    assert repository.permalink("README.md", 1, 3) == f"git:{commit}:README.md#L1-L3"
    repository.close()


def test_a_clone_and_the_api_agree_on_digests(made):
    made.commit({"README.md": README})
    repository = open_repository(str(made.folder), environ={})
    expected = hashlib.sha1(b"blob %d\0" % len(README) + README).hexdigest()
    assert repository.files()[0].sha == expected
    repository.close()


@pytest.mark.parametrize("kind", ["bare", "mirror", "worktree", "shallow", "packed", "sha256", "separate"])
def test_every_kind_of_clone(made, tmp_path, kind):
    target = tmp_path / "other"
    source = made.folder.as_uri()
    if kind == "sha256":
        made = Made(tmp_path / "sha256", "--object-format=sha256")
    commit = made.commit(FILES)
    match kind:
        case "bare" | "mirror":
            made.git("clone", "--quiet", f"--{kind}", str(made.folder), str(target))
        case "worktree":
            made.git("worktree", "add", "--quiet", str(target))
        case "shallow":
            made.git("clone", "--quiet", "--depth=1", source, str(target))
        case "packed":
            made.git("gc", "--quiet")
            target = made.folder
        case "sha256":
            target = made.folder
        case "separate":
            made.git("clone", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere'}", str(made.folder), str(target))
    repository = open_repository(str(target), environ={})
    assert repository.commit == commit
    assert repository.read("README.md") == README
    assert len(repository.files()) == len(FILES)
    repository.close()


def test_a_ref_of_a_clone(made, tmp_path, monkeypatch):
    first = made.commit({"README.md": b"one\n"})
    made.git("tag", "--annotate", "v1@x", "--message", "tag")
    made.git("branch", "feature/y")
    second = made.commit({"README.md": b"two\n"})
    made.git("clone", "--quiet", str(made.folder), str(tmp_path / "clone"))
    made.git("clone", "--quiet", str(made.folder), str(tmp_path / "at@sign"))
    monkeypatch.chdir(tmp_path)
    for named, commit in (
        ("clone", second),
        ("./clone@v1@x", first),
        ("clone@main", second),
        ("clone@feature/y", first),  # only the remote has it
        (f"{tmp_path}/clone@{first[:10]}", first),
        ("./at@sign", second),
        ("./at@sign@main", second),
        ((tmp_path / "clone").as_uri() + "@v1@x", first),
    ):
        repository = open_repository(named, environ={})
        assert repository.commit == commit, named
        assert repository.read("README.md") == (b"one\n" if commit == first else b"two\n")
        repository.close()
    assert "has no branch, tag or commit nothing" in failure_of("./clone@nothing")
    assert "not one that git allows" in failure_of("./clone@--output=x")
    assert "not one that git allows" in failure_of("./clone@HEAD^{tree}")
    blob = made.git("rev-parse", "HEAD:README.md")
    assert "has no branch, tag or commit" in failure_of(f"./clone@{blob}")


@pytest.mark.parametrize(
    ("remote", "owner", "name", "url", "page"),
    [
        (GITHUB, "acme", "thing", "https://github.com/acme/thing", True),
        ("git@github.com:acme/thing.git", "acme", "thing", "https://github.com/acme/thing", True),
        ("ssh://git@github.com/acme/thing", "acme", "thing", "https://github.com/acme/thing", True),
        ("https://me:s3cret@github.com/acme/thing.git", "acme", "thing", "https://github.com/acme/thing", True),
        ("https://git.example.com/acme/thing.git", "acme", "thing", "https://git.example.com/acme/thing", True),
        ("https://s3cret@gitlab.com/a/b/c.git", "b", "c", "https://gitlab.com/a/b/c", False),
        ("git@gitlab.com:a/b.git", "a", "b", "https://gitlab.com/a/b", False),
        ("/srv/git/thing.git", "", "thing", "", False),
        ("ext::sh -c 'touch hurt'", "", "thing", "", False),
        ("https://gitlab.com/a/\x1b[31m", "", "thing", "", False),
        ("https://[::1", "", "thing", "", False),
    ],
)
def test_where_a_clone_came_from(made, remote, owner, name, url, page):
    commit = made.commit(FILES)
    made.git("config", "remote.other.url", "https://github.com/other/other")
    made.git("config", "remote.origin.url", remote)
    repository = open_repository(str(made.folder), environ={"GH_HOST": "git.example.com"})
    assert (repository.facts.owner, repository.facts.name, repository.facts.url) == (owner, name, url)
    link = repository.permalink("LICENSE", 2, 2)
    assert link == (f"{url}/blob/{commit}/LICENSE#L2" if page else f"git:{commit}:LICENSE#L2")
    assert "s3cret" not in repr(repository.facts)
    repository.close()


def test_the_default_branch_is_the_remotes(made, tmp_path):
    made.commit(FILES)
    made.git("clone", "--quiet", str(made.folder), str(tmp_path / "clone"))
    subprocess.run(["git", "-C", str(tmp_path / "clone"), "switch", "--quiet", "--create", "mine"], check=True)
    repository = open_repository(str(tmp_path / "clone"), environ={})
    assert repository.facts.default_branch == "main"
    repository.close()


def test_what_is_no_clone_is_told_apart(made, tmp_path, monkeypatch):
    assert "has no commits yet" in failure_of(made.folder)
    made.commit(FILES)
    assert "is not the top folder of a git clone" in failure_of(made.folder / "src")
    (tmp_path / "plain").mkdir()
    assert "is not the top folder of a git clone" in failure_of(tmp_path / "plain")
    assert "there is no such folder" in failure_of(tmp_path / "absent")
    monkeypatch.chdir(tmp_path)
    assert "is neither OWNER/REPO, nor a GitHub URL, nor a folder" in failure_of("absent")
    assert "is neither OWNER/REPO" in failure_of("a/b/c")
    assert "is neither OWNER/REPO" in failure_of("")
    assert "is not a path" in failure_of("./a\0b")
    (made.folder / ".git" / "HEAD").write_text("nonsense")
    assert failure_of(made.folder)


def test_git_is_needed(made, monkeypatch, tmp_path):
    made.commit(FILES)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git was not found" in failure_of(made.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_explained(made):
    made.commit(FILES)
    for path in (made.folder, made.folder / ".git"):
        os.chown(path, 65534, 65534)
    assert "belongs to another user" in failure_of(made.folder)


def test_the_users_own_safe_directory_counts(made, tmp_path, monkeypatch):
    made.commit(FILES)
    # Git's own switch for its tests: every folder counts as somebody else's.
    real = git._environment
    monkeypatch.setattr(git, "_environment", lambda folder: {**real(folder), "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    assert "belongs to another user" in failure_of(made.folder)
    (tmp_path / "gitconfig").write_text(f"[safe]\n\tdirectory = {made.folder}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    open_repository(str(made.folder), environ={}).close()


def test_variables_that_point_git_elsewhere_do_not_count(made, tmp_path, monkeypatch):
    commit = made.commit(FILES)
    other = Made(tmp_path / "other")
    other.commit({"README.md": b"other\n"})
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.folder / ".git" / "objects"))
    monkeypatch.setenv("GIT_TRACE", "1")
    repository = open_repository(str(made.folder), environ={})
    assert repository.commit == commit
    repository.close()


def hurt_by(made: Made, tmp_path: Path) -> tuple[str, Path]:
    """A program that leaves a mark, however it is called, and where the mark would be."""
    mark = tmp_path / "hurt"
    program = tmp_path / "hurt.sh"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 0\n")
    program.chmod(0o755)
    return str(program), mark


HOSTILE = (
    "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy", "pager.ls-tree",
    "pager.cat-file", "pager.rev-parse", "pager.config", "diff.external", "diff.evil.command", "diff.evil.textconv",
    "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "credential.helper", "gpg.program", "gpg.ssh.program",
    "uploadpack.packObjectsHook", "core.alternateRefsCommand", "interactive.diffFilter", "sequence.editor", "trace2.eventTarget",
)  # fmt: skip


def test_no_program_of_the_configuration_runs(made, tmp_path):
    program, mark = hurt_by(made, tmp_path)
    made.commit({**FILES, ".gitattributes": b"* filter=evil diff=evil\n"})
    for key in HOSTILE:
        made.git("config", key, program)
    for name in ("rev-parse", "ls-tree", "cat-file", "config", "symbolic-ref"):
        made.git("config", f"alias.{name}", f"!{program}")
    made.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    made.git("config", "log.showSignature", "true")
    made.git("config", "include.path", str(tmp_path / "included"))
    (tmp_path / "included").write_text(
        f'[core]\n\tfsmonitor = {program}\n[remote "z"]\n\turl = https://github.com/in/cluded\n'
    )
    for folder in (tmp_path / "hooks", made.folder / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in (
            "post-checkout",
            "post-index-change",
            "reference-transaction",
            "pre-auto-gc",
            "fsmonitor-watchman",
        ):
            shutil.copy(program, folder / hook)
    (made.folder / ".git" / "info").mkdir(exist_ok=True)
    (made.folder / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    repository = open_repository(str(made.folder), environ={})
    for path, content in FILES.items():
        assert repository.read(path) == content
    assert repository.facts.owner == ""  # an included file is not part of the clone
    repository.close()
    assert not mark.exists()
    # The plant is live: an ordinary call of git sets it off.
    subprocess.run(["git", "-C", str(made.folder), "status"], capture_output=True, check=False)
    assert mark.exists()


@pytest.mark.parametrize("without", ["", "GIT_NO_LAZY_FETCH", "GIT_ALLOW_PROTOCOL"])
@pytest.mark.parametrize("transport", ["ext", "ssh", "file", "vcs"])
def test_missing_files_of_a_partial_clone_are_not_fetched(made, tmp_path, transport, without, monkeypatch):
    """Each of two locks holds alone: a git before 2.45 does not know the one that forbids the fetch itself."""
    real = git._environment
    unlocked = {"": {}, "GIT_NO_LAZY_FETCH": {without: "0"}, "GIT_ALLOW_PROTOCOL": {without: "ext:ssh:file:evil"}}
    monkeypatch.setattr(git, "_environment", lambda folder: {**real(folder), **unlocked[without]})
    program, mark = hurt_by(made, tmp_path)
    made.commit(FILES)
    made.git("repack", "-adq")
    missing = made.git("rev-parse", "HEAD:README.md")
    lean = tmp_path / "lean"
    made.git("config", "uploadpack.allowFilter", "true")
    made.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", made.folder.as_uri(), str(lean))
    (tmp_path / "git-remote-evil").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (tmp_path / "git-remote-evil").chmod(0o755)

    def set_up(key: str, value: str) -> None:
        subprocess.run(["git", "-C", str(lean), "config", key, value], check=True)

    set_up("protocol.allow", "always")
    set_up("protocol.ext.allow", "always")
    set_up("core.sshCommand", program)
    url = {"ext": f"ext::{program}", "ssh": "ssh://git@localhost/x", "file": made.folder.as_uri(), "vcs": "evil://x"}[
        transport
    ]
    set_up("remote.origin.url", url)
    set_up("remote.origin.uploadpack", program)
    path = os.environ["PATH"]
    try:
        os.environ["PATH"] = f"{tmp_path}:{path}"
        message = failure_of(lean)
        assert "missing" in message
        assert not mark.exists()
        # The plant is live: git alone would fetch.
        subprocess.run(["git", "-C", str(lean), "cat-file", "-p", missing], capture_output=True, check=False)
        assert mark.exists()
    finally:
        os.environ["PATH"] = path


def test_what_a_replacement_says_is_not_what_the_commit_says(made):
    commit = made.commit(FILES)
    real, false = made.git("rev-parse", "HEAD:README.md"), made.git("hash-object", "-w", "LICENSE")
    made.git("replace", real, false)
    repository = open_repository(str(made.folder), environ={})
    assert repository.read("README.md") == README
    assert repository.commit == commit
    repository.close()


def test_caps_and_absent_files(made):
    made.commit({"big": b"x" * ((1 << 20) + 1), "fits": b"y" * (1 << 20), "empty": b""})
    repository = open_repository(str(made.folder), environ={})
    with pytest.raises(DeriveError, match=re.escape("big has 1,048,577 bytes; at most 1,048,576 are read")):
        repository.read("big")
    with pytest.raises(DeriveError, match="is not a file of this commit"):
        repository.read("../../etc/passwd")
    assert repository.read("fits") == b"y" * (1 << 20)
    assert repository.read("empty") == b""
    repository.close()


def test_names_that_evidence_cannot_cite_are_left_out(made):
    made.commit({"ok é.txt": b"1", "line\nbreak": b"2", 'quote"d': b"3"})
    (made.folder / os.fsdecode(b"latin-\xe9")).write_bytes(b"4")
    made.commit({})
    repository = open_repository(str(made.folder), environ={})
    assert [file.path for file in repository.files()] == ["ok é.txt", 'quote"d']
    assert repository.read("ok é.txt") == b"1"
    repository.close()


def test_a_damaged_object_is_told(made):
    made.commit(FILES)
    repository = open_repository(str(made.folder), environ={})
    sha = {file.path: file.sha for file in repository.files()}["LICENSE"]
    loose = made.folder / ".git" / "objects" / sha[:2] / sha[2:]
    loose.chmod(stat.S_IRUSR | stat.S_IWUSR)
    loose.unlink()
    with pytest.raises(DeriveError, match="missing from this clone or damaged"):
        repository.read("LICENSE")
    assert repository.read("README.md") == README
    repository.close()


def test_a_tree_without_end_is_left(made, monkeypatch):
    """Ten folders that are the same folder, six deep: a million files in seven objects."""
    monkeypatch.setattr("workermd.derive.tree.FILES_CAP", 20_000)
    made.commit({"f": b"x"})
    tree, entries = made.git("rev-parse", "HEAD^{tree}"), ""
    for _ in range(6):
        entries = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        command = ["git", "-C", str(made.folder), "mktree"]
        tree = subprocess.run(command, input=entries, capture_output=True, text=True, check=True).stdout.strip()
    commit = made.git("commit-tree", tree, "-m", "bomb")
    made.git("update-ref", "refs/heads/main", commit)
    tracemalloc.start()
    assert "has more than 20,000 files" in failure_of(made.folder)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_git_ends_with_the_repository(made):
    made.commit(FILES)
    repository = open_repository(str(made.folder), environ={})
    repository.read("README.md")
    process = repository._git._reader  # type: ignore[attr-defined]
    assert process.poll() is None
    del repository
    gc.collect()
    assert process.returncode is not None
    again = open_repository(str(made.folder), environ={})
    again.close()
    assert again.read("README.md") == README  # reading opens it again
    again.close()
    again.close()
