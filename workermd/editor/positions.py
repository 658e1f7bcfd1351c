"""Offsets in code points become positions of the Language Server Protocol, and back."""

import re
from bisect import bisect_right

from lsprotocol import types

UTF_16 = "utf-16"
"""The encoding that counts characters where client and server agree on no other."""

_LINE_END = re.compile(r"\r\n|\n|\r")


class Positions:
    """Lines end with LF, CRLF or CR alone, as the protocol has it: a contract's own lines do not end with CR."""

    def __init__(self, text: str, encoding: str = UTF_16) -> None:
        self._text = text
        self._plain = text.isascii()
        self._encoding = encoding
        ends = [match.span() for match in _LINE_END.finditer(text)]
        self._starts = [0, *(end for _, end in ends)]
        self._ends = [*(start for start, _ in ends), len(text)]

    def position(self, offset: int) -> types.Position:
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        return types.Position(line, self._units(start, min(offset, self._ends[line])))

    def range(self, start: int, end: int) -> types.Range:
        return types.Range(self.position(start), self.position(end))

    def offset(self, position: types.Position) -> int:
        """The nearest offset at or before a position; one beyond its line is the line's end."""
        if position.line >= len(self._starts):
            return len(self._text)
        start, end = self._starts[position.line], self._ends[position.line]
        if self._plain:
            return min(start + position.character, end)
        units = 0
        for at in range(start, end):
            units += self._units(at, at + 1)
            if units > position.character:
                return at
        return end

    def _units(self, start: int, end: int) -> int:
        if self._plain or self._encoding == "utf-32":
            return end - start
        piece = self._text[start:end]
        if self._encoding == "utf-8":
            return len(piece.encode("utf-8", "surrogatepass"))
        return len(piece) + sum(character > "\uffff" for character in piece)
