"""The README is run: every command with its output, every file it shows, every table against the code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, patience
from workermd.protocol.envelope import Status
from workermd.testing import Server
from workermd.workers import SHIPPED

README = (ROOT / "README.md").read_text()


def blocks_of(page):
    """The fenced blocks of a page: their kinds and texts."""
    return re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


BLOCKS = blocks_of(README)

PORT = 8765
"""Where the pages start the scripted server."""


@pytest.fixture
def place(tmp_path, cli):
    """A folder with what a clone has, the README's files, and `workermd` on the path. The scripted server that the
    README starts plays at another port: a fixed one may be taken."""
    for name in ("contracts", "registry"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with Server.from_file(str(ROOT / "contracts" / "examples" / "agents" / "answers.json"), loop=True) as server:
        blocks = at_port(BLOCKS, server.port)
        yield tmp_path, laid_out(tmp_path, cli, blocks), blocks


def at_port(blocks, port):
    """The blocks of a page with the port of the endpoint that runs."""
    return [(kind, text.replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{port}")) for kind, text in blocks]


def laid_out(folder, cli, blocks):
    """Write the files that a page shows; the environment in which its commands run."""
    for kind, text in blocks:
        if kind in ("python", "sh", "toml", "yaml") and re.match(r"# [\w.]+\n", text):
            name, _, body = text.partition("\n")
            (folder / name.removeprefix("# ")).write_text(body)
        elif kind == "json":
            (folder / "input.json").write_text(text)
    program = folder / "bin" / "workermd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m workermd "$@"\n')
    program.chmod(0o755)
    return cli.environment | {"PATH": f"{program.parent}:{cli.environment['PATH']}"}


def examples(blocks):
    """Each `$ command` of a console block with the lines that it prints."""
    for kind, text in blocks:
        if kind != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def pattern(expected):
    """`…` on a line stands for any text, alone on a line for any lines."""
    return "".join(
        "(.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + "\n"
        for line in expected.splitlines()
    )


def test_every_command_prints_what_the_readme_shows(place):
    assert printed_as_shown(*place) >= 5


def printed_as_shown(folder, environment, blocks):
    """Run every command that a page shows, hold what it prints against the page; how many there were."""
    count = 0
    for command, expected in examples(blocks):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=patience(60),
            check=False,
        )
        # A terminal shows both streams; here they are joined in the order in which the README has them.
        printed = [done.stdout + done.stderr, done.stderr + done.stdout]
        tail = re.search(r"exit \d+\n$", done.stdout)
        if tail:
            printed.append(done.stdout[: tail.start()] + done.stderr + tail[0])
        assert any(re.fullmatch(pattern(expected), each) for each in printed), (command, printed[0])
        count += 1
    return count


def test_the_make_targets_shown_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_it_is_short():
    """One screen to the first run, then links."""
    assert len(README.splitlines()) <= 150


def test_the_table_of_exit_codes_is_right():
    rows = dict(re.findall(r"^\| (\d) \| `(\w+)`", README, re.MULTILINE))
    assert rows == {str(status.exit_code): status.value for status in Status}


def test_the_table_of_contracts_is_complete():
    table = (ROOT / "docs" / "start.md").read_text().split("## Shipped contracts")[1]
    contracts = {path.name.removesuffix(".worker.md") for path in (ROOT / "contracts").glob("*.worker.md")}
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == contracts > set(SHIPPED)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:docs|contracts|workermd|registry)/[\w./-]*)`", README))))
def test_every_path_named_exists(path):
    assert Path(ROOT / path).exists()
