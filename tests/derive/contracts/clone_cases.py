"""Clones made by git, each with the contract that `workermd derive` has to write from it, byte for byte.

`python -m tests.derive.contracts.clone_cases` writes the expected contracts anew; read the difference before you keep it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.derive.contracts import texts
from tests.derive.contracts.conftest import commit, git
from tests.derive.interfaces import interface_cases

EXPECTED = Path(__file__).parent / "clones"
ROOT = Path(__file__).parents[3]

BADGES = "[![Build](https://img.shields.io/b.svg)](https://ci.example)\n[![PyPI](https://img.shields.io/p.svg)](https://p.example)"
SUMMARY = f"""<p align="center"><img src="logo.png"></p>

{BADGES}

[Docs](https://docs.widget.example) | [Chat](https://chat.example) | [Blog](https://blog.example)

# Widget

## Table of contents

- [Install](#install)
- [Sponsors](#sponsors)

## Sponsors

Sponsored by [Somebody](https://somebody.example), who makes very good things for everybody.

## News

- 2026-01-01: Widget 2 is out and it is better than ever.

## What it is

**Widget** puts small things into [good order](https://order.example),
one after the other.

Widget needs Python 3.11 or later.
"""
INSTALL = """# Widget

Widget puts small things into good order.

```bash
# the released one
$ pip install "widget[all]"
Successfully installed widget-1.0
```

```
pip install widget-in-no-language
```

```bash
pip install \\
    --upgrade widget-extras
```

```console
$ WIDGET_HOME=/opt/w pip install widget==$VERSION
Collecting widget
Successfully installed widget-1.0
$ git clone https://github.com/example/widget && cd widget
```

```sh
pip install -e '.[dev]'
npm install --save-dev jest
pip install "widget
brew install gizmo
```

```python
import widget  # pip install nothing
```
"""
BANNER = """# Widget

> [!WARNING]
> This project is deprecated and no longer maintained.
> Please use [Gizmo](https://gizmo.example) instead.

Widget puts small things into good order.

The `--fast` option is deprecated.
"""
PYPROJECT = '[project]\nname = "widget"\nlicense = "Apache-2.0"\nrequires-python = ">=3.11"\n'
PLAIN = "# Widget\n\nWidget puts small things into good order.\n"


class Case(NamedTuple):
    """Files by path, and what stands after the folder on the command line."""

    files: dict[str, str]
    arguments: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    "summary": Case({"README.md": SUMMARY, "LICENSE": texts.MIT}),
    "install": Case(
        {"README.md": INSTALL, "LICENSE": texts.MIT, "pyproject.toml": PYPROJECT.replace("Apache-2.0", "MIT")}
    ),
    "licence-conflict": Case({"README.md": PLAIN, "LICENSE": texts.GPL_3, "pyproject.toml": PYPROJECT}),
    "licence-of-documentation": Case({"README.md": PLAIN, "LICENSE": texts.CC_BY, "LICENSE-CODE": texts.MIT}),
    "banner": Case({"README.md": BANNER, "LICENSE": texts.MIT}),
    "nothing": Case({"a.txt": "x\n"}),
    "unquoted": Case({"README.md": BANNER, "LICENSE": texts.MIT}, ("--quotes", "none")),
}
INTERFACES: dict[str, str] = {
    "a2a": "a2a",
    "action": "action:action.yml",
    "cli": "cli",
    "function": "function",
    "mcp": "mcp",
    "npm-bin": "npm-bin",
    "openapi": "openapi",
}
"""The interface that is chosen of each kind's case; a kind alone means the first that is listed."""


def files_of(kind: str) -> dict[str, str]:
    """The files of a kind's case for the tests of interfaces."""
    with tempfile.TemporaryDirectory() as folder:
        interface_cases.case(Path(folder), kind)
        return {
            path.relative_to(folder).as_posix(): path.read_text() for path in Path(folder).rglob("*") if path.is_file()
        }


def make(folder: Path, files: dict[str, str | None]) -> None:
    """A clone of github.com/example/widget with the files committed on top of what is there (None removes)."""
    fresh = not folder.exists()
    commit(folder, files)
    if fresh:
        git(folder, "remote", "add", "origin", "https://github.com/example/widget.git")


def chosen(listed: str, wanted: str) -> str:
    """The first listed interface that begins so, as it is spelled."""
    return next(line.split("\t")[0] for line in listed.splitlines() if line.startswith(wanted))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:

        def workermd(*arguments: object) -> str:
            command = [sys.executable, "-m", "workermd", "derive", *map(str, arguments), "-q"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

        for name, case in CASES.items():
            make(Path(folder, name), dict(case.files))
            (EXPECTED / f"{name}.worker.md").write_text(workermd(Path(folder, name), *case.arguments))
        for kind, wanted in INTERFACES.items():
            place = Path(folder, f"kind-{kind}")
            make(place, dict(files_of(kind)))
            interface = chosen(workermd(place, "--list-interfaces"), wanted)
            (EXPECTED / f"{kind}.worker.md").write_text(workermd(place, "--interface", interface))


if __name__ == "__main__":
    main()
