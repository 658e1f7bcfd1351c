"""The contract on a saved page: page text around it, the front matter not on the first line, indentation stripped."""

import json
import re
from itertools import pairwise
from typing import NamedTuple

from workermd.contract.document import CONSTRAINTS, MARKER, section_name
from workermd.contract.json.quick import load
from workermd.contract.json.strict import JsonError
from workermd.protocol.errors import ContractUnusable

_KEY = re.compile(r"[A-Za-z_][\w-]*:(?: |$)")
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
_PAGE_HEADING = re.compile(r"[^#`].*[^#\s]#")
"""A heading of the page ends with the mark of its link; one of the contract begins with its own."""


class Cut(NamedTuple):
    """The contract's text, and how many lines of the page before and after it were left out."""

    text: str
    before: int
    after: int


def is_page(text: str) -> bool:
    """Whether something stands before the front matter."""
    return text.split("\n", 1)[0].rstrip("\r") != MARKER


def cut(text: str, path: str) -> Cut:
    """The contract that a page shows, its JSON indented anew. Whether it is valid is for the reader to say.

    Raises ContractUnusable when there is no front matter on the page.
    """
    lines = [line.replace("\u00a0", " ").rstrip() for line in text.removeprefix("\ufeff").splitlines()]
    first, last = _front_matter(lines, path)
    end = _end(lines, last + 1)
    body = _indented(lines[last + 1 : end])
    return Cut("\n".join([*lines[first : last + 1], "", *body]) + "\n", first, len(lines) - end)


def _front_matter(lines: list[str], path: str) -> tuple[int, int]:
    """The first two lines `---` that have an `id` between them and nothing but YAML keys and lists."""
    markers = [at for at, line in enumerate(lines) if line == MARKER]
    for first, last in pairwise(markers):
        between = [line for line in lines[first + 1 : last] if line]
        if any(line.startswith("id:") for line in between) and all(_is_yaml(line) for line in between):
            return first, last
    raise ContractUnusable(
        f"{path}: no contract on this page: found no front matter, two lines `---` with `id:` between them",
        "save the text of the whole page, or the contract alone",
    )


def _is_yaml(line: str) -> bool:
    return bool(_KEY.match(line)) or line[0] in " -#"


def _end(lines: list[str], start: int) -> int:
    """The first line that is the page's: a heading of its own, or prose after the constraints."""
    fence, late = "", False
    for at in range(start, len(lines)):
        line = lines[at]
        mark = _FENCE.fullmatch(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark:
            fence = mark[1]
            continue
        heading = _HEADING.fullmatch(line)
        if heading:
            late = late or section_name(heading[2]) == CONSTRAINTS
        elif _PAGE_HEADING.fullmatch(line) or (late and line and not _ITEM.match(line)):
            return at
    return len(lines)


def _indented(lines: list[str]) -> list[str]:
    """The body with JSON indented and blank lines around headings and fences; everything else as it was."""
    made: list[str] = []
    at = 0
    while at < len(lines):
        mark = _FENCE.fullmatch(lines[at])
        if mark:
            close = next((end for end in range(at + 1, len(lines)) if lines[end].strip() == mark[1]), len(lines) - 1)
            content = lines[at + 1 : close]
            is_json = mark[2].strip().lower().split(" ")[0] == "json"
            made += ["", lines[at], *(_json(content) if is_json else content), *lines[close : close + 1], ""]
            at = close + 1
            continue
        made += ["", lines[at], ""] if _HEADING.fullmatch(lines[at]) else [lines[at]]
        at += 1
    once = [line for at, line in enumerate(made) if line or (at and made[at - 1])]
    while once and not once[-1]:
        once.pop()
    return once


def _json(lines: list[str]) -> list[str]:
    """JSON indented by two; text that is not strict JSON stays, and the reader will say what is wrong with it."""
    text = "\n".join(lines)
    try:
        return json.dumps(load(text), indent=2, ensure_ascii=False).split("\n")
    except JsonError:
        return lines
