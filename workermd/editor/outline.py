"""What each line of a contract is for, as far as it can be told while it is being written.

The parts are found as the reader finds them, so that a fence that swallows the file does so here too. Within a
part only single lines are looked at: what stands around the cursor is mostly not yet well formed.
"""

import re
from functools import cached_property
from typing import Literal, NamedTuple

from workermd.contract import document
from workermd.contract.constraints import NESTED
from workermd.contract.fields import GROUPS
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems

FRONT_MATTER = "Front matter"

Form = Literal["yaml", "json", "bullets", "prose"]
"""How the lines of a part are written: keys of the front matter or of a Worker spec, a schema or constraints as JSON,
constraints as bullets, anything else."""

_YAML_KEY = re.compile(r"([ \t]*)(?:-[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*:(?=[ \t]|$)")
_JSON_KEY = re.compile(r'([ \t]*)"([\w.-]+)"[ \t]*:')
_BULLET = re.compile(r"([ \t]{0,3})[-*+][ \t]+([\w.-]+)[ \t]*:")
_KEYS = {"yaml": _YAML_KEY, "json": _JSON_KEY, "bullets": _BULLET}


class DocumentPart(NamedTuple):
    """Lines from `first` on, `end` excluded. The lines between the marks of a fence are a part of their own."""

    name: str
    form: Form
    first: int
    end: int


class LineKey(NamedTuple):
    """A key at the beginning of a line. `name` is dotted in the groups of constraints."""

    name: str
    is_constraint: bool
    span: Span
    after: int


class Outline:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    @cached_property
    def parts(self) -> tuple[DocumentPart, ...]:
        """In the order of the file, a section before the fences in it."""
        bounds = document.bounds(self.lines, Problems("", self.lines))
        beyond = self.lines.count + 1
        if bounds is None:
            return (DocumentPart(FRONT_MATTER, "yaml", 2, beyond),)
        body = document.read_body(self.lines, bounds.body_line, whole=True)
        found = []
        if bounds.yaml is not None:
            first = self.lines.position(bounds.yaml.start).line
            found.append(DocumentPart(FRONT_MATTER, "yaml", first, bounds.body_line - 1))
        headings = [block.line for block in body.blocks if block.kind == "heading" and block.level == 0]
        for section in body.sections:
            last = section.blocks[-1].line if section.blocks else section.heading.line
            end = next((line for line in headings if line > last), beyond)
            form: Form = "bullets" if section.name == document.CONSTRAINTS else "prose"
            found.append(DocumentPart(section.name, form, section.heading.line, end))
            for block in section.blocks if section.name != document.PURPOSE else ():
                language = block.text.strip().lower()
                if block.kind == "fence" and block.level == 0 and (language in ("json", "yaml")):
                    inside: Form = "json" if language == "json" else "yaml"
                    closed = document.fence_is_closed(block, self.lines)
                    found.append(DocumentPart(section.name, inside, block.line + 1, block.end - closed))
        return tuple(found)

    def part(self, line: int) -> DocumentPart | None:
        """The innermost part that holds a line."""
        return next((part for part in reversed(self.parts) if part.first <= line < part.end), None)

    def key(self, line: int) -> LineKey | None:
        """The key that a line gives a value, where it is one of the front matter's or a constraint."""
        part = self.part(line)
        if part is None or not holds_keys(part):
            return None
        found = _KEYS[part.form].match(self.lines.line_text(line))
        if found is None:
            return None
        name, is_constraint = placed(found[2], self.groups(line), part)
        start = self.lines.start(line)
        return LineKey(name, is_constraint, Span(start + found.start(2), start + found.end(2)), start + found.end())

    def groups(self, line: int) -> tuple[str, ...]:
        """The keys that a line is indented below, the outermost first."""
        part = self.part(line)
        if part is None or part.form not in ("yaml", "json"):
            return ()
        text = self.lines.line_text(line)
        indent = len(text) - len(text.lstrip(" \t"))
        found: list[str] = []
        for above in range(line - 1, part.first - 1, -1):
            if indent == 0:
                break
            key = _KEYS[part.form].match(self.lines.line_text(above))
            if key is not None and len(key[1]) < indent:
                indent = len(key[1])
                found.insert(0, key[2])
        return tuple(found)


def holds_keys(part: DocumentPart) -> bool:
    """Whether the keys of a part are the contract's own and not those of a schema."""
    return part.form in ("yaml", "bullets") or (part.form == "json" and part.name == document.CONSTRAINTS)


def placed(name: str, groups: tuple[str, ...], part: DocumentPart) -> tuple[str, bool]:
    """The name of a key as `MEANINGS` or `CONSTRAINT_MEANINGS` has it, and whether the latter does."""
    below = tuple(group for group in groups if group in GROUPS)
    nested = tuple(group for group in below if group in NESTED)
    is_constraint = part.form != "yaml" or bool(below)
    return ".".join((*nested[:1], name)), is_constraint
