"""`docs/testing.md` is run: its examples, its tables against the code, its file and its command."""

import dataclasses
import inspect
import re
import signal
import subprocess
import sys
import urllib.error

import pytest

from tests.conftest import ROOT, patience
from workermd import testing
from workermd.testing import Server, load
from workermd.testing.__main__ import _parser
from workermd.testing.turns import KINDS

PAGE = (ROOT / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TURNS = re.findall(r"^\| `([A-Z].*?)` \| `(\{.*?\})` \| .* \|$", PAGE, re.MULTILINE)


def namespace():
    """What the page's examples leave behind, run one after the other."""
    names: dict[str, object] = {}
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "docs/testing.md", "exec"), names)
    return names


def test_every_example_runs():
    assert sum(kind == "python" for kind, _ in BLOCKS) >= 4
    names = namespace()
    names["server"].close()
    with Server([testing.Problem(500)]) as server, pytest.raises(urllib.error.HTTPError) as raised:
        names["summarize"]("x", server.url)
    raised.value.close()


def test_the_fixture_shown_is_one(tmp_path):
    fixture = next(text for kind, text in BLOCKS if "@pytest.fixture" in text)
    (tmp_path / "test_mine.py").write_text(
        f"from workermd.testing import Server, Text\n{fixture}\n\n"
        "def test_it(play):\n    assert play(Text('x'), key='k').url.startswith('http://127.0.0.1:')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=patience(60), check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(("turn", "form"), TURNS)
def test_both_forms_of_a_turn_are_the_same(turn, form, tmp_path):
    (tmp_path / "script.json").write_text(f"[{form}]")
    assert load(str(tmp_path / "script.json")) == (eval(turn, vars(testing)),)


def test_every_kind_of_turn_stands_in_the_table():
    assert {turn.partition("(")[0] for turn, _ in TURNS} == {kind.__name__ for kind in KINDS}


def table(heading):
    """The first column of the table with this heading, code marks taken off."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_options_and_attributes_are_those_of_the_server():
    rows = {
        row.split("|")[1].strip(" `"): row.split("|")[2].strip(" `") for row in PAGE.splitlines() if row.count("|") == 4
    }
    for name, parameter in inspect.signature(Server).parameters.items():
        if name != "script":
            assert rows.pop(name) == ("all four" if name == "supports" else repr(parameter.default).replace("'", '"'))
    told = {each.partition("(")[0] for each in table("attribute")}
    with Server([]) as server:
        assert told == {name for name in dir(server) if not name.startswith("_")} - {"from_file"}
    fields = [field.name for field in dataclasses.fields(testing.Received)]
    assert ", ".join(f"`{name}`" for name in fields) in PAGE


def test_options_of_the_command_are_those_of_the_page():
    listed = re.findall(r"^\| `(--[^`]+)` \|", PAGE, re.MULTILINE)
    options = [action for action in _parser()._actions if action.option_strings and action.dest != "help"]
    assert listed == [f"{option.option_strings[0]} {option.metavar or ''}".strip() for option in options]


def test_the_file_and_the_command_shown(tmp_path):
    script = next(text for kind, text in BLOCKS if kind == "json")
    (tmp_path / "script.json").write_text(script)
    shown = next(text for kind, text in BLOCKS if kind == "console")
    command, url, *lines = shown.splitlines()
    words = command.removeprefix("$ python ").split()
    words[words.index("--port") + 1] = "0"  # the one shown may be taken
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        real = process.stdout.readline()
        assert re.sub(r"\d+/", "N/", real) == re.sub(r"\d+/", "N/", url + "\n")
        names = namespace()
        with pytest.raises(urllib.error.HTTPError) as raised:
            names["summarize"]("x", real.strip())
        raised.value.close()
        with pytest.raises(TypeError):  # a call of a tool has no content
            names["summarize"]("x", real.strip())
        assert names["summarize"]("x", real.strip()) == {"summary": "seen"}
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=patience(30))
    assert (process.returncode, out) == (0, "")
    without_time = [re.sub(r"^ +\d+\.\d{3} ", "", line) for line in (*lines, *err.splitlines())]
    assert without_time[:3] == without_time[3:6]
    assert len((tmp_path / "seen.jsonl").read_text().splitlines()) == 3
