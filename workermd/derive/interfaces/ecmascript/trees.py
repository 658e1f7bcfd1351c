"""Syntax trees of TypeScript and JavaScript, parsed by a process of their own."""

import gc
import importlib.util
import subprocess
import sys
from array import array
from functools import cache
from typing import IO

from workermd.derive.interfaces.ecmascript.parser import ANSWER, GRAMMARS, HEAD, UNREAD

MAX_SOURCE = 256 * 1024
MOST_DEATHS = 3
"""Processes that may end over a source of one repository; what comes after is not parsed."""


class SyntaxNode:
    """A node of a syntax tree: `kind` is the grammar's word for it, the offsets are of bytes."""

    __slots__ = ("children", "end", "kind", "start")

    def __init__(self, kind: str, start: int, end: int) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.children: list[SyntaxNode] = _LEAF

    @property
    def is_read(self) -> bool:
        return self.kind != UNREAD


_LEAF: list[SyntaxNode] = []
"""The children of every node without any: a tree is mostly leaves, and a list for each takes time."""


class SourceNotParsed(Exception):
    """Why a source has no tree."""


@cache
def is_there() -> bool:
    """Whether tree-sitter and its two grammars are installed."""
    wanted = ("tree_sitter", "tree_sitter_typescript", "tree_sitter_javascript")
    return all(importlib.util.find_spec(name) is not None for name in wanted)


class TreeParser:
    """One process for the sources of one repository, started when the first is parsed; close it afterwards."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    def parse(self, path: str, source: bytes) -> SyntaxNode:
        """Raises SourceNotParsed."""
        if len(source) > MAX_SOURCE:
            raise SourceNotParsed(f"is larger than {MAX_SOURCE} bytes")
        if self._deaths >= MOST_DEATHS:
            raise SourceNotParsed(f"was not parsed: {MOST_DEATHS} files before it took too much memory or time")
        process = self._process or self._started()
        try:
            return self._asked(process, GRAMMARS.index(_grammar(path)), source)
        except (OSError, EOFError):
            self._deaths += 1
            self.close()
            raise SourceNotParsed("takes too much memory or time to be parsed") from None

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> "subprocess.Popen[bytes]":
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "workermd.derive.interfaces.ecmascript.parser"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._process

    def _asked(self, process: "subprocess.Popen[bytes]", grammar: int, source: bytes) -> SyntaxNode:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(HEAD.pack(grammar, len(source)) + source)
        process.stdin.flush()
        length, count, _ = ANSWER.unpack(_exactly(process.stdout, ANSWER.size))
        names = _exactly(process.stdout, length).decode().split("\n")
        numbers = array("I")
        numbers.frombytes(_exactly(process.stdout, 4 * count * numbers.itemsize))
        if not count:
            raise SourceNotParsed("has too many parts")
        collects = gc.isenabled()
        gc.disable()  # half a million nodes, none of them garbage: looking for some takes longer than making them
        try:
            return _built(names, numbers)
        finally:
            if collects:
                gc.enable()


def _grammar(path: str) -> str:
    if path.endswith((".tsx", ".jsx")):
        return "tsx" if path.endswith(".tsx") else "javascript"
    return "typescript" if path.endswith("ts") else "javascript"


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def _built(names: list[str], numbers: "array[int]") -> SyntaxNode:
    root = SyntaxNode(names[numbers[0]], numbers[2], numbers[3])
    line = [root]
    for kind, depth, start, end in zip(numbers[4::4], numbers[5::4], numbers[6::4], numbers[7::4], strict=True):
        node = SyntaxNode(names[kind], start, end)
        del line[depth:]
        above = line[-1]
        if above.children is _LEAF:
            above.children = [node]
        else:
            above.children.append(node)
        line.append(node)
    return root
