"""What a derived contract rests on, as the JSON block at its end: enough to write the rest of it again."""

import hashlib
import json
import re
from typing import Any, NamedTuple

from workermd.contract import document as structure
from workermd.contract.document import Block
from workermd.contract.json.quick import load
from workermd.contract.json.strict import JsonError
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems
from workermd.derive import claims as claim_documents
from workermd.derive.model import Claim
from workermd.derive.plain import json_shown
from workermd.protocol.errors import DeriveError
from workermd.system.text import whole

SCHEMA_VERSION = 1
MARK = "x-workermd-evidence"
"""The second word of the fence's info string; the first is `json`."""


class DerivationRecord(NamedTuple):
    """`interface` is `KIND:PATH#NAME`, empty for the starter; `input_sha256`, `output_sha256` of the schemas' text.

    `stars` is a snapshot and no claim. `url` is empty where the repository has no web page. `quotes` is one of `QUOTES`.
    """

    owner: str
    name: str
    url: str
    default_branch: str
    updated_on: str
    commit: str
    derived_on: str
    stars: int | None
    worker_id: str
    mode: str
    interface: str
    input_sha256: str
    output_sha256: str
    claims: tuple[Claim, ...]
    quotes: str = "full"
    folder: str = ""
    """The project's folder in the repository; "" for the whole."""
    call: tuple[str, ...] = ()
    """The texts of `x-call`; () where no backend calls the interface so."""
    registry_page: str = ""
    """Where the registry shows the contract; "" where the caller names no registry."""

    def of(self, *fields: str) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.field in fields)

    def first(self, field: str) -> Claim | None:
        return next(iter(self.of(field)), None)


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def encoded(record: DerivationRecord) -> str:
    """The block's text: one claim's member a line, invisible characters as escapes, no line like a fence."""
    values = {"schema_version": SCHEMA_VERSION, **record._asdict()}
    if record.quotes == "full":
        del values["quotes"]
    if not record.call:
        del values["call"]
    for name in ("folder", "registry_page"):
        if not values[name]:
            del values[name]
    values["claims"] = [claim_documents.document(claim) for claim in record.claims]
    return json_shown(json.dumps(_whole(values), ensure_ascii=False, indent=1))


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return whole(value) if isinstance(value, str) else value


class PlacedRecord(NamedTuple):
    """The record of a contract and where its JSON stands in the text."""

    record: DerivationRecord
    place: Span
    lines: Lines


def find(text: str, path: str = "-") -> PlacedRecord:
    """The record in a contract's text. Raises DeriveError where there is none or it was damaged."""
    lines = Lines(text)
    for fence in fences(lines, path):
        words = fence.text.split()
        if words[:1] == ["json"] and MARK in words[1:]:
            place = structure.fence_content(fence, lines)
            return PlacedRecord(
                _decoded(text[place.start : place.end], path, lines.position(place.start).line), place, lines
            )
    raise DeriveError(
        f"{path}: has no evidence block (a json code fence marked {MARK})",
        "Derive it again; only derived contracts can be checked.",
    )


def fences(lines: Lines, path: str) -> list[Block]:
    """The closed code fences at the top level of the body."""
    problems = Problems(path, lines)
    bounds = structure.bounds(lines, problems)
    body = structure.read_body(lines, bounds.body_line if bounds else 1, whole=True)
    return [
        block
        for block in body.blocks
        if block.kind == "fence" and block.level == 0 and structure.fence_is_closed(block, lines)
    ]


def _decoded(text: str, path: str, line: int) -> DerivationRecord:
    hint = "Restore it from the file's history, or derive the contract again."
    try:
        values = load(text)
    except JsonError as error:
        raise DeriveError(f"{path}:{line}: the evidence block is no strict JSON: {error.message}", hint) from None
    if not isinstance(values, dict) or values.pop("schema_version", None) != SCHEMA_VERSION:
        raise DeriveError(f"{path}:{line}: the evidence block is of another version", hint)
    try:
        listed, called = values.pop("claims"), values.pop("call", [])
        record = DerivationRecord(
            **values, claims=tuple(claim_documents.from_document(each) for each in listed), call=tuple(called)
        )
    except (KeyError, TypeError, ValueError):
        raise DeriveError(f"{path}:{line}: the evidence block was damaged", hint) from None
    texts = [value for name, value in record._asdict().items() if name not in ("stars", "claims", "call")]
    texts += record.call
    whole_texts = all(isinstance(value, str) for value in texts) and record.quotes in claim_documents.QUOTES
    if not whole_texts or not isinstance(record.stars, int | None):
        raise DeriveError(f"{path}:{line}: the evidence block was damaged", hint)
    if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", record.commit):
        raise DeriveError(f"{path}:{line}: the evidence block names no commit", hint)
    return record
