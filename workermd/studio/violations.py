"""What was wrong with a reply, led back to the line of the contract that says so.

An attempt keeps the place in the reply and the keyword that it breaks. The schema is walked along that place; where
several branches lead there (`anyOf`, `$ref`), the first that has the keyword is meant.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.contract.model import Lines, Reading
from workermd.protocol.envelope import Document

_KINDS_OF_BRANCHES = ("anyOf", "oneOf", "allOf")
_SINGLE = ("then", "else", "if")
_NAMES_ITS_PROPERTY = ("additionalProperties", "unevaluatedProperties", "false")
_MOST_STEPS = 200
_CHOICES = ("anyOf", "oneOf")
_BRANCH = re.compile(r"\((\d)\) at (/\S+) ")

_BOUNDS = {
    "timeout": ("/constraints/attempt_timeout_seconds", "/constraints/timeout_seconds"),
    "output_too_large": ("/constraints/max_output_bytes",),
    "budget_exceeded": (
        "/constraints/max_tokens",
        "/constraints/max_cost_usd",
        "/constraints/max_turns",
        "/constraints/max_tool_calls",
    ),
    "tool_denied": ("/constraints/tools_allowed",),
    "rate_limited": ("/constraints/rate_limit",),
    "attempts_exhausted": ("/constraints/max_attempts",),
    "status_not_allowed": ("/output_schema/properties/status/enum", "/constraints/status_enum"),
    "run_id_mismatch": ("/output_schema/properties/run_id",),
}
"""An error's code and the parts of a contract that it may be about, the likeliest first."""


class RuleLine(NamedTuple):
    """A line of the contract and what stands there, by its name."""

    line: int
    name: str


class ReplyFinding(NamedTuple):
    """One finding on a reply. `spot` is None where no line of the contract can be named; of a choice between schemas it
    is the nearest branch that says what is wrong below the place."""

    pointer: str
    keyword: str
    message: str
    spot: RuleLine | None


def violations(feedback: list[Document], reading: Reading | None) -> tuple[ReplyFinding, ...]:
    """The findings that an attempt left for the next one, each with its line."""
    return tuple(
        ReplyFinding(
            str(each.get("pointer", "")),
            str(each.get("keyword", "")),
            str(each.get("message", "")),
            spot(each, reading) if reading is not None else None,
        )
        for each in feedback
        if isinstance(each, dict)
    )


def spot(item: Document, reading: Reading) -> RuleLine | None:
    """The line that a finding is about."""
    keyword, pointer = str(item.get("keyword", "")), str(item.get("pointer", ""))
    if keyword in _BOUNDS:
        return bound(keyword, reading, str(item.get("message", "")))
    if reading.contract is None:
        return None
    steps = _steps(pointer)
    if keyword in _NAMES_ITS_PROPERTY and steps:
        steps = steps[:-1]
    names = list(_along(reading.contract.output_schema, steps, keyword))
    if keyword in _CHOICES and names:
        names = [*_branches(reading.contract.output_schema, names[0], str(item.get("message", ""))), *names]
    return _first(names, reading)


def _branches(root: Document, choice: str, message: str) -> Iterator[str]:
    """Places below the branches of a choice, as its message tells them: `(1) at /priority must be …`."""
    for number, place in _BRANCH.findall(message):
        branch = f"{choice}/{int(number) - 1}"
        start = (branch, _at(root, branch.removeprefix("/output_schema")))
        yield from (name for name in _along(root, _steps(place), "", [start]) if name != branch)


def bound(code: str, reading: Reading, message: str = "") -> RuleLine | None:
    """The line of the bound that an error's code is about; the one that the message names goes first."""
    names = _BOUNDS.get(code, ())
    named = [name for name in names if name.rpartition("/")[2] in re.findall(r"\w+", message)]
    return _first([*named, *names], reading, exact=True)


def line_of(name: str, reading: Reading) -> int:
    """The line of a part of the contract by its name, 0 where it has none."""
    span = reading.places.get(name)
    return 0 if span is None else Lines(reading.text).position(span.start).line


def _first(names: list[str], reading: Reading, *, exact: bool = False) -> RuleLine | None:
    for name in names:
        while name and name not in reading.places and not exact:
            name = name.rpartition("/")[0]  # noqa: PLW2901 - up to the nearest part that has a place
        if name in reading.places:
            return RuleLine(line_of(name, reading), name)
    return None


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _along(root: Document, steps: list[str], keyword: str, begin: list[tuple[str, Any]] | None = None) -> Iterator[str]:
    """Names of places for a keyword at a place of an instance: those that have it first, then where the walk ended."""
    ends = begin or [("/output_schema", root)]
    for step in steps:
        ends = [below for name, schema in _open(ends, root) for below in _below(name, schema, step)][:_MOST_STEPS]
    opened = list(_open(ends, root))
    yield from (f"{name}/{keyword}" for name, schema in opened if keyword in schema)
    yield from (name for name, _ in opened)


def _open(ends: list[tuple[str, Any]], root: Document) -> Iterator[tuple[str, Document]]:
    """The schemas themselves, and all that they refer to or choose from."""
    queue, seen = list(ends), set[str]()
    while queue and len(seen) < _MOST_STEPS:
        name, schema = queue.pop(0)
        if name in seen or not isinstance(schema, dict):
            continue
        seen.add(name)
        yield name, schema
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            queue.append((f"/output_schema{reference[1:]}", _at(root, reference[1:])))
        for key in _KINDS_OF_BRANCHES:
            branches = schema.get(key)
            queue += [
                (f"{name}/{key}/{n}", each) for n, each in enumerate(branches if isinstance(branches, list) else ())
            ]
        queue += [(f"{name}/{key}", schema[key]) for key in _SINGLE if key in schema]


def _below(name: str, schema: Document, step: str) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    if isinstance(properties, dict) and step in properties:
        yield f"{name}/properties/{_escaped(step)}", properties[step]
    elif isinstance(schema.get("additionalProperties"), dict) and not step.isdigit():
        yield f"{name}/additionalProperties", schema["additionalProperties"]
    if step.isdigit():
        first = schema.get("prefixItems")
        if isinstance(first, list) and int(step) < len(first):
            yield f"{name}/prefixItems/{step}", first[int(step)]
        elif isinstance(schema.get("items"), dict):
            yield f"{name}/items", schema["items"]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _at(root: Any, pointer: str) -> Any:
    for step in _steps(pointer):
        if isinstance(root, list):
            root = root[int(step)] if step.isdigit() and int(step) < len(root) else None
        else:
            root = root.get(step) if isinstance(root, dict) else None
    return root
