"""Unified diffs as git and diff print them, and cut off or garbled ones. The files come out of real git."""

import subprocess

import pytest

from workermd.workers.diff import BadDiff, read_diff

OLD = "".join(f"line {n}\n" for n in range(1, 31))


@pytest.fixture
def git(tmp_path):
    """Runs git in a fresh repository that has one commit."""

    def run(*arguments):
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "diff.noprefix=false", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    run("init", "-q")
    (tmp_path / "kept.py").write_text(OLD)
    (tmp_path / "gone.py").write_text("gone\n")
    (tmp_path / "moved.py").write_text(OLD)
    run("add", ".")
    run("commit", "-qm", "start")
    return run


@pytest.mark.parametrize("context", ["-U0", "-U1", "-U3", "-U50"])
def test_what_git_prints_is_read_and_applied(git, tmp_path, context):
    new = OLD.replace("line 3\n", "").replace("line 10\n", "ten\n--- not a header\n+++ neither\n") + "last, no newline"
    (tmp_path / "kept.py").write_text(new)
    (tmp_path / "gone.py").unlink()
    (tmp_path / "umlaut ä\t.py").write_text("x = 1\n")
    (tmp_path / "blob.py").write_bytes(b"\0\1")
    (tmp_path / "empty.py").write_text("")
    git("mv", "moved.py", "renamed.py")
    git("add", "-A")
    files = {file.path: file for file in read_diff(git("diff", "--cached", "-M", context))}
    assert set(files) == {"kept.py", "gone.py", "umlaut ä\t.py", "blob.py", "empty.py", "renamed.py"}
    assert files["kept.py"].applied_to(OLD) == new + "\n"  # whether the last line ends is not followed
    assert files["kept.py"].applied_to(new) == new
    assert files["kept.py"].applied_to(OLD.replace("line 10", "other")) is None
    assert files["kept.py"].added() == {9: "ten", 10: "--- not a header", 11: "+++ neither", 32: "last, no newline"}
    assert files["gone.py"].is_deleted
    assert files["blob.py"].is_binary
    assert files["umlaut ä\t.py"].new_text() == "x = 1\n"
    assert files["renamed.py"].hunks == ()


def test_a_diff_without_gits_headers():
    text = "--- old/x.py\t2026-01-01\n+++ new/x.py\t2026-01-02\n@@ -1 +1,2 @@ def f():\n-a\n+b\n+c\n"
    [file] = read_diff("Some words before.\n\n" + text)
    assert (file.path, file.added()) == ("new/x.py", {1: "b", 2: "c"})


def test_line_ends_of_windows():
    [file] = read_diff("--- a/x.py\r\n+++ b/x.py\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n")
    assert file.path == "x.py"
    assert file.applied_to("a\r\nb\r\n") == "a\r\nc\r\n"


WHOLE = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WHOLE[:-3], "line 4: the hunk is shorter"),
        (WHOLE.removesuffix("-b\n+c\n d\n"), "line 4: the hunk is shorter"),
        (WHOLE[: WHOLE.index("@@")], "line 3: no hunk"),
        (WHOLE[: WHOLE.index("+++")], "line 3: '[+][+][+]'"),
        (WHOLE[WHOLE.index("@@") :], "line 1: a hunk without"),
        (WHOLE.replace("-b", "b"), "line 6: inside a hunk"),
        (WHOLE.replace("@@ -1,3 +1,3 @@", "@@ -1,x +1 @@"), "line 4: not a hunk header"),
        (WHOLE.replace("+1,3", "+1,1"), "longer than its header"),
    ],
)
def test_a_cut_off_or_garbled_diff_is_refused(text, words):
    with pytest.raises(BadDiff, match=words):
        read_diff(text)


def test_text_without_a_diff_has_no_files():
    assert read_diff("hello\n--- nothing\n") == ()
