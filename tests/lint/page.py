"""Writes `docs/rules.md`: the table of rules, and for each rule of `lint/` what its bad file looks like.

Run it as `python -m tests.lint.page` after a change; a test compares.
"""

from pathlib import Path

from tests.conftest import ROOT
from workermd.contract.reader import read
from workermd.contract.rules import GROUPS, RULES
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


def rules_page(examples, linted):
    """The text of `docs/rules.md`; an example is Markdown that shows a rule broken.

    `linted` are the codes of the rules that `validate` alone asks.
    """
    lines = [
        "# Rules",
        "",
        "What `workermd validate` reports about a contract, or about a document held against one. `workermd rule CODE`",
        "explains one. Each sentence says what holds when the rule is kept.",
        "",
        "Codes are stable and never reused. Where a table says `run`, the rule belongs to reading: an error makes the contract",
        "unusable, `run` refuses it, and nothing hides it. The others are asked by `validate` alone. `--select` and `--ignore`",
        "(or `[lint]` in `workermd.toml`) choose among all but those errors.",
        "",
        "A contract ignores a rule with a comment that stands alone on a line of prose, names one code in full and says why.",
        "It holds for the whole file, because no comment can stand beside JSON or front matter:",
        "",
        "```html",
        "<!-- workermd: ignore WM515 the caller decides what a context holds -->",
        "```",
        "",
        "A finding of level error makes `validate` exit 1; `--fail-on` and `--strict` lower that. `--baseline FILE` accepts",
        "what `--baseline-update` wrote there; an entry is bound to the file, the code and the text of the line, not to its",
        "number. This page is generated from `workermd/contract/rules.py` and the files in `tests/lint/`.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | level | asked by | rule | why |", "|---|---|---|---|---|"]
        group = {code: rule for code, rule in RULES.items() if code.startswith(prefix)}
        for code, rule in group.items():
            asked = "`validate`" if code in linted else "`run`"
            lines.append(f"| {code} | {rule.severity} | {asked} | {rule.summary} | {rule.purpose} |")
        for code, rule in group.items():
            if code in examples:
                fix = f" Safe fix: {rule.fix}" if rule.fix else ""
                lines += ["", f"### {code}", "", f"{rule.summary}{fix}", "", examples[code]]
    return "\n".join(lines) + "\n"


def page():
    linted = {check.code for check in CHECKS} | {*FOLDER_CODES, FAULTY, UNUSED}
    return rules_page({folder.name: example(folder) for folder in sorted(HERE.glob("WM*"))}, linted)


if __name__ == "__main__":
    PAGE.write_text(page())
