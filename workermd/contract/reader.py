"""Bytes become a `Reading`: everything that a contract says, and everything that is wrong with it."""

import re
from typing import NamedTuple

from workermd.contract import document, sections, yamltext
from workermd.contract.assembly import Assembly
from workermd.contract.document import Body, FrontMatterBounds, Section, line_span
from workermd.contract.fields import is_ours
from workermd.contract.meaning import Parts, check, statuses
from workermd.contract.meaning_hash import meaning_hash
from workermd.contract.model import MAX_BYTES, Contract, Lines, Reading, Span
from workermd.contract.problems import Problems, misnamed
from workermd.contract.schema import draft_of
from workermd.contract.yamltext import YamlMapping
from workermd.system.text import quoted

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)")
_SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")  # one class is several times faster than a choice
_KEY = re.compile(r"([a-z_]+)[ \t\u00a0]*:")
_WEB_PAGE = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


class Parsed(NamedTuple):
    """What stands in the file, before its schemas and its meaning are checked. `parts` None: nothing usable."""

    text: str
    problems: Problems
    parts: Parts | None


def read(data: bytes, path: str, *, thorough: bool = True) -> Reading:
    """Read a contract. Never raises for what is in the file: everything wrong is a finding.

    `thorough=False` is for a run: schemas are judged by the one engine that will use them.

    Raises ConfigurationError when PyYAML was built without libyaml.
    """
    parsed = parse(data, path)
    if parsed.parts is not None:
        check(parsed.parts, parsed.problems, thorough=thorough)
    contract = None
    if parsed.parts is not None and not parsed.problems.has_errors:
        contract = _contract(parsed.parts)
    findings = [*parsed.problems.findings(), *misnamed(path)]
    places, keys = (parsed.parts.places, parsed.parts.keys) if parsed.parts is not None else ({}, {})
    return Reading(path, parsed.text, contract, tuple(sorted(findings)), places, keys)


def parse(data: bytes, path: str) -> Parsed:
    """The parts and their places: all of reading but the checks of schemas and meaning."""
    if len(data) > MAX_BYTES:
        return _unreadable("", path, "WM103", f"the file has more than {MAX_BYTES} bytes", "Shorten it.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"the byte 0x{data[error.start]:02x}"
        message = f"found {kind}, which is not UTF-8"
        return _unreadable(data[: error.start].decode(), path, "WM101", message, "Save the file as UTF-8.")
    if (alone := text.count("\r") - text.count("\r\n")) > text.count("\n"):
        message = f"the lines end with CR alone, {alone} of them, and CR is no line end; allowed are LF and CRLF"
        return _unreadable(text[: text.index("\r")], path, "WM104", message, "Save the file with LF line ends.")
    marked = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    plain = _CONTROL.sub("\ufffd", text) if _SUSPECT.search(text) else text  # of the same length: places stay
    problems = Problems(path, Lines(plain))
    if marked:
        message = "the file begins with a byte order mark, which is ignored"
        problems.add("WM102", Span(0, 0), message, "Save the file without it.")
    if plain is not text:
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
        says_something = lines.text.strip() != document.MARKER
        if says_something and not document.read_body(lines, 1).sections and not _has_keys(lines, 1):
            problems.forget()
            _add_foreign(problems)
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
    return Assembly(body, problems).parts(front, root)


def _add_foreign(problems: Problems) -> None:
    message = "this is not a worker.md contract: it has no key `id`, no Input schema, no Output schema, no Constraints"
    hint = "Other projects use *.worker.md for agent prompts; leave this file out, or write a contract."
    problems.add("WM106", Span(0, 0), message, hint)


def _go_on_without(lines: Lines, body: Body, problems: Problems) -> bool:
    """Report that there is no front matter. True when the sections are worth reading all the same."""
    later = document.line_of_marker(lines, 1)
    begins = later is not None and _has_keys(lines, later + 1)
    if not body.sections and not begins:
        problems.forget()
        _add_foreign(problems)
        return False
    first = lines.line_text(1)
    where = f"; the first such line is {later}" if later else ""
    hint = "Begin the file with `---`, the keys `id`, `name`, `version` and another `---`."
    if later and begins and first[:1] != "{" and first[:3] != "+++":
        hint = f"Remove lines 1 to {later - 1}; from a copied page, remove what follows the last section too."
    problems.add("WM107", Span(0, len(first)), f"line 1 is {quoted(first)}; it must be exactly `---`{where}", hint)
    return later is None


def _has_keys(lines: Lines, line: int) -> bool:
    """Whether front matter of ours begins near a line: one of our own keys stands at the start of one, before the next
    marker. What only follows a horizontal rule does not."""
    end = document.line_of_marker(lines, line + 1) or lines.count + 1
    texts = (lines.line_text(number) for number in range(line, min(end, lines.count + 1)))
    return is_ours([found[1] for text in texts if (found := _KEY.match(text))])


def _front(
    bounds: FrontMatterBounds, spec: Section | None, lines: Lines, problems: Problems
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


def _contract(parts: Parts) -> Contract:
    """The record of parts that have no errors."""
    input_schema, output_schema = parts.input_schema or {}, parts.output_schema or {}
    worker_id = str(parts.values.get("id") or parts.values.get("worker_id"))
    mode = str(parts.values.get("worker_mode", ""))
    contract = Contract(
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
        meaning_sha256="",
    )
    return contract._replace(meaning_sha256=meaning_hash(contract).hex())
