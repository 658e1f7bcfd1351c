"""What is shown of the place under the pointer: the rules that found something there, and what a key means."""

import re
from collections.abc import Iterator

from lsprotocol import types

from workermd.contract import keys
from workermd.contract.fields import GROUPS
from workermd.contract.rules import RULES
from workermd.editor.buffer import Buffer
from workermd.protocol.envelope import Status

_CODE = re.compile(r"\bWM[0-9]{3}\b")
_WORD = re.compile(r"[a-z_]+")
_STATUSES = {status.value: status.sentence for status in Status}


def at_offset(buffer: Buffer, offset: int) -> types.Hover | None:
    """`offset` is one of `reading.text`."""
    said = [*_rules(buffer, offset), *_code(buffer, offset)]
    said += _key(buffer, offset) or _status(buffer, offset)
    if not said:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(dict.fromkeys(said))))


def _rules(buffer: Buffer, offset: int) -> Iterator[str]:
    for finding in buffer.findings:
        start, end = buffer.span(finding)
        if start <= offset < max(end, start + 1):
            yield explained(finding.code)


def explained(code: str) -> str:
    """A rule as Markdown."""
    rule = RULES[code]
    fix = f"Safe fix: {rule.fix}" if rule.fix else "There is no safe fix."
    return "\n\n".join(filter(None, (f"**{code}** ({rule.severity}): {rule.summary}", rule.purpose, fix)))


def _code(buffer: Buffer, offset: int) -> Iterator[str]:
    """A code that an ignore names."""
    word = _word(buffer, offset, _CODE)
    if word in RULES and "workermd:" in buffer.lines.line_text(buffer.lines.position(offset).line):
        yield explained(word)


def _key(buffer: Buffer, offset: int) -> list[str]:
    key = buffer.outline.key(buffer.lines.position(offset).line)
    if key is None or not key.span.start <= offset < key.after:
        return []
    said = meaning(key.name, is_constraint=key.is_constraint)
    return [said] if said else []


def meaning(name: str, *, is_constraint: bool) -> str:
    """What a key means and what it may hold, as Markdown; empty for one that is not known."""
    is_constraint = is_constraint and name not in GROUPS
    texts = keys.CONSTRAINT_MEANINGS if is_constraint else keys.MEANINGS
    if name not in texts:
        return ""
    allowed = keys.allowed(name, is_constraint=is_constraint)
    return f"**{name}**: {texts[name]}" + (f"\n\nAllowed: {allowed}." if allowed else "")


def _status(buffer: Buffer, offset: int) -> list[str]:
    line = buffer.lines.position(offset).line
    part = buffer.outline.part(line)
    word = _word(buffer, offset, _WORD)
    if part is None or word not in _STATUSES or part.form == "prose":
        return []
    return [f"**{word}**: {_STATUSES[word]}"]


def _word(buffer: Buffer, offset: int, pattern: re.Pattern[str]) -> str:
    """The match of a pattern that stands around an offset, on its line."""
    line, column = buffer.lines.position(offset)
    found = pattern.finditer(buffer.lines.line_text(line))
    return next((match[0] for match in found if match.start() < column <= match.end()), "")
