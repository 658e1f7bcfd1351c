"""One text of an open document, read and linted: all that the answers to an editor are made of."""

import os
from functools import cached_property

from workermd.config import configuration
from workermd.contract.model import Lines, Span
from workermd.contract.reader import read
from workermd.editor.outline import Outline
from workermd.editor.positions import Positions
from workermd.lint.engine import lint
from workermd.lint.fixes import BYTE_ORDER_MARK
from workermd.lint.selection import Selection, configured
from workermd.protocol.errors import WorkermdError
from workermd.protocol.finding import Finding

UNNAMED = "<unnamed>"
"""The path of a document that is in no file."""

NO_CONTRACT = "WM106"


class Buffer:
    """`path` is empty for a document that is in no file. `trouble` says what is wrong with the configuration."""

    def __init__(self, text: str, path: str, flags: configuration.Flags, encoding: str) -> None:
        self.text = text
        self.selection, self.trouble = _selection(path, flags)
        self.reading = read(self.data, path or UNNAMED)
        self.linted = lint(self.reading, self.selection)
        self.positions = Positions(text, encoding)
        self._shift = len(text) - len(text.removeprefix("\ufeff"))

    @property
    def data(self) -> bytes:
        """A lone surrogate, which JSON can carry and UTF-8 cannot, becomes bytes that the reader reports."""
        return self.text.encode("utf-8", "surrogatepass")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """None for a document in no file that is no contract: any new document begins so."""
        if self.reading.path == UNNAMED and {each.code for each in self.linted.findings} == {NO_CONTRACT}:
            return ()
        return self.linted.findings

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.reading.text)

    @cached_property
    def outline(self) -> Outline:
        return Outline(self.lines)

    @property
    def encodable(self) -> bool:
        """False where the text is not what was read, so that no place in it can be trusted for an edit."""
        return self.data.removeprefix(BYTE_ORDER_MARK) == self.reading.text.encode("utf-8", "surrogatepass")

    def span(self, finding: Finding) -> Span:
        """The place of a finding, as offsets of `reading.text`."""
        start = self.lines.start(finding.line) - 1
        return Span(start + finding.column, start + finding.end_column)

    def offset(self, of_document: int) -> int:
        """An offset of the document as one of `reading.text`, which lacks the byte order mark."""
        return min(max(0, of_document - self._shift), len(self.reading.text))

    def in_document(self, span: Span) -> Span:
        return Span(span.start + self._shift, span.end + self._shift)


def _selection(path: str, flags: configuration.Flags) -> tuple[Selection, str]:
    """What the configuration above the document chooses. One that cannot be used chooses nothing, and is told."""
    try:
        settings = configuration.load(flags, os.path.dirname(path))
        return configured(settings.lint_select, settings.lint_ignore, settings.origin), ""
    except WorkermdError as error:
        return Selection(), f"{error.message}; {error.hint}" if error.hint else error.message
