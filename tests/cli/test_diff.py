"""`workermd diff` as a process: where contracts come from, what it prints, how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, contract_text
from tests.report.test_sarif import check
from workermd.contract.diff import KINDS

OLD = contract_text()


def new(version: str = "1.0.0", **constraints: object) -> str:
    return contract_text(constraints=constraints).replace("version: 1.0.0", f"version: {version}")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "old.worker.md").write_text(OLD)
    return tmp_path


def diff(cli: Cli, text: str, *options: str) -> tuple[int, str]:
    (cli.folder / "new.worker.md").write_text(text)
    done = cli("diff", "old.worker.md", "new.worker.md", *options)
    assert "Traceback" not in done.err
    return done.code, done.out.decode()


# What changed: nothing, patch, minor (compatible), minor (unknown), major; each without a bump and with each bump.
EXITS = [
    # text, missing-major, missing-bump, breaking, any
    (new(), 0, 0, 0, 0),
    (new("1.0.1"), 0, 0, 0, 0),
    (new(backoff="exponential"), 0, 1, 0, 1),
    (new("1.0.1", backoff="exponential"), 0, 0, 0, 1),
    (new(timeout_seconds=10), 0, 1, 0, 1),
    (new("1.0.1", timeout_seconds=10), 0, 1, 0, 1),
    (new("1.1.0", timeout_seconds=10), 0, 0, 0, 1),
    (new("1.1.0", timeout_seconds=30), 1, 1, 1, 1),
    (new("2.0.0", timeout_seconds=30), 0, 0, 1, 1),
    (new("0.9.0", timeout_seconds=30), 1, 1, 1, 1),
]


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("row", EXITS, ids=range(len(EXITS)))
def test_exit_codes(cli: Cli, files: Path, row: tuple[str, int, int, int, int]) -> None:
    text, *expected = row
    modes = ("missing-major", "missing-bump", "breaking", "any")
    found = [diff(cli, text, "-q", "--fail-on", mode)[0] for mode in modes]
    assert found == expected
    assert diff(cli, text)[0] == expected[0]


@pytest.mark.rule("S1.5")
def test_exit_zero(cli: Cli, files: Path) -> None:
    assert diff(cli, new(timeout_seconds=30), "--exit-zero")[0] == 0


def test_text(cli: Cli, files: Path) -> None:
    code, out = diff(cli, new(timeout_seconds=30))
    assert (code, out.splitlines()) == (
        1,
        [
            "new.worker.md:68:20: breaking: timeout_seconds rose from 20 to 30 [timeout-raised]",
            "  = /constraints/timeout_seconds, before old.worker.md:68:20; it takes a major bump of the version",
        ],
    )


def test_what_was_removed_is_shown_where_it_stood(cli: Cli, files: Path) -> None:
    code, out = diff(cli, new("1.1.0", max_attempts=None))
    assert code == 0
    assert out.startswith("old.worker.md:69:17: unknown: max_attempts fell from 2 to 1 [attempts-lowered]\n")


def test_the_summary_goes_to_standard_error(cli: Cli, files: Path) -> None:
    (files / "new.worker.md").write_text(new(timeout_seconds=30))
    done = cli("diff", "old.worker.md", "new.worker.md")
    assert done.err == "1 breaking, 0 unknown, 0 compatible; 1.0.0 to 1.0.0 is no bump, a major bump is needed\n"
    assert cli("diff", "old.worker.md", "new.worker.md", "-q").err == ""


def test_json(cli: Cli, files: Path) -> None:
    _, out = diff(cli, new("1.1.0", timeout_seconds=30), "--format", "json")
    document = json.loads(out)
    assert (document["schema_version"], document["required"], document["made"]) == (1, "major", "minor")
    assert document["is_bump_missing"] is True
    (change,) = document["changes"]
    assert (change["kind"], change["verdict"], change["requires"]) == ("timeout-raised", "breaking", "major")
    assert (change["old"]["path"], change["new"]["line"]) == ("old.worker.md", 68)


def test_reports_go_to_files_beside_what_is_printed(cli: Cli, files: Path) -> None:
    arguments = ("--report", "json=a.json", "--report", "text=a.txt", "-q")
    code, out = diff(cli, new(timeout_seconds=30), *arguments)
    assert code == 1
    assert json.loads((files / "a.json").read_text())["required"] == "major"
    written = (files / "a.txt").read_text()
    assert written.startswith(out)
    assert written.removeprefix(out).startswith("1 breaking,")
    refused = cli("diff", "old.worker.md", "new.worker.md", "--report", "json=old.worker.md")
    assert (refused.code, "would replace a file" in refused.err) == (2, True)


def test_nothing_changed_is_an_empty_list(cli: Cli, files: Path) -> None:
    _, out = diff(cli, OLD, "--format", "json")
    assert json.loads(out)["changes"] == []
    _, out = diff(cli, OLD, "--format", "markdown")
    assert out.startswith("### Contract `echo`: the version is fine\n\nno change in meaning; ")


def test_sarif(cli: Cli, files: Path) -> None:
    _, out = diff(cli, new(timeout_seconds=30, backoff="exponential"), "--format", "sarif")
    log = json.loads(out)
    check(log)
    run = log["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(KINDS)
    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [
        ("timeout-raised", "error"),
        ("backoff-changed", "note"),
    ]
    assert run["results"][0]["relatedLocations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "old.worker.md"}


def test_markdown_takes_nothing_of_a_contract_for_markup(cli: Cli, files: Path) -> None:
    name = "a|b<img src=x>`*_@all #1 [x](y)"
    inputs = {"type": "object", "required": ["run_id", name], "properties": {"run_id": {"type": "string"}}}
    _, out = diff(cli, contract_text(input_schema=inputs), "--format", "markdown")
    (row,) = [line for line in out.splitlines() if "objects without" in line]
    assert row.count("|") == 6
    assert not set("<>*_@[]~") & set(row)
    assert row.count("`") == 2  # around the kind's own name


# --- where contracts come from ---


def git(folder: Path, *words: str) -> None:
    names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "sub" / "a b.worker.md").write_text(OLD)
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "one")
    (root / "sub" / "a b.worker.md").write_text(new(timeout_seconds=30))
    git(root, "commit", "--quiet", "-am", "two")
    return root


@pytest.mark.parametrize("below", ["", "sub"])
def test_git_revisions_from_any_folder(cli: Cli, repository: Path, below: str) -> None:
    done = cli("diff", "git:main~1:sub/a b.worker.md", "git:HEAD:sub/a b.worker.md", cwd=repository / below)
    assert done.code == 1
    assert done.out.startswith(b"git:HEAD:sub/a b.worker.md:68:20: breaking: timeout_seconds rose")
    sarif = cli(
        "diff", "git:main~1:sub/a b.worker.md", "git:HEAD:sub/a b.worker.md", "--format", "sarif", cwd=repository
    )
    place = sarif.document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sub/a%20b.worker.md"}


def test_a_revision_against_the_working_tree(cli: Cli, repository: Path) -> None:
    (repository / "sub" / "a b.worker.md").write_text(new("2.0.0", timeout_seconds=30))
    assert cli("diff", "git:HEAD~1:sub/a b.worker.md", "sub/a b.worker.md", cwd=repository).code == 0


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("git:nope:sub/a b.worker.md", "invalid object name"),
        ("git:HEAD:nope.worker.md", "does not exist"),
        ("git:HEAD:sub", "bad file"),
        ("git:HEAD", "not of the form git:REV:path"),
        ("git::path", "not of the form git:REV:path"),
        ("git:--output=x:path", "not of the form git:REV:path"),
    ],
)
def test_a_reference_that_leads_nowhere(cli: Cli, repository: Path, reference: str, said: str) -> None:
    done = cli("diff", reference, "sub/a b.worker.md", cwd=repository)
    assert (done.code, done.out) == (2, b"")
    assert done.err.count("\n") == 1
    assert reference in done.err
    assert said in done.err
    assert sorted(os.listdir(repository)) == [".git", "sub"]


def test_without_git(cli: Cli, repository: Path, tmp_path: Path) -> None:
    done = cli("diff", "git:HEAD:a", "sub/a b.worker.md", cwd=repository, env={"PATH": str(tmp_path / "none")})
    assert done.code == 2
    assert "git is not installed" in done.err


def test_outside_a_repository(cli: Cli, files: Path) -> None:
    done = cli("diff", "git:HEAD:a", "old.worker.md", env={"GIT_CEILING_DIRECTORIES": str(files.parent)})
    assert done.code == 2
    assert "not a git repository" in done.err


def test_standard_input(cli: Cli, files: Path) -> None:
    done = cli("diff", "old.worker.md", "-", given=new(timeout_seconds=30))
    assert done.code == 1
    assert done.out.startswith(b"-:68:20: breaking:")
    twice = cli("diff", "-", "-", given=OLD)
    assert twice.code == 2
    assert "both contracts are '-'" in twice.err


def test_a_contract_with_errors_is_not_compared(cli: Cli, files: Path) -> None:
    (files / "new.worker.md").write_text(OLD.replace("timeout_seconds: 20", "timeout_seconds: soon"))
    done = cli("diff", "old.worker.md", "new.worker.md", "--exit-zero")
    assert (done.code, done.out) == (2, b"")
    assert "[WM606]" in done.err
    assert "cannot be compared" in done.err


def test_no_such_file(cli: Cli, files: Path) -> None:
    assert cli("diff", "old.worker.md", "gone.worker.md").code == 2


def test_a_wrong_choice_is_a_usage_error(cli: Cli, files: Path) -> None:
    done = cli("diff", "old.worker.md", "old.worker.md", "--fail-on", "all")
    assert done.code == 2
    assert "Traceback" not in done.err


def test_it_runs_as_python_module_too(files: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workermd", "diff", "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert "--fail-on" in done.stdout
