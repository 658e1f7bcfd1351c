"""Writes `docs/rules.md`: the table of rules, and for each rule of `lint/` what its bad file looks like.

Run it as `python -m tests.lint.page` after a change; a test compares.
"""

from pathlib import Path

from tests.conftest import ROOT
from workermd.contract.reader import read
from workermd.contract.rules import rules_page
from workermd.lint.checks import CHECKS
from workermd.lint.engine import lint
from workermd.lint.folder import FOLDER_CODES
from workermd.lint.ignores import FAULTY, UNUSED
from workermd.lint.secrets import masked

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "rules.md"


def example(folder):
    """The line of the first finding of the rule, and what is said of it."""
    if not (folder / "bad.worker.md").exists():
        return "Its files are in `" + folder.relative_to(ROOT).as_posix() + "/`."
    path = folder / "bad.worker.md"
    found = next(each for each in lint(read(path.read_bytes(), path.name)).findings if each.code == folder.name)
    line = masked(path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")).split("\n")[found.line - 1]
    line = line.removesuffix("\r")
    shown = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in line[:100]) + "…" * (len(line) > 100)
    return f"~~~text\n{shown}\n{found.line}:{found.column}: {found.severity}: {found.message}\n~~~"


def page():
    linted = {check.code for check in CHECKS} | {*FOLDER_CODES, FAULTY, UNUSED}
    return rules_page({folder.name: example(folder) for folder in sorted(HERE.glob("WM*"))}, linted)


if __name__ == "__main__":
    PAGE.write_text(page())
