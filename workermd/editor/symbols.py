"""The outline that an editor shows: the parts of a contract and what stands in them."""

from lsprotocol import types

from workermd.contract.document import CONSTRAINTS, INPUT_SCHEMA, OUTPUT_SCHEMA, PURPOSE, WORKER_SPEC
from workermd.contract.model import Places, Span
from workermd.editor.buffer import Buffer
from workermd.editor.diagnostics import at
from workermd.editor.outline import FRONT_MATTER

_BELOW = {
    FRONT_MATTER: "/front_matter/",
    WORKER_SPEC: "/front_matter/",
    INPUT_SCHEMA: "/input_schema/properties/",
    OUTPUT_SCHEMA: "/output_schema/properties/",
    CONSTRAINTS: "/constraints/",
    PURPOSE: "/purpose/",
}
"""What the places of the members of a part begin with."""


def of(buffer: Buffer) -> list[types.DocumentSymbol]:
    found = []
    seen: set[str] = set()
    for part in buffer.outline.parts:
        if part.name in seen:
            continue  # the fence in a section, or a section that stands twice
        seen.add(part.name)
        last = min(part.end - 1, buffer.lines.count)
        end = buffer.lines.start(last) + len(buffer.lines.line_text(last))
        first = max(1, part.first - (part.name == FRONT_MATTER))
        whole = Span(buffer.lines.start(first), max(end, buffer.lines.start(first)))
        head = Span(whole.start, whole.start + len(buffer.lines.line_text(first)))
        members = _members(buffer, _BELOW[part.name], whole)
        kind = types.SymbolKind.Namespace
        found.append(types.DocumentSymbol(part.name, kind, at(buffer, whole), at(buffer, head), children=members))
    return found


def _members(buffer: Buffer, prefix: str, whole: Span) -> list[types.DocumentSymbol]:
    places: Places = buffer.reading.places
    found = []
    for name, value in places.items():
        rest = name.removeprefix(prefix)
        if not name.startswith(prefix) or "/" in rest or not rest:
            continue
        key = buffer.reading.keys.get(name, value)
        span = Span(min(key.start, value.start), max(key.end, value.end))
        if whole.start <= span.start and span.end <= whole.end:
            label = rest.replace("~1", "/").replace("~0", "~")
            kind = types.SymbolKind.Property
            found.append(types.DocumentSymbol(label, kind, at(buffer, span), at(buffer, key), children=[]))
    return sorted(found, key=lambda symbol: (symbol.range.start.line, symbol.range.start.character))
