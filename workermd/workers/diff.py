"""Unified diffs, read strictly: every hunk has the lines that its header promises."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class BadDiff(Exception):
    """Not a unified diff, or one that is cut off. The message names the line."""


class Hunk(NamedTuple):
    """A run of lines: starts count from 1 (0 for an empty side); each line is its mark (`+`, `-`, blank) and text."""

    old_start: int
    new_start: int
    lines: tuple[tuple[str, str], ...]

    def side(self, mark: str) -> list[str]:
        """The lines of the old (`-`) or the new (`+`) side."""
        return [text for found, text in self.lines if found in (mark, " ")]

    def added(self) -> Iterator[tuple[int, str]]:
        """Number in the new file, and text, of every added line."""
        number = self.new_start
        for mark, text in self.lines:
            if mark == "+":
                yield number, text
            number += mark != "-"


class FileDiff(NamedTuple):
    """What happens to one file. `path` is the new one (the old one of a deleted file)."""

    path: str
    is_new: bool
    is_deleted: bool
    is_binary: bool
    hunks: tuple[Hunk, ...]

    def added(self) -> dict[int, str]:
        return {number: text for hunk in self.hunks for number, text in hunk.added()}

    def count(self, mark: str) -> int:
        return sum(found == mark for hunk in self.hunks for found, _ in hunk.lines)

    def new_text(self) -> str | None:
        """The whole new file where the diff itself holds it: a new file's."""
        if not self.is_new or not self.hunks:
            return None
        return "".join(f"{text}\n" for _, text in sorted(self.added().items()))

    def applied_to(self, text: str) -> str | None:
        """The new text, given the file before or after the change; None when it fits neither. Whether the last
        line ends with a newline is not followed."""
        lines = text.split("\n")
        if all(_stands(lines, hunk.new_start, hunk.side("+")) for hunk in self.hunks):
            return text
        if not all(_stands(lines, hunk.old_start, hunk.side("-")) for hunk in self.hunks):
            return None
        for hunk in reversed(self.hunks):
            old = hunk.side("-")
            start = hunk.old_start - 1 if old else hunk.old_start
            lines[start : start + len(old)] = hunk.side("+")
        return "\n".join(lines)


def _stands(lines: list[str], start: int, wanted: list[str]) -> bool:
    found = lines[start - 1 : start - 1 + len(wanted)] if wanted else []
    return [line.removesuffix("\r") for line in found] == [line.removesuffix("\r") for line in wanted]


_HUNK = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_EXTENDED = ("index ", "old mode ", "new mode ", "similarity index ", "dissimilarity index ", "copy from ", "copy to ")


def read_diff(text: str) -> tuple[FileDiff, ...]:
    """The files of a unified diff, with or without git's extended headers. Raises `BadDiff`."""
    return tuple(_Reader(text.split("\n")).files())


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else ""

    def files(self) -> Iterator[FileDiff]:
        """Text between files (a commit message, say) is passed over; a hunk without a file is not."""
        while self.at < len(self.lines):
            line = self.peek()
            if line.startswith("diff --git "):
                yield self.git_file()
            elif line.startswith("--- ") and self.peek(1).startswith("+++ "):
                yield self.plain_file()
            elif line.startswith("@@ -"):
                raise BadDiff(f"line {self.at + 1}: a hunk without the '---' and '+++' lines of its file")
            else:
                self.at += 1

    def git_file(self) -> FileDiff:
        header = self.peek()
        self.at += 1
        is_new = is_deleted = is_binary = False
        path = _git_path(header)
        while self.at < len(self.lines):
            line = self.peek()
            if line.startswith("new file mode "):
                is_new = True
            elif line.startswith("deleted file mode "):
                is_deleted = True
            elif line.startswith(("rename to ", "copy to ")):
                path = _unquoted(line.split(" to ", 1)[1])
            elif line.startswith(("Binary files ", "GIT binary patch")):
                is_binary = True
            elif not line.startswith((*_EXTENDED, "rename from ")):
                break
            self.at += 1
        if self.peek().startswith("--- "):
            found = self.plain_file()
            return found._replace(is_new=is_new or found.is_new, is_deleted=is_deleted or found.is_deleted)
        return FileDiff(path, is_new, is_deleted, is_binary, ())

    def plain_file(self) -> FileDiff:
        old = _path(self.peek()[4:])
        self.at += 1
        if not self.peek().startswith("+++ "):
            raise BadDiff(f"line {self.at + 1}: '+++' must follow '---'; the diff is cut off or garbled")
        new = _path(self.peek()[4:])
        self.at += 1
        hunks = []
        while self.peek().startswith("@@ -"):
            hunks.append(self.hunk())
        if not hunks:
            raise BadDiff(f"line {self.at}: no hunk follows; the diff is cut off")
        return FileDiff(new or old or "", old is None, new is None, False, tuple(hunks))

    def hunk(self) -> Hunk:
        start = self.at + 1
        match = _HUNK.match(self.peek())
        if match is None:
            raise BadDiff(f"line {start}: not a hunk header of the form '@@ -a,b +c,d @@'")
        old_start, old_left, new_start, new_left = (int(number or 1) for number in match.groups())
        self.at += 1
        lines: list[tuple[str, str]] = []
        while old_left > 0 or new_left > 0:
            if self.at >= len(self.lines) or (self.at == len(self.lines) - 1 and not self.peek()):
                raise BadDiff(f"line {start}: the hunk is shorter than its header says; the diff is cut off")
            line = self.peek()
            mark = line[:1] or " "  # some mailers strip the blank of an empty context line
            if mark not in " +-\\":
                raise BadDiff(f"line {self.at + 1}: inside a hunk every line starts with '+', '-' or a blank")
            if mark != "\\":
                lines.append((mark, line[1:]))
                old_left -= mark != "+"
                new_left -= mark != "-"
            self.at += 1
        if old_left < 0 or new_left < 0:
            raise BadDiff(f"line {start}: the hunk is longer than its header says")
        if self.peek().startswith("\\"):
            self.at += 1
        return Hunk(old_start, new_start, tuple(lines))


def _path(text: str) -> str | None:
    """The path of a `---` or `+++` line, without git's `a/` or `b/`; None for /dev/null."""
    path = _unquoted(text.split("\t", 1)[0].rstrip("\r"))
    if path == "/dev/null":
        return None
    return path[2:] if path.startswith(("a/", "b/")) else path


def _git_path(header: str) -> str:
    return header.rstrip("\r").rpartition(" b/")[2].rstrip('"')


_ESCAPE = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')
_CONTROL = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


def _unquoted(text: str) -> str:
    """git quotes names with odd characters: octal escapes are bytes of UTF-8."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text

    def byte(match: re.Match[str]) -> str:
        name = match[1]
        return chr(_CONTROL[name] if name in _CONTROL else int(name, 8) & 0xFF)

    inner = text[1:-1].encode("utf-8").decode("latin-1")
    return _ESCAPE.sub(byte, inner).encode("latin-1").decode("utf-8", "replace")
