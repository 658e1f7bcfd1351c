"""What runs in `auto` and in `strict`: shipped workers, frameworks, MCP servers of others, programs. A table, as Markdown.

A row runs where its answer is the one that it has with `off`, a refusal of the input included.

    python -m tests.sandbox.compatibility [--npm FOLDER] [--python VENV]

Nothing is replayed: agents talk to a scripted server on loopback. FOLDER has `node_modules` with servers of the Model Context
Protocol, VENV has others from PyPI; what is not there is a row that says so. The operator grants both
folders under a name, or `strict` would not show them. Exit 1 where something does not run in `auto`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT, contract_text
from workermd.testing import Server, Text

MODES = ("off", "auto", "strict")
ANSWER = json.dumps({"status": "ok", "result": {"text": "done"}})
SECONDS = 120
CALLED = {
    "type": "object",
    "required": ["run_id", "tool", "arguments"],
    "properties": {"run_id": {"type": "string"}, "tool": {"type": "string"}, "arguments": {"type": "object"}},
}
PROGRAMS = {
    "sh, git": ["/bin/sh", "-c", "cd \"$WORKERMD_ARTIFACTS\" && git init -q r && git -C r status -s && printf '{\"result\": {}}'"],
    "node": ["node", "-e", "console.log(JSON.stringify({result: {pid: process.pid}}))"],
    "a C compiler": [
        "/bin/sh", "-c",
        "cd \"$WORKERMD_ARTIFACTS\" && echo 'int puts(const char *); int main(void) { puts(\"{\\\"result\\\": {}}\"); return 0; }' > a.c && cc a.c && ./a.out",
    ],
    "perl": ["perl", "-e", "print '{\"result\": {}}'"],
    "a pool of processes": [
        sys.executable, "-c",
        "import json, multiprocessing as m\nif __name__ == '__main__':\n    with m.Pool(2) as p: print(json.dumps({'result': {'n': sum(p.map(abs, range(9)))}}))",
    ],
}  # fmt: skip


class Row(NamedTuple):
    """One thing to run: words behind `workermd run CONTRACT INPUT`, or why it is not here."""

    name: str
    contract: Path
    given: Path
    words: list[str]
    absent: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description="What runs in auto and in strict.")
    parser.add_argument("--npm", default="", metavar="FOLDER")
    parser.add_argument("--python", default="", metavar="VENV")
    options = parser.parse_args()
    failed = False
    print("| | `auto` | `strict` |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name, Server([Text(ANSWER)] * 50) as server:
        folder = Path(name)
        for row in [*shipped(), *agents(folder, server.url), *servers(folder, options), *programs(folder)]:
            without, *within = [row.absent or ran(row, mode, folder) for mode in MODES]
            told = [row.absent or ("runs" if each == without else each) for each in within]
            failed |= not row.absent and told[0] != "runs"
            print(f"| {row.name} | {told[0]} | {told[1]} |", flush=True)
    return int(failed)


def ran(row: Row, mode: str, folder: Path) -> str:
    """The exit code, and the message of a failure."""
    ledger = folder / "state" / f"{mode}-{abs(hash(row.name))}.db"
    words = [
        "run",
        str(row.contract),
        str(row.given),
        "--ledger",
        str(ledger),
        "--sandbox",
        mode,
        "--envelope",
        *row.words,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "workermd", *words], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False,
        env=os.environ | {"WORKERMD_TABLE_KEY": "k"},
    )  # fmt: skip
    if done.returncode == 0:
        return "0"
    error = (json.loads(done.stdout or "{}").get("error") or {}).get("message", done.stderr[-200:])
    return f"{done.returncode} {' '.join(error.split())[:160]}".replace("|", "/")


def shipped() -> list[Row]:
    names = ("data-validation", "output-gate", "aggregate", "code-review", "web-extract")
    examples = ROOT / "contracts" / "examples"
    return [
        Row(f"shipped `{name}`", ROOT / "contracts" / f"{name}.worker.md", examples / f"{name}.input.json", [])
        for name in names
    ]


def agents(folder: Path, url: str) -> list[Row]:
    contract, given = written(folder, "agent", constraints={"timeout_seconds": 60, "max_turns": 4})
    model = ["--model", "m", "--base-url", url, "--api-key-env", "WORKERMD_TABLE_KEY"]
    kinds = ("chat", "ag2", "agent-framework")
    return [Row(f"agent on `{kind}`", contract, given, ["--backend", kind, *model]) for kind in kinds]


def servers(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Servers of the Model Context Protocol that nobody here wrote, one call each."""
    modules = Path(options.npm or ".", "node_modules", "@modelcontextprotocol").absolute()
    scripts = Path(options.python or ".", "bin").absolute()
    known = [
        ("server-everything (npm)", [str(modules / "server-everything" / "dist" / "index.js")], "echo", {"message": "hi"}),
        (
            "server-filesystem (npm)", [str(modules / "server-filesystem" / "dist" / "index.js"), str(ROOT / "contracts")],
            "list_directory", {"path": str(ROOT / "contracts")},
        ),
        ("mcp-server-time (PyPI)", [str(scripts / "mcp-server-time")], "get_current_time", {"timezone": "UTC"}),
        (
            "mcp-server-fetch (PyPI)", [str(scripts / "mcp-server-fetch"), "--ignore-robots-txt"],
            "fetch", {"url": "http://127.0.0.1:9/"},
        ),
    ]  # fmt: skip
    rows = []
    for name, command, tool, arguments in known:
        contract, given = written(
            folder, name.split()[0], input_schema=CALLED, fields={"tool": tool, "arguments": arguments},
            constraints={"timeout_seconds": 60, "tools_allowed": f"[{tool}]"}, mode="tool-gateway-worker",
        )  # fmt: skip
        node = [shutil.which("node") or "node"] if command[0].endswith(".js") else []
        granted = {"npm": str(modules.parent), "python": str(scripts.parent)}
        config = folder / f"{contract.name}.toml"
        config.write_text(
            f"[workers.{name.split()[0]}]\nbackend = 'mcp'\ncommand = {json.dumps([*node, *command])}\n"
            + "".join(f"files.{key} = {json.dumps(path)}\n" for key, path in granted.items())
        )
        absent = "" if os.path.exists(command[0]) and (not node or shutil.which("node")) else "not here"
        rows.append(Row(name, contract, given, ["--config", str(config)], absent))
    return rows


def programs(folder: Path) -> list[Row]:
    contract, given = written(folder, "program")
    here = {name: shutil.which(words[0]) for name, words in PROGRAMS.items()}
    return [
        Row(name, contract, given, ["--backend", "command", "--", *words], "" if here[name] else "not here")
        for name, words in PROGRAMS.items()
    ]


def written(folder: Path, name: str, *, fields: dict | None = None, **parts: object) -> tuple[Path, Path]:
    """A contract and an input of this name."""
    contract, given = folder / f"{name}.worker.md", folder / f"{name}.json"
    contract.write_text(contract_text(id=name, **parts))  # type: ignore[arg-type]
    given.write_text(json.dumps({"run_id": "r1", **(fields or {})}))
    return contract, given


if __name__ == "__main__":
    sys.exit(main())
