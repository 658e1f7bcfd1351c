"""The changed lines of a diff, reviewed by ruff and by a few checks that need nothing but the diff.

Risk of an issue, the first that fits:
  high    the file no longer parses; a conflict marker or a private key was added; ruff's E9, F821 (a name
          that does not exist) and S rules (security) other than S101 and S311
  medium  ruff's other F rules, B (likely bugs), PLE (errors), T10 and other debugging left behind
  low     everything else
The risk of the diff is that of its worst issue, `low` without any.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from workermd.protocol.envelope import Document, Status
from workermd.system.text import shortened
from workermd.task.task import Refused, Task
from workermd.workers.answer import failed, settings_of
from workermd.workers.diff import BadDiff, FileDiff, read_diff
from workermd.workers.folder import NotInFolder, open_within

DEFAULTS: Document = {
    "folder": "",
    "ruff": "",
    "select": ["E9", "F", "B", "S", "PLE", "T10"],
    "honour_noqa": False,
    "large_diff_lines": 400,
}
MAX_ISSUES = 200
MAX_FILE_BYTES = 2 << 20
RISKS = ("low", "medium", "high")


class Issue(NamedTuple):
    """Sorted as it stands: by place, then rule. `line` counts from 1 in the new file."""

    file: str
    line: int
    rule: str
    message: str
    risk: str
    source: str


class ContentMismatch(Exception):
    """A given file is neither the old nor the new side of the diff. The message names it."""


def run(task: Task) -> Document:
    """A diff that is cut off or names no file is `invalid_request`, code `missing_diff_context`; files that do
    not fit the diff are `diff_mismatch`. A missing or failing analyser is a note, not a failure."""
    settings = settings_of(task, DEFAULTS)
    try:
        files = read_diff(task.input["diff"])
    except BadDiff as problem:
        return failed(Status.INVALID_REQUEST, "missing_diff_context", f"diff: {problem}")
    if not files:
        message = "diff: no file found in it; a unified diff with '---', '+++' and '@@' lines is needed"
        return failed(Status.INVALID_REQUEST, "missing_diff_context", message)
    notes: list[str] = []
    try:
        texts = _python_texts(files, task.input.get("files", {}), settings["folder"], notes)
    except ContentMismatch as problem:
        return failed(Status.INVALID_REQUEST, "diff_mismatch", str(problem))
    found = _analyse(task, files, texts, settings, notes)
    issues = list(_from_diff(files, set() if found is None else set(texts), settings))
    issues = sorted({*issues, *(found or ())})
    return {"status": Status.OK.value, "result": _review(files, issues, found is not None, notes)}


def _review(files: tuple[FileDiff, ...], issues: list[Issue], analysed: bool, notes: list[str]) -> Document:
    added, removed = (sum(file.count(mark) for file in files) for mark in "+-")
    counts = {risk: sum(issue.risk == risk for issue in issues) for risk in RISKS}
    summary = (
        f"{len(files)} file(s), {added} line(s) added, {removed} removed; "
        f"{len(issues)} issue(s): {counts['high']} high, {counts['medium']} medium, {counts['low']} low"
    )
    return {
        "summary": summary,
        "risk": max((issue.risk for issue in issues), key=RISKS.index, default="low"),
        "analyser": "ruff" if analysed else None,
        "files_changed": len(files),
        "lines_added": added,
        "lines_removed": removed,
        "issues": [issue._asdict() for issue in issues[:MAX_ISSUES]],
        "issue_count": len(issues),
        "notes": notes,
    }


# --- the new text of the changed Python files ----------------------------------------------------


def _python_texts(files: tuple[FileDiff, ...], given: dict[str, str], folder: str, notes: list[str]) -> dict[str, str]:
    """Path to new text, for every changed Python file whose text is to be had; a note for each of the others."""
    texts: dict[str, str] = {}
    for file in files:
        if file.is_binary:
            notes.append(f"{shortened(file.path, 200)}: binary, not reviewed")
        if file.is_deleted or not file.hunks or not file.path.endswith((".py", ".pyi")):
            continue
        text = given.get(file.path)
        if text is None:
            text = file.new_text()
        if text is None and folder:
            text = _read(folder, file.path)
        if text is None:
            notes.append(
                f"{shortened(file.path, 200)}: its new text was not given, so only the diff itself was looked at"
            )
            continue
        fitting = file.applied_to(text)
        if fitting is None:
            raise ContentMismatch(
                f"{shortened(file.path, 200)}: the text fits neither side of the diff; give the file as it is after the change"
            )
        texts[file.path] = fitting
    return texts


def _read(folder: str, path: str) -> str | None:
    try:
        descriptor = open_within(folder, path)
    except NotInFolder:
        return None
    except OSError:
        raise Refused("setting 'folder': the folder cannot be opened; it must exist and be readable") from None
    with os.fdopen(descriptor, "rb") as handle:
        content = handle.read(MAX_FILE_BYTES + 1)
    return None if len(content) > MAX_FILE_BYTES else content.decode("utf-8", "replace")


# --- ruff ----------------------------------------------------------------------------------------


def _analyse(
    task: Task, files: tuple[FileDiff, ...], texts: dict[str, str], settings: Document, notes: list[str]
) -> list[Issue] | None:
    """ruff's issues on changed lines. None, and a note, when no ruff is there or it fails."""
    program = _find_ruff(settings["ruff"])
    if program is None:
        notes.append("ruff was not found, so only the diff itself was looked at; pip install 'workermd[workers]'")
        return None
    changed = {file.path: file.added() for file in files}
    tree = Path(task.artifacts_dir, "review")
    paths = _write_tree(tree, texts)
    try:
        reported = _run_ruff(program, tree, settings, max(task.seconds_left - 2.0, 0.5)) if paths else []
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if reported is None:
        notes.append("ruff failed or ran out of time, so only the diff itself was looked at")
        return None
    issues = [_issue(entry, paths) for entry in reported]
    ends = [entry.get("end_location", {}).get("row", 0) for entry in reported]
    return [
        issue
        for issue, end in zip(issues, ends, strict=True)
        # A file that no longer parses matters wherever the parser noticed it.
        if issue.rule == "syntax-error" or any(issue.line <= line <= end for line in changed[issue.file])
    ]


def _find_ruff(program: str) -> str | None:
    """The operator's choice, else the one that the Python package brings, else the one on PATH."""
    if program:
        return shutil.which(program)
    try:
        from ruff import find_ruff_bin

        return str(find_ruff_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("ruff")


_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\.pyi?\Z")


def _write_tree(tree: Path, texts: dict[str, str]) -> dict[str, str]:
    """Each text in a numbered folder of its own, so that no path of a diff is ever a path here. Returns the
    path below `tree` of each file, and the diff's path."""
    paths = {}
    for number, (path, text) in enumerate(texts.items()):
        base = path.rpartition("/")[2]
        name = base if _SAFE_NAME.match(base) else "module.py"
        folder = tree / str(number)
        folder.mkdir(parents=True)
        (folder / name).write_text(text, encoding="utf-8", errors="replace", newline="")
        paths[f"{number}/{name}"] = path
    return paths


def _run_ruff(program: str, tree: Path, settings: Document, seconds: float) -> list[Any] | None:
    """ruff's findings as it reports them; None when it fails. It sees no configuration but ours."""
    command = [program, "check", "--isolated", "--no-cache", "--no-fix", "--exit-zero", "--output-format", "json"]
    command += ["--no-respect-gitignore", "--select", ",".join(settings["select"])]
    if not settings["honour_noqa"]:
        command.append("--ignore-noqa")
    try:
        done = subprocess.run(
            [*command, "."],
            cwd=tree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={"PATH": os.defpath, "NO_COLOR": "1"},
        )
        reported = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return reported if isinstance(reported, list) else None


def _issue(entry: Any, paths: dict[str, str]) -> Issue:
    below = "/".join(Path(entry["filename"]).parts[-2:])
    code = entry["code"]
    rule = "syntax-error" if code in (None, "invalid-syntax") else str(code)
    message = " ".join(str(entry["message"]).split())[:300]
    return Issue(paths[below], int(entry["location"]["row"]), rule, message, _risk(rule), "ruff")


_RISK = (
    (re.compile(r"S101\Z|S311\Z"), "low"),
    (re.compile(r"syntax-error|E9|F821|S[0-9]"), "high"),
    (re.compile(r"F[0-9]|B[0-9]|PLE|T10"), "medium"),
)


def _risk(rule: str) -> str:
    return next((risk for pattern, risk in _RISK if pattern.match(rule)), "low")


# --- checks on the diff itself -------------------------------------------------------------------

_CHECKS = (
    ("conflict-marker", "high", re.compile(r"(?:<{7}|>{7}|\|{7})(?: |\Z)"), "a merge conflict marker was added"),
    ("private-key", "high", re.compile(r"\s*[\"']?-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"), "a private key was added"),
)
_DEBUGGING = re.compile(
    r"\s*(?:breakpoint\(|(?:import )?i?pdb\b|debugger;?\s*\Z|console\.(?:log|debug)\(|binding\.pry\b|var_dump\()"
)


def _from_diff(files: tuple[FileDiff, ...], analysed: set[str], settings: Document) -> Iterator[Issue]:
    for file in files:
        for line, text in file.added().items():
            for rule, risk, pattern, message in _CHECKS:
                if pattern.match(text):
                    yield Issue(file.path, line, rule, message, risk, "diff")
            if file.path not in analysed and _DEBUGGING.match(text):
                yield Issue(file.path, line, "debugging", "looks like debugging left behind", "medium", "diff")
    changed = sum(file.count("+") + file.count("-") for file in files)
    if changed > settings["large_diff_lines"]:
        message = f"more than {settings['large_diff_lines']} changed lines; a smaller change is reviewed better"
        yield Issue(files[0].path, 1, "large-diff", message, "low", "diff")
