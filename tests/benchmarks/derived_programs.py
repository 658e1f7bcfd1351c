"""`python -m tests.benchmarks.derived_programs [NAME…] [--folder FOLDER]`: contracts derived from real command lines, and run.

Each program is cloned and installed as for the table of command lines. Its interface is chosen from the list that
`derive` prints, its contract is derived, the program is bound in a configuration, and the contract runs with an input
that means something. Nothing else is written for a program. See docs/derive-interfaces.md for the table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.command_lines import LIST, NAMED, Program, prepared

FIRST = 72
SECONDS = 300


class Call(NamedTuple):
    """One interface with an input. `shows` stands in the answer, or in the file `made` that the program leaves."""

    name: str
    given: dict[str, Any]
    shows: str
    made: str = ""
    status: str = "ok"
    ok_exit_codes: tuple[int, ...] = ()


OLD = "import os\nfrom typing import List\n\n\ndef words(text: str) -> List[str]:\n    return '{}'.format(text).split( )\n"
FILES = {
    "rows.json": '[{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}]',
    "old.py": OLD,
    "older.py": OLD,
    "query.sql": "SELECT a  from t\n",
    "template/cookiecutter.json": '{"name": "greeter", "who": "world"}',
    "template/{{cookiecutter.name}}/hello.txt": "Hello, {{cookiecutter.who}}!\n",
    "site/mkdocs.yml": "site_name: Widgets\ntheme: null\n",
    "projects.yml": "projects: []\n",
    "site/docs/index.md": "# Widgets\n\nAll about *widgets*.\n",
}
"""What lies in the folder of the runs."""

CALLS: dict[str, tuple[Call, ...]] = {
    "sqlite-utils": (
        Call("sqlite-utils insert", {"path": "a.db", "table": "people", "file": "rows.json", "pk": ["id"]}, ""),
        Call("sqlite-utils tables", {"path": "a.db", "counts": True}, '"count": 2'),
        Call(
            "sqlite-utils query",
            {"path": "a.db", "sql": "select name from people where id = :id", "param": [["id", "2"]]},
            '"name": "Grace"',
        ),
        Call(
            "sqlite-utils query",
            {"path": "a.db", "sql": "select * from towns"},
            "no such table: towns",
            status="invalid_output",
        ),
    ),
    "black": (
        Call("black", {"src": ["old.py"], "check": True}, "would reformat old.py", ok_exit_codes=(1,)),
        Call("black", {"code": "x = {  'a':1 }"}, 'x = {"a": 1}'),
    ),
    "pyupgrade": (
        Call(
            "pyupgrade",
            {"filenames": ["older.py"], "min_version": "py39-plus"},
            "-> list[str]",
            made="older.py",
            ok_exit_codes=(1,),
        ),
    ),
    "cookiecutter": (
        Call(
            "cookiecutter",
            {"template": "template", "no_input": True, "extra_context": ["who=you"]},
            "Hello, you!",
            made="greeter/hello.txt",
        ),
    ),
    "mkdocs": (
        Call("mkdocs build", {"config_file": "site/mkdocs.yml"}, "<em>widgets</em>", made="site/site/index.html"),
        Call("mkdocs get-deps", {"config_file": "site/mkdocs.yml", "projects_file": "projects.yml"}, "mkdocs"),
    ),
    "pipx": (
        Call("pipx environment", {"value": "PIPX_HOME"}, "pipx"),
        Call("pipx list", {"output": "json"}, "pipx_spec_version"),
    ),
    "autoflake": (
        Call(
            "autoflake", {"files": ["old.py"], "remove_all_unused_imports": True, "write_to_stdout": True}, "def words"
        ),
    ),
    "sqlfluff": (
        Call(
            "sqlfluff lint",
            {"paths": ["query.sql"], "dialect": "ansi", "format": "json"},
            '"code": "CP01"',
            ok_exit_codes=(1,),
        ),
        Call("sqlfluff dialects", {}, "postgres"),
    ),
}


class Ending(NamedTuple):
    """What a run gave. `exit_code` is the program's, None where the contract has no answer."""

    status: str
    exit_code: int | None
    said: str
    is_right: bool


def workermd(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder / "home"), "WORKERMD_LEDGER": str(folder / "ledger.db")}
    return subprocess.run(
        (sys.executable, "-m", "workermd", *words),
        cwd=folder / "runs",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def derived(folder: Path, clone: Path, name: str) -> str:
    """The contract's file, from the interface of this name. Raises RuntimeError."""
    listed = workermd(folder, "derive", str(clone), "--list-interfaces").stdout.splitlines()
    interface = next((line.split("\t")[0] for line in listed if line.split("\t")[0].endswith(f"#{name}")), "")
    file = f"{name.replace(' ', '-')}.worker.md"
    if (folder / "runs" / file).exists():
        return file
    done = workermd(folder, "derive", str(clone), "--interface", interface, "-o", file)
    if not interface or done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip() or 'derive lists no such interface'}")
    return file


def bound(folder: Path, file: str, program: Path, call: Call) -> None:
    """The operator's part: the program, and the exit codes that are answers."""
    head = (folder / "runs" / file).read_text().split("\n---\n")[0]
    worker = next(line.removeprefix("id: ") for line in head.splitlines() if line.startswith("id: "))
    text = f'[workers.{worker}]\nbackend = "program"\ncommand = ["{program}"]\n'
    codes = f"ok_exit_codes = {list(call.ok_exit_codes)}\n" if call.ok_exit_codes else ""
    (folder / "runs" / "workermd.toml").write_text(text + codes)


def ran(folder: Path, file: str, call: Call, run_id: str) -> Ending:
    given = folder / "runs" / "input.json"
    given.write_text(json.dumps({"run_id": run_id, **call.given}))
    done = workermd(folder, "run", file, "input.json")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return Ending(f"exit {done.returncode}", None, done.stderr.strip()[-300:], False)
    result = answer["result"]
    said = f"{result.get('stdout', '')}{result.get('stderr', '')}" or result.get("error", {}).get("message", "")
    made = folder / "runs" / call.made
    told = made.read_text() if call.made and made.is_file() else said
    told = told[told.find(call.shows) if call.made and call.shows in told else 0 :]
    return Ending(
        answer["status"], result.get("exit_code"), told, answer["status"] == call.status and call.shows in told
    )


def laid_out(folder: Path) -> None:
    (folder / "home").mkdir()
    for name, text in FILES.items():
        path = folder / "runs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def measured(folder: Path, scene: Path, program: Program, calls: tuple[Call, ...]) -> tuple[int, int]:
    """Prints a row for each call; how many of how many ended as they should."""
    clone, python = prepared(folder, program)
    right = 0
    for number, call in enumerate(calls):
        file = derived(scene, clone, call.name)
        bound(scene, file, python.parent / program.command, call)
        ending = ran(scene, file, call, f"{program.command}-{number}")
        right += ending.is_right
        mark = "" if ending.is_right else " (not as expected)"
        said = ending.said.replace(str(scene), "…").replace(f"{python.parent}{os.sep}", "")
        words = " ".join(said.split()).replace("|", "\\|").replace("`", "'")
        shown = f"`{words[:FIRST].strip()}`" if words else "(nothing)"
        where = f", in `{call.made}`" if call.made and ending.is_right else ""
        code = "-" if ending.exit_code is None else ending.exit_code
        given = json.dumps(call.given).replace("|", "\\|")
        print(f"| `{call.name}` | `{given}` | {ending.status}{mark} | {code} | {shown}{where} |", flush=True)
    return right, len(calls)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="programs, by the name of their repository")
    parser.add_argument("--folder", help="keeps clones and environments there")
    given = parser.parse_args()
    right = count = 0
    programs = [program for program in (*NAMED, *LIST) if program.repository.rpartition("/")[2] in CALLS]
    with tempfile.TemporaryDirectory() as temporary:
        scene = Path(temporary)
        laid_out(scene)
        print("| interface | input | status | exit code | first words |\n|---|---|---|---|---|")
        for program in programs:
            name = program.repository.rpartition("/")[2]
            if given.names and name not in given.names:
                continue
            try:
                good, all_of_it = measured(Path(given.folder or temporary).resolve(), scene, program, CALLS[name])
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                good, all_of_it = 0, len(CALLS[name])
                print(f"not measured: {program.repository}: {error}", flush=True)
            right, count = right + good, count + all_of_it
    print(f"{right} of {count} runs ended as expected")
    return 0 if right == count > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
