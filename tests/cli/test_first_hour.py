"""What a newcomer begins with: a contract that runs as it was written, a configuration, the pages."""

import json
import os
import shutil
import tomllib

import pytest

from tests.conftest import ROOT
from workermd.cli import main, pages, starters
from workermd.config import configuration


@pytest.fixture
def call(tmp_path, monkeypatch, capfdbinary):
    """`workermd` in this process, in a folder of its own: the exit code, and what both streams got."""
    monkeypatch.chdir(tmp_path)

    def answer(*words):
        code = main.answer(list(words))
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return answer


def command_of(printed):
    """The command that `new` says comes next."""
    return printed.splitlines()[-1].removeprefix("next: workermd ").split()


@pytest.mark.parametrize(
    ("name", "options", "program"),
    [
        ("greet", [], ""),
        ("a-1.x", ["--language", "python"], ""),
        ("count", ["--language", "node"], "node"),
        ("words", ["--language", "shell"], "jq"),
    ],
)
def test_what_is_new_validates_and_runs_as_it_stands(cli, call, name, options, program):
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here")
    code, out, _ = call("new", name, *options)
    assert code == 0
    assert call("validate", "--strict")[2] == "0 errors, 0 warnings in 1 file\n"
    assert call("fmt", ".", "--check")[0] == 0
    done = cli(*command_of(out), "--env", "PYTHONPATH")
    assert (done.code, done.document["result"]) == (0, {"words": 4}), done.err


def test_a_new_agent_is_ready_for_a_model(call, monkeypatch):
    monkeypatch.setenv("WORKERMD_LEDGER", os.path.abspath("ledger.db"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    code, out, _ = call("new", "sum-up", "--agent")
    assert code == 0
    assert call("validate", "--strict")[0] == 0
    words = command_of(out)
    assert words[-2:] == ["--model", "NAME"]
    code, printed, _ = call(*words, "--dry-run")
    assert (code, json.loads(printed)["would"]) == (0, "attempt")


def test_new_overwrites_nothing_and_takes_no_odd_name(call, tmp_path):
    (tmp_path / "greet.input.json").write_text("mine")
    code, _, err = call("new", "greet")
    assert (code, err) == (
        2,
        "workermd: greet.input.json: is there already; nothing was written; choose another NAME, or move it away\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["greet.input.json"]
    for name, said in {"a/b": "is no worker's id", "..": "", "-x": "no option", "a b": "no worker's id"}.items():
        code, _, err = call("new", name)
        assert (code, said in err) == (2, True), err
    assert "exclude each other" in call("new", "x", "--agent", "--language", "node")[2]


def test_init_writes_a_configuration_whose_every_example_is_one(call, tmp_path):
    code, out, _ = call("init")
    assert (code, out.splitlines()[-1]) == (0, "next: workermd new NAME")
    text = (tmp_path / "workermd.toml").read_text()
    assert tomllib.loads(text) == {}
    examples = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith("# [") or (" = " in line and line.startswith("# "))
    ]
    (tmp_path / "workermd.toml").write_text("\n".join(examples))
    settings = configuration.load(configuration.Flags(config="workermd.toml"))
    assert set(settings.workers) == {"greet", "count", "sum-up"}
    assert (settings.lint_exclude, settings.lint_ignore) == (("drafts",), ("WM515",))
    assert "is there already" in call("init")[2]
    assert text == starters.CONFIGURATION


def test_every_page_is_listed_and_printed(call):
    code, out, _ = call("docs")
    assert code == 0
    listed = [line.split("  ")[0] for line in out.splitlines()]
    assert listed == list(pages.names())
    assert set(listed) == {str(path.relative_to(ROOT / "docs"))[:-3] for path in (ROOT / "docs").rglob("*.md")}
    assert all(line.split("  ", 1)[1].strip() for line in out.splitlines()), "each has a title"
    for wanted in ("rules", "docs/rules.md"):
        assert call("docs", wanted)[1] == (ROOT / "docs" / "rules.md").read_text()
    assert call("docs", "ruels") == (
        2,
        "",
        "workermd: there is no page 'ruels'; did you mean rules? see: workermd docs\n",
    )
