"""Bytes become a `Reading`: everything that a contract says, and everything that is wrong with it."""

import re
from typing import NamedTuple

from workermd.contract import document, sections, yamltext
from workermd.contract.constraints import Merged, bullets, check_loose, flattened, merge
from workermd.contract.document import Bounds, Body, Section, line_span
from workermd.contract.fields import Fields, is_ours, read_fields
from workermd.contract.jsontext import Entry, JsonError, canonical
from workermd.contract.jsontext import read as read_json
from workermd.contract.meaning import Parts, check, statuses
from workermd.contract.model import Constraints, Contract, Lines, Places, Reading, Span, meaning_sha256
from workermd.contract.problems import Problems, misnamed, quoted
from workermd.contract.schema import draft_of
from workermd.contract.yamltext import YamlMapping
from workermd.envelope import Document

MAX_BYTES = 256 * 1024

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)")
_WEB_PAGE = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_REQUIRED = (document.INPUT_SCHEMA, document.OUTPUT_SCHEMA, document.CONSTRAINTS)


class Parsed(NamedTuple):
    """What stands in the file, before its schemas and its meaning are checked. `parts` None: nothing usable."""

    text: str
    problems: Problems
    parts: Parts | None


def read(data: bytes, path: str) -> Reading:
    """Read a contract. Never raises for what is in the file: everything wrong is a finding.

    Raises ConfigurationError when PyYAML was built without libyaml.
    """
    parsed = parse(data, path)
    if parsed.parts is not None:
        check(parsed.parts, parsed.problems)
    contract = None
    if parsed.parts is not None and not parsed.problems.has_errors:
        contract = _contract(parsed.parts)
    findings = [*parsed.problems.findings(), *misnamed(path)]
    places = parsed.parts.places if parsed.parts is not None else {}
    return Reading(path, parsed.text, contract, tuple(sorted(findings)), places)


def parse(data: bytes, path: str) -> Parsed:
    """The parts and their places: all of reading but the checks of schemas and meaning."""
    if len(data) > MAX_BYTES:
        return _unreadable("", path, "WM103", f"the file has {len(data)} bytes; allowed are {MAX_BYTES}", "Shorten it.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"the byte 0x{data[error.start]:02x}"
        message = f"found {kind}, which is not UTF-8"
        return _unreadable(data[: error.start].decode(), path, "WM101", message, "Save the file as UTF-8.")
    marked = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    plain = _CONTROL.sub("\ufffd", text)  # of the same length, so that every place stays
    problems = Problems(path, Lines(plain))
    if marked:
        message = "the file begins with a byte order mark, which is ignored"
        problems.add("WM102", Span(0, 0), message, "Save the file without it.")
    _add_controls(text, problems)
    return Parsed(text, problems, _parts(problems.lines, problems))


def _unreadable(text: str, path: str, code: str, message: str, hint: str) -> Parsed:
    """The place is the end of what could be read."""
    problems = Problems(path, Lines(text))
    problems.add(code, Span(len(text), len(text)), message, hint)
    return Parsed(text, problems, None)


def _add_controls(text: str, problems: Problems) -> None:
    for match in _CONTROL.finditer(text):
        what = "a CR that is no line end" if match[0] == "\r" else f"the control character U+{ord(match[0]):04X}"
        message = f"found {what}; allowed are TAB, LF and CRLF"
        problems.add("WM104", Span(*match.span()), message, "Remove it.")


def _parts(lines: Lines, problems: Problems) -> Parts | None:
    if _WEB_PAGE.match(lines.text):
        message = "this is a web page; a contract is a Markdown file"
        problems.add("WM106", Span(0, 0), message, "Cut the contract out, from the line `---` to its last section.")
        return None
    bounds = document.bounds(lines, problems)
    if bounds is None:
        return None
    body = document.read_body(lines, bounds.body_line)
    spec = body.section(document.WORKER_SPEC)
    if bounds.yaml is None and spec is None and not _go_on_without(lines, body, problems):
        return None
    front, root = _front(bounds, spec, lines, problems)
    if front is not None and not body.sections and not is_ours(list(front.values)):
        problems.forget()
        _add_foreign(problems)
        return None
    document.check_structure(body, lines, problems)
    fields = read_fields(front, root, problems) if front is not None else Fields({}, [])
    return _assembled(front, root, fields, body, lines, problems)


def _add_foreign(problems: Problems) -> None:
    message = "this is not a worker.md contract: it has no key `id`, no Input schema, no Output schema, no Constraints"
    hint = "Other projects use *.worker.md for agent prompts; leave this file out, or write a contract."
    problems.add("WM106", Span(0, 0), message, hint)


def _go_on_without(lines: Lines, body: Body, problems: Problems) -> bool:
    """Report that there is no front matter. True when the sections are worth reading all the same."""
    later = document.line_of_marker(lines, 1)
    if not body.sections and later is None:
        problems.forget()
        _add_foreign(problems)
        return False
    first = lines.line_text(1)
    where = f"; the first such line is {later}" if later else ""
    hint = "Begin the file with `---`, the keys `id`, `name`, `version` and another `---`."
    if later and first[:1] != "{" and first[:3] != "+++":
        hint = f"Remove lines 1 to {later - 1}; from a copied page, remove what follows the last section too."
    problems.add("WM107", Span(0, len(first)), f"line 1 is {quoted(first)}; it must be exactly `---`{where}", hint)
    return later is None


def _front(
    bounds: Bounds, spec: Section | None, lines: Lines, problems: Problems
) -> tuple[YamlMapping | None, Span]:
    """What the front matter or the Worker spec says, and the place for what it does not say."""
    if bounds.yaml is not None:
        if spec is not None:
            message = "found a section Worker spec beside the front matter"
            hint = "Keep one of the two: rename the heading, or move its keys into the front matter."
            problems.add("WM110", line_span(lines, spec.heading.line), message, hint)
        return yamltext.read(lines.text, *bounds.yaml, problems), Span(0, len(document.MARKER))
    if spec is None:
        return None, Span(0, 0)
    heading = line_span(lines, spec.heading.line)
    fence = sections.only_fence(spec, "yaml", lines, problems)
    if fence is None or not document.fence_is_closed(fence, lines):
        return None, heading
    return yamltext.read(lines.text, *document.fence_content(fence, lines), problems), heading


def _assembled(
    front: YamlMapping | None, root: Span, fields: Fields, body: Body, lines: Lines, problems: Problems
) -> Parts:
    places: Places = {"/front_matter": root}
    keys: Places = {}
    if front is not None:
        _place(front.places, "/front_matter", places, keys)
        places["/front_matter"] = root
    for name in _REQUIRED:
        if body.section(name) is None:
            sections.add_missing(name, body, lines, problems)
    input_schema = _schema(body, document.INPUT_SCHEMA, "/input_schema", places, keys, problems)
    output_schema = _schema(body, document.OUTPUT_SCHEMA, "/output_schema", places, keys, problems)
    merged = _constraints(body, fields, places, keys, problems)
    values = {**fields.values, **merged.observability}
    shape = "registry" if body.section(document.WORKER_SPEC) is None else "site"
    purpose = _purpose(fields, body, places, problems)
    return Parts(shape, values, purpose, input_schema, output_schema, merged.constraints, places, keys)


def _place(entries: dict[str, Entry], prefix: str, places: Places, keys: Places) -> None:
    for pointer, entry in entries.items():
        places[prefix + pointer] = entry.value
        if entry.key is not None:
            keys[prefix + pointer] = entry.key


def _schema(
    body: Body, name: str, prefix: str, places: Places, keys: Places, problems: Problems
) -> Document | None:
    section = body.section(name)
    if section is None:
        return None
    places[prefix] = line_span(problems.lines, section.heading.line)
    found = _object(section, problems, required=True)
    if found is None:
        return None
    value, entries = found
    _place(entries, prefix, places, keys)
    return value


def _object(section: Section, problems: Problems, *, required: bool) -> tuple[Document, dict[str, Entry]] | None:
    """The JSON object in the section's code fence."""
    fence = sections.only_fence(section, "json", problems.lines, problems, required=required)
    if fence is None or not document.fence_is_closed(fence, problems.lines):
        return None
    try:
        found = read_json(problems.lines.text, *document.fence_content(fence, problems.lines))
    except JsonError as error:
        first = "" if error.first is None else f"; the first is on line {problems.line(error.first)}"
        problems.add("WM401", Span(error.offset, error.end), error.message + first, error.hint)
        return None
    if not isinstance(found.value, dict):
        message = f"found {quoted(found.value)}; the section {section.name} holds an object"
        problems.add("WM402", found.places[""].value, message, "Write one object: { ... }.")
        return None
    return found.value, found.places


def _constraints(body: Body, fields: Fields, places: Places, keys: Places, problems: Problems) -> Merged:
    """What the front matter and the section state together."""
    given = list(fields.given)
    section = body.section(document.CONSTRAINTS)
    if section is not None:
        places["/constraints"] = line_span(problems.lines, section.heading.line)
        check_loose(section, problems.lines, problems)
        texts = sections.items(section, problems.lines, problems)
        found = _object(section, problems, required=False)
        if found is not None and texts:
            message = "the section Constraints has bullets and a JSON object"
            span = Span(found[1][""].value.start, found[1][""].value.start + 1)
            problems.add("WM608", span, message, "Keep one of the two.")
        elif found is not None:
            given.extend(flattened(found[0], found[1], "", "", textual=False))
        given.extend(bullets(texts, problems))
    merged = merge(given, problems)
    for name, span in merged.places.items():
        places[f"/constraints/{name}"] = span
        keys[f"/constraints/{name}"] = merged.keys[name]
    return merged


def _purpose(fields: Fields, body: Body, places: Places, problems: Problems) -> str:
    listed = fields.values.get("purpose")
    found = sections.purpose(body, problems.lines)
    if found is None:
        if "/front_matter/purpose" in places:
            places["/purpose"] = places["/front_matter/purpose"]
        return str(listed or "")
    places["/purpose"] = found.span
    if listed is not None and listed != found.text:
        line = problems.line(places["/front_matter/purpose"].start)
        message = f"the purpose differs from the one on line {line}"
        problems.add("WM703", found.span, message, "Make both the same, or remove one.")
    return found.text


def _contract(parts: Parts) -> Contract:
    """The record of parts that have no errors."""
    input_schema, output_schema = parts.input_schema or {}, parts.output_schema or {}
    worker_id = str(parts.values.get("id") or parts.values.get("worker_id"))
    mode = str(parts.values.get("worker_mode", ""))
    meaning = {
        "input_schema": input_schema,
        "output_schema": output_schema,
        "constraints": _plain(parts.constraints),
        "purpose": parts.purpose,
        "mode": mode,
    }
    return Contract(
        shape=parts.shape,
        id=worker_id,
        name=str(parts.values.get("name", worker_id)),
        version=str(parts.values["version"]),
        mode=mode,
        purpose=parts.purpose,
        front_matter=parts.values,
        input_schema=input_schema,
        output_schema=output_schema,
        input_draft=draft_of(input_schema),
        output_draft=draft_of(output_schema),
        constraints=parts.constraints,
        statuses=statuses(output_schema, parts.constraints),
        meaning_sha256=meaning_sha256(canonical(meaning)),
    )


def _plain(constraints: Constraints) -> Document:
    fields = constraints._asdict()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
