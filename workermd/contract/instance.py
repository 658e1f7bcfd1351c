"""A document held against a contract's schema without running it: mismatches with their place in the file."""

from workermd.contract.json import located
from workermd.contract.json.strict import JsonError, parent
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems
from workermd.contract.schema import Mismatch, checker
from workermd.protocol.envelope import Document
from workermd.protocol.finding import Finding
from workermd.system.text import shown

NOT_JSON = "WM801"
MISMATCH = "WM802"

_ABOUT_THE_KEY = ("additionalProperties", "unevaluatedProperties", "false")
_LONGEST = 80
"""Characters of a place that a message names."""


def check(data: bytes, path: str, schema: Document, draft: str) -> tuple[str, tuple[Finding, ...]]:
    """The text of a document and everything in it that its schema does not allow."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        text = data[: error.start].decode()
        problems = Problems(path, Lines(text))
        message = f"found the byte 0x{data[error.start]:02x}, which is not UTF-8"
        problems.add(NOT_JSON, Span(len(text), len(text)), message, "Save the file as UTF-8.")
        return text, problems.findings()
    problems = Problems(path, Lines(text))
    try:
        document = located.read(text)
    except JsonError as error:
        problems.add(NOT_JSON, Span(error.offset, error.end), error.message, error.hint)
        return text, problems.findings()
    for mismatch in checker(schema, draft).check(document.value):
        message = f"{_named(mismatch.pointer)} {mismatch.message}"
        problems.add(MISMATCH, _marked(mismatch, document.places), message, _rule(mismatch.schema_pointer))
    return text, problems.findings()


def _marked(mismatch: Mismatch, places: dict[str, located.JsonPlace]) -> Span:
    """The value that is wrong; of a property that should not be there, its key."""
    place = mismatch.pointer
    while place not in places:  # a place that the engine put into words of its own
        place = parent(place)
    entry = places[place]
    unexpected = mismatch.keyword in _ABOUT_THE_KEY and place == mismatch.pointer
    return entry.key if unexpected and entry.key is not None else entry.value


def _named(pointer: str) -> str:
    """A place in the document for a message: one line, and never a whole document."""
    if not pointer:
        return "The document"
    return pointer if len(pointer) <= _LONGEST and pointer.isprintable() else shown(pointer, _LONGEST)


def _rule(pointer: str) -> str:
    return f"The rule stands at {_named(pointer)} of the schema." if pointer else "The rule is the schema as a whole."
