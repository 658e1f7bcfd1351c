"""`python -m tests.benchmarks.command_lines [NAME…] [--folder FOLDER]`: what derive says of command lines, held against the programs.

Each program is cloned and installed into an environment of its own, its own parser is asked what it takes, and counted:
parameters that the contract names, those that it invents, correct calls that its schema refuses, and calls written by
`x-call` that the program's parser refuses. Nothing of a program is kept. See docs/derive.md for the table.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, NamedTuple

from workermd.contract.schema import checker
from workermd.derive.interfaces.cli import find
from workermd.derive.interfaces.commands import REST
from workermd.derive.model import Interface
from workermd.derive.source import open_repository
from workermd.protocol.call import Unwritable, words_of

HOST = "https://github.com"
PROBE = Path(__file__).with_name("command_line_probe.py")
WANTED = 0.95
DRAWN = 5


class Program(NamedTuple):
    repository: str
    command: str
    target: str
    files: tuple[tuple[str, str], ...] = ()
    """What the program wants to find in its folder before it reads its arguments."""


NAMED = (
    Program("simonw/sqlite-utils", "sqlite-utils", "sqlite_utils.cli:cli"),
    Program("mkdocs/mkdocs", "mkdocs", "mkdocs.__main__:cli"),
    Program("pypa/pipx", "pipx", "pipx.main:cli"),
    Program("psf/black", "black", "black:patched_main"),
    Program("asottile/pyupgrade", "pyupgrade", "pyupgrade._main:main"),
    Program("cookiecutter/cookiecutter", "cookiecutter", "cookiecutter.__main__:main"),
    Program("fastapi/typer", "typer", "typer.cli:main"),
)
# Stated before any was derived; five are drawn. fastapi/fastapi-cli was drawn and declares no console script.
LIST = (
    Program("pallets/flask", "flask", "flask.cli:main"),
    Program("simonw/datasette", "datasette", "datasette.cli:cli"),
    Program("PyCQA/flake8", "flake8", "flake8.main.cli:main"),
    Program("PyCQA/isort", "isort", "isort.main:main"),
    Program("PyCQA/bandit", "bandit", "bandit.cli.main:main"),
    Program("pre-commit/pre-commit", "pre-commit", "pre_commit.main:main"),
    Program("tox-dev/tox", "tox", "tox.run:run"),
    Program("jrnl-org/jrnl", "jrnl", "jrnl.main:run"),
    Program("encode/uvicorn", "uvicorn", "uvicorn.main:main"),
    Program("mwouts/jupytext", "jupytext", "jupytext.cli:jupytext"),
    Program("twisted/towncrier", "towncrier", "towncrier._shell:cli"),
    Program("commitizen-tools/commitizen", "cz", "commitizen.cli:main"),
    Program("jendrikseipp/vulture", "vulture", "vulture.core:main"),
    Program("PyCQA/autoflake", "autoflake", "autoflake:main"),
    Program("sqlfluff/sqlfluff", "sqlfluff", "sqlfluff.cli.commands:cli"),
    Program("locustio/locust", "locust", "locust.main:main"),
    Program("Textualize/rich-cli", "rich", "rich_cli.__main__:run"),
    Program("httpie/cli", "http", "httpie.__main__:main"),
    Program("simonw/llm", "llm", "llm.cli:cli"),
    Program("jazzband/pip-tools", "pip-compile", "piptools.scripts.compile:cli"),
)
UNREACHABLE = {
    "locustio/locust": "without a locustfile it comes to the parser of the file's name alone, and with one it starts"
}
SEED = "workermd"
NOT_DECLARED = ("help", "install_completion", "show_completion")
"""What the libraries add by themselves. `version` of click's `version_option` prints and ends: it is no argument either."""


KNOWN_KINDS = {
    *(
        "str",
        "int",
        "float",
        "bool",
        "Path",
        "PosixPath",
        "StringParamType",
        "IntParamType",
        "FloatParamType",
        "IntRange",
    ),
    *(
        "BoolParamType",
        "Path",
        "File",
        "Choice",
        "Tuple",
        "FloatRange",
        "TyperPath",
        "UUIDParameterType",
        "TyperChoice",
    ),
}
"""Types of which a right value is known; functions of the programs' own take what they take."""


class Count(NamedTuple):
    """`right` of `real` parameters; `invented`; commands `found` of `there`; `refused` correct calls of `calls`; `unparsed`."""

    right: int
    real: int
    invented: int
    found: int
    there: int
    refused: int
    calls: int
    unparsed: int
    open: int


def drawn() -> list[Program]:
    """LIST in the order of the draw: the first five that can be measured count."""
    return random.Random(SEED).sample(sorted(LIST), len(LIST))


def _run(*words: str, give: str = "", folder: str | None = None, seconds: float = 900) -> str:
    done = subprocess.run(words, input=give, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:4])}: {done.stderr[-400:]}")
    return done.stdout


def prepared(folder: Path, program: Program) -> tuple[Path, Path]:
    """The clone and the interpreter of the program's own environment, made where they are not there yet."""
    name = program.repository.rpartition("/")[2]
    clone, home = folder / name, folder / "venvs" / name
    if not clone.exists():
        _run("git", "clone", "--quiet", "--depth", "1", f"{HOST}/{program.repository}", str(clone))
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(clone))
    return clone, python


def asked(python: Path, program: Program, calls: list[list[str]]) -> dict[str, Any]:
    """What the program's parser says of itself and of the calls."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in program.files:
            (Path(folder) / name).write_text(text)
        return json.loads(
            _run(str(python), str(PROBE), program.target, give=json.dumps(calls), folder=folder, seconds=60)
        )


def values_of(parameter: dict[str, Any]) -> Any:
    """A value that the program takes for a parameter, by what its own parser says."""
    if parameter["choices"]:
        one: Any = parameter["choices"][0]
    elif parameter["kind"] in ("int", "IntParamType", "IntRange", "float", "FloatParamType", "FloatRange"):
        one = max(1, parameter["low"] or 1)
    else:
        one = {"BoolParamType": True, "UUIDParameterType": "0" * 8 + "-0000-4000-8000-" + "0" * 12}.get(
            parameter["kind"], "word"
        )
    if parameter["kinds"]:
        pairs = zip(parameter["kinds"], parameter["of"], strict=True)
        one = [of[0] if of else 1 if "Int" in kind or "Float" in kind else "word" for kind, of in pairs]
    elif isinstance(parameter["nargs"], int) and parameter["nargs"] > 1:
        one = [one] * parameter["nargs"]
    elif parameter["nargs"] in (-1, "*", "+", "...", "A..."):
        one = [one]
    if parameter["count"]:
        return 1
    if parameter["flag"]:
        return True
    return [one] if parameter["several"] else one


def shared(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """A value for each name; of several flags for one name any of the labels that the contract gives them."""
    found: dict[str, Any] = {}
    for parameter in parameters:
        found.setdefault(parameter["name"], parameter.get("flag_value") or values_of(parameter))
    return found


def correct_calls(parameters: list[dict[str, Any]], interface: Interface) -> list[dict[str, Any]]:
    """What is required alone, and with each other parameter once."""
    values = shared(parameters)
    required = {p["name"]: values[p["name"]] for p in parameters if p["required"]}
    several = {name for name in values if sum(p["name"] == name for p in parameters) > 1}
    for name in several:
        labels = interface.input_schema["properties"].get(name, {})
        ways = [labels, labels.get("items", {}), *labels.get("anyOf", ())]
        labels = next((way["enum"] for way in ways if "enum" in way), None)
        values[name] = labels[0] if labels else values[name]
    odd = {p["name"] for p in parameters if p["kind"] not in KNOWN_KINDS and not p["choices"] and not p["flag"]}
    values = {name: value for name, value in values.items() if name not in odd or name in required}
    return [required, *({**required, name: value} for name, value in values.items() if name not in required)]


def counted(folder: Path, program: Program) -> tuple[Count, list[str]]:
    clone, python = prepared(folder, program)
    repository = open_repository(str(clone))
    interfaces = [one for one in find(repository) if one.name.split()[0] == program.command]
    by_words = {
        tuple(word for word in one.call["line"] if isinstance(word, str)): one for one in interfaces if one.call
    }
    real = asked(python, program, [])
    count, said, lines = Count(*[0] * 9), [], []
    for command in real["commands"]:
        parameters = [p for p in command["parameters"] if p["name"] not in NOT_DECLARED and not p.get("ends")]
        names = {p["name"] for p in parameters}
        interface = by_words.pop(tuple(command["words"]), None)
        count = count._replace(real=count.real + len(names), there=count.there + 1)
        if interface is None:
            said.append(f"{' '.join(command['words'])}: not found, {len(names)} parameters")
            continue
        have = set(interface.input_schema["properties"]) - {REST}
        calls = correct_calls(parameters, interface)
        accepts = checker(interface.input_schema, "2020-12").accepts
        bad = [call for call in calls if not accepts(call)]
        said += [f"{interface.name}: refuses {call}" for call in bad]
        said += [f"{interface.name}: lacks {', '.join(sorted(names - have))}"] if names - have else []
        said += [f"{interface.name}: invents {', '.join(sorted(have - names))}"] if have - names else []
        for call in calls:
            if accepts(call):
                try:
                    lines.append(
                        (interface.name, words_of(interface.call or {}, {k: v for k, v in call.items() if k in have}))
                    )
                except Unwritable as refused:
                    said.append(f"{interface.name}: {refused}")
        count = count._replace(
            right=count.right + len(have & names),
            invented=count.invented + len(have - names),
            found=count.found + 1,
            refused=count.refused + len(bad),
            calls=count.calls + len(calls),
            open=count.open + (interface.input_schema["additionalProperties"] is not False),
        )
    said += [f"{one.name}: the program has no such command" for one in by_words.values()]
    count = count._replace(
        invented=count.invented + sum(len(one.input_schema["properties"]) for one in by_words.values())
    )
    refusals = asked(python, program, [line for _, line in lines])["refusals"]
    wrong = [(name, line, refusal) for (name, line), refusal in zip(lines, refusals, strict=True) if refusal]
    said += [f"{name}: {' '.join(line)}: {refusal}" for name, line, refusal in wrong]
    return count._replace(unparsed=len(wrong)), said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="programs, by the name of their repository")
    parser.add_argument("--folder", help="keeps clones and environments there")
    parser.add_argument("-v", "--verbose", action="store_true", help="says what is wrong")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary)
        print(
            "| program | commands found / real | parameters right / real | invented | correct calls refused | x-call refused | open |"
        )
        print("|---|---|---|---|---|---|---|")
        total, failed, done = Count(*[0] * 9), [], 0
        for program in (*NAMED, *drawn()):
            wanted = program.repository.rpartition("/")[2] in given.names if given.names else done < len(NAMED) + DRAWN
            if not wanted:
                continue
            if program.repository in UNREACHABLE:
                failed.append(f"{program.repository}: {UNREACHABLE[program.repository]}")
                continue
            try:
                count, said = counted(folder, program)
            except (RuntimeError, OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
                failed.append(f"{program.repository}: {error}")
                continue
            done += 1
            print(_row(program.repository, count), flush=True)
            if given.verbose:
                print(*(f"  {line[:300]}" for line in said), sep=os.linesep)
            total = Count(*(sum(pair) for pair in zip(total, count, strict=True)))
        print(_row("together", total))
        print(*(f"not measured: {line}" for line in failed), sep=os.linesep)
    good = total.real > 0 and total.right >= WANTED * total.real and not total.invented and not total.refused
    return 0 if good else 1


def _row(name: str, count: Count) -> str:
    share = f"{100 * count.right / count.real:.1f} %" if count.real else "-"
    return (
        f"| {name} | {count.found} / {count.there} | {count.right} / {count.real} ({share}) | {count.invented}"
        f" | {count.refused} / {count.calls} | {count.unparsed} | {count.open} |"
    )


if __name__ == "__main__":
    sys.exit(main())
