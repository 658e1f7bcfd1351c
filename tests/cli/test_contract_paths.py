"""Which files a folder means: what Git ignores and what the configuration excludes is left out."""

import os
import subprocess

import pytest

from tests.conftest import contract_text
from workermd.cli import contract_paths
from workermd.config.configuration import Settings
from workermd.protocol.errors import UsageError

PLACES = ["a", "build/b", "sub/c", "sub/out/d", "sub/kept/e", ".hidden/f", "node_modules/x/g"]


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for place in PLACES:
        path = tmp_path / f"{place}.worker.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contract_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return tmp_path


def found(*paths, settings=None):
    """The names without their ending; an error as it is."""
    names = contract_paths.each_once(list(paths), lambda: settings or Settings())
    return [each if isinstance(each, UsageError) else os.path.normpath(each)[: -len(".worker.md")] for each in names]


def test_outside_of_git_all_but_hidden_folders_is_searched(tree):
    assert found(".") == sorted(set(PLACES) - {".hidden/f"})


def test_what_git_ignores_is_left_out(tree, monkeypatch):
    git(tree, "init", "-q")
    (tree / ".gitignore").write_text("/build/\nnode_modules\n")
    (tree / "sub" / ".gitignore").write_text("out/\nkept/\n")
    git(tree, "add", "-f", "sub/kept/e.worker.md")
    assert found(".") == ["a", "sub/c", "sub/kept/e"], "what is tracked is not ignored"
    assert found("sub") == ["sub/c", "sub/kept/e"]
    assert found("build") == ["build/b"], "a folder that is named is meant"
    assert found("build/b.worker.md") == ["build/b"]
    assert found("*") == ["a", "build/b", "node_modules/x/g", "sub/c", "sub/kept/e"]
    monkeypatch.setenv("GIT_DIR", str(tree / "nowhere"))  # as in a hook of another repository
    assert found(".") == ["a", "sub/c", "sub/kept/e"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert "build/b" in found("."), "without Git nothing is known of what it ignores"


def test_a_repository_inside_has_its_own_rules(tree):
    git(tree, "init", "-q")
    inner = tree / "sub"
    git(inner, "init", "-q")
    (inner / ".gitignore").write_text("out\n")
    assert found("sub", ".")[:2] == ["sub/c", "sub/kept/e"]
    assert "sub/out/d" not in found(".")
    git(inner, "add", "c.worker.md")
    git(inner, "commit", "-qm", "x")
    git(tree, "add", "sub")  # now a link to a commit, as a submodule is
    assert {"sub/c", "sub/kept/e"} <= set(found("."))
    assert "sub/out/d" not in found(".")


def test_what_the_configuration_excludes_is_left_out(tree):
    settings = Settings(
        origin=str(tree / "workermd.toml"), lint_exclude=("node_modules/", "sub/*/d.worker.md", "build/b*")
    )
    assert found(".", settings=settings) == ["a", "sub/c", "sub/kept/e"]
    assert found("sub", "build/b.worker.md", settings=settings) == ["sub/c", "sub/kept/e", "build/b"]
    (refused,) = found("build", settings=settings)
    assert refused.message == "build: holds no *.worker.md"


def test_validate_and_fmt_heed_both_without_a_path(cli, tree):
    git(tree, "init", "-q")
    (tree / ".gitignore").write_text("build\nnode_modules\n")
    (tree / "workermd.toml").write_text('[lint]\nexclude = ["sub/out"]\n')
    done = cli("validate", "--ignore", "WM910")
    assert (done.code, done.err) == (0, "0 errors, 0 warnings in 3 files\n")
    assert cli("fmt", ".", "--check").err.endswith(" 3 as they should be\n")
    assert "PATH is missing" in cli("fmt").err
