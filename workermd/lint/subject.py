"""What a rule looks at: one reading, and views of it that several rules share."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from workermd.contract.json.strict import parent
from workermd.contract.model import Contract, Lines, Places, Reading, Span
from workermd.contract.subschemas import Survey

SIDES = ("input_schema", "output_schema")

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*")


class Edit(NamedTuple):
    """A change to a file's text: what stands from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


class Fault(NamedTuple):
    """What a rule found. `edits` mend it without a change of meaning; empty where nothing safe does."""

    span: Span
    message: str
    hint: str = ""
    edits: tuple[Edit, ...] = ()


class Fix(NamedTuple):
    """The safe fix of one finding: its code, its place and the edits that mend it."""

    code: str
    span: Span
    hint: str
    edits: tuple[Edit, ...]


class Schema(NamedTuple):
    """A schema somewhere in the contract: `place` as in `Places`, `draft` of its document."""

    place: str
    draft: str
    value: dict[str, Any]


class Line(NamedTuple):
    """A line of prose outside code fences. `section` is the nearest heading above it, in small letters."""

    number: int
    start: int
    text: str
    section: str


class Subject:
    """A `Reading` and its views. Rules that need the contract itself are not asked where there is none."""

    def __init__(self, reading: Reading) -> None:
        self.path = reading.path
        self.text = reading.text
        self.places: Places = reading.places
        self.keys: Places = reading.keys
        self.usable = reading.contract

    @property
    def contract(self) -> Contract:
        assert self.usable is not None
        return self.usable

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.text)

    def where(self, name: str) -> Span:
        """The place of a part, else of what it belongs to. A value of several lines is marked at its key."""
        while name and name not in self.places:
            name = parent(name)
        span = self.places.get(name, Span(0, 0))
        if "\n" in self.text[span.start : span.end]:
            return self.keys.get(name, span)
        return span

    def key(self, name: str) -> Span:
        """The place of the key of a part, else of the part."""
        return self.keys.get(name) or self.where(name)

    @staticmethod
    def span(start: int, length: int) -> Span:
        return Span(start, start + length)

    @cached_property
    def schemas(self) -> tuple[Schema, ...]:
        """Every object that is a schema, in both documents."""
        found: list[Schema] = []
        for side in SIDES:
            root = getattr(self.contract, side)
            draft = self.contract.input_draft if side == SIDES[0] else self.contract.output_draft
            found += [
                Schema(f"/{side}{pointer}", draft, value)
                for pointer, value in Survey(root, draft).schemas.items()
                if isinstance(value, dict)
            ]
        return tuple(found)

    @cached_property
    def prose(self) -> tuple[Line, ...]:
        return tuple(_prose(self.text))


def _prose(text: str) -> Iterator[Line]:
    at, section, fence = 0, "", ""
    front = text.startswith("---")
    for number, line in enumerate(text.split("\n"), 1):
        start, at = at, at + len(line) + 1
        line = line.rstrip("\r")  # noqa: PLW2901 - the line without its end
        if front:
            front = number == 1 or line != "---"
            continue
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark:
            fence = mark[1]
            continue
        heading = _HEADING.fullmatch(line)
        if heading:
            section = heading[2].lower()
        yield Line(number, start, line, section)
