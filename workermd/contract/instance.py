"""A document held against a contract's schema without running it: mismatches with their place in the file."""

from workermd.contract import jsonplaces
from workermd.contract.jsontext import JsonError
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems
from workermd.contract.schema import checker
from workermd.envelope import Document
from workermd.finding import Finding

NOT_JSON = "WM801"
MISMATCH = "WM802"


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
        document = jsonplaces.read(text)
    except JsonError as error:
        problems.add(NOT_JSON, Span(error.offset, error.end), error.message, error.hint)
        return text, problems.findings()
    for mismatch in checker(schema, draft).check(document.value):
        entry = document.places[mismatch.pointer]
        place = mismatch.pointer or "/"
        problems.add(MISMATCH, entry.value, f"{place}: {mismatch.message}", f"The rule is {mismatch.schema_pointer}.")
    return text, problems.findings()
