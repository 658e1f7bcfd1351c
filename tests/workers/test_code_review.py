"""code-review: the real ruff on real trees, and its absence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workermd import Refused
from workermd.workers.code_review import run

CONTRACT = "code-review"


def new_file(path: str, text: str) -> str:
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"


@pytest.fixture
def review(make_task, example):
    def reviewed(diff, files=None, **settings):
        document = {"run_id": "r", "diff": diff}
        if files is not None:
            document["files"] = files
        example.accepts_input(document)
        return example.complete(run(make_task(document, **settings)))

    return reviewed


def found(answer):
    return [(issue["file"], issue["line"], issue["rule"], issue["risk"]) for issue in answer["result"]["issues"]]


def test_the_example_gives_the_expected_output(example, make_task):
    example.accepts_input(example.input)
    assert example.complete(run(make_task(example.input))) == example.output


def test_a_new_file_needs_no_text_beside_the_diff(review):
    answer = review(new_file("a.py", "import os\nprint(missing)\n"))
    assert found(answer) == [("a.py", 1, "F401", "medium"), ("a.py", 2, "F821", "high")]
    assert (answer["result"]["risk"], answer["result"]["analyser"]) == ("high", "ruff")


def test_only_changed_lines_are_reported(review):
    text = "import os\nimport re\n\nx = 1\n"
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,4 @@\n import os\n+import re\n \n x = 1\n"
    assert found(review(diff, {"a.py": text})) == [("a.py", 2, "F401", "medium")]
    # The text before the change will do as well.
    assert found(review(diff, {"a.py": "import os\n\nx = 1\n"})) == [("a.py", 2, "F401", "medium")]


def test_a_syntax_error_is_high_wherever_the_parser_notices_it(review):
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-x = f()\n+x = f(\n y = 1\n"
    answer = review(diff, {"a.py": "x = f(\ny = 1\n"})
    assert {(rule, risk) for _, _, rule, risk in found(answer)} == {("syntax-error", "high")}


def test_a_text_that_fits_neither_side_is_refused(review):
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n"
    error = review(diff, {"a.py": "c\n"})
    assert (error["status"], error["result"]["error"]["code"]) == ("invalid_request", "diff_mismatch")


@pytest.mark.parametrize("diff", ["nothing", "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n", "@@ -1 +1 @@\n-a\n+b\n"])
def test_an_incomplete_diff_is_refused(review, diff):
    answer = review(diff)
    assert (answer["status"], answer["result"]["error"]["code"]) == ("invalid_request", "missing_diff_context")


def test_a_diff_cannot_silence_its_own_review(review):
    diff = new_file("a.py", "# ruff: noqa\nimport os  # noqa: F401\n")
    assert found(review(diff)) == [("a.py", 2, "F401", "medium")]
    assert found(review(diff, honour_noqa=True)) == []


def test_a_repositorys_own_configuration_is_not_read(review, make_task, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.ruff.lint]\nignore = ["F401"]\n')
    (tmp_path / "ruff.toml").write_text('exclude = ["*.py"]\n')
    monkeypatch.chdir(tmp_path)
    assert found(review(new_file("build/venv/a.py", "import os\n"))) == [("build/venv/a.py", 1, "F401", "medium")]


def test_files_come_from_the_operators_folder(review, tmp_path):
    (tmp_path / "a.py").write_text("import os\nimport re\n")
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n import os\n+import re\n"
    assert found(review(diff, folder=str(tmp_path))) == [("a.py", 2, "F401", "medium")]
    answer = review(diff)
    assert answer["result"]["notes"] == ["a.py: its new text was not given, so only the diff itself was looked at"]
    with pytest.raises(Refused, match="folder"):
        review(diff, folder=str(tmp_path / "missing"))


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "a/../../out.py", "link.py"])
def test_paths_of_a_diff_are_no_paths_of_ours(review, tmp_path, path):
    (tmp_path / "out.py").write_text("import os\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.py").symlink_to("../out.py")
    diff = f"--- a/{path}\n+++ b/{path}\n@@ -0,0 +1 @@\n+import os\n"
    answer = review(diff, folder=str(folder))
    assert len(answer["result"]["notes"]) == 1
    # Given as text, the file is reviewed under its name and written nowhere but in a numbered folder.
    assert found(review(diff, {path: "import os\n"}, folder=str(folder))) == [(path, 1, "F401", "medium")]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["artifacts", "folder", "out.py"]
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_checks_that_need_only_the_diff(review):
    lines = [
        "<<<<<<< HEAD",
        "=======",
        ">>>>>>> other",
        "-----BEGIN RSA PRIVATE KEY-----",
        "  console.log(1)",
        "debugger;",
    ]
    answer = review(new_file("a.js", "\n".join(lines)), large_diff_lines=3)
    assert found(answer) == [
        ("a.js", 1, "conflict-marker", "high"),
        ("a.js", 1, "large-diff", "low"),
        ("a.js", 3, "conflict-marker", "high"),
        ("a.js", 4, "private-key", "high"),
        ("a.js", 5, "debugging", "medium"),
        ("a.js", 6, "debugging", "medium"),
    ]
    assert answer["result"]["analyser"] == "ruff"


def test_issues_are_capped_and_counted(review):
    answer = review(new_file("a.py", "\n".join(f"import m{n}" for n in range(300))))
    assert (len(answer["result"]["issues"]), answer["result"]["issue_count"]) == (200, 300)


PROBE = """
import json, sys
from workermd import Task
from workermd.workers.code_review import run
document = json.loads(sys.argv[1])
task = Task("code-review", "1.0.0", "r", 1, 2, 30.0, "", "", document, {}, None, (), (), {}, sys.argv[2], {})
print(json.dumps(run(task)))
"""


def test_without_ruff_the_review_goes_on(example, tmp_path):
    """An interpreter without site-packages and with an empty PATH has no ruff to find."""
    diff = new_file("a.py", "import os\nbreakpoint()\n")
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, json.dumps({"run_id": "r", "diff": diff}), str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = example.complete(json.loads(done.stdout))
    assert answer["result"]["analyser"] is None
    assert found(answer) == [("a.py", 2, "debugging", "medium")]
    assert "workermd[workers]" in answer["result"]["notes"][0]


@pytest.mark.parametrize("script", ["exit 2", "echo not json", "echo '{}'", "sleep 60"])
def test_a_ruff_that_fails_degrades(review, make_task, example, tmp_path, script):
    program = tmp_path / "ruff"
    program.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n")
    program.chmod(0o755)
    document = {"run_id": "r", "diff": new_file("a.py", "import os\n")}
    answer = example.complete(run(make_task(document, seconds=2.5, ruff=str(program))))
    assert answer["result"]["analyser"] is None
    assert answer["result"]["notes"] == ["ruff failed or ran out of time, so only the diff itself was looked at"]


def test_a_wrong_rule_choice_degrades(review):
    assert review(new_file("a.py", "import os\n"), select=["NOPE"])["result"]["analyser"] is None


def test_the_environment_reaches_no_analyser(review, tmp_path, monkeypatch):
    monkeypatch.setenv("RUFF_OUTPUT_FILE", str(tmp_path / "leak"))
    monkeypatch.setenv("SECRET", "hunter2")
    program = tmp_path / "ruff"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\necho '[]'\n")
    program.chmod(0o755)
    review(new_file("a.py", "import os\n"), ruff=str(program))
    assert "hunter2" not in (tmp_path / "seen").read_text()
    assert not (tmp_path / "leak").exists()
