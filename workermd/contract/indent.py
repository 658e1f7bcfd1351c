"""JSON laid out anew: two spaces a level, every token as it stands."""

import re
from collections.abc import Iterator

WIDTH = 120
"""Columns that a list or object on one line may take, its indentation and key included."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++|\s++')
_CLOSERS = {"{": "}", "[": "]"}


class _Node:
    """A value: a piece, or a list or object with its members. `flat` is its text on one line."""

    __slots__ = ("flat", "key", "members", "opens", "spread")

    def __init__(self, key: str, opens: str) -> None:
        self.key = key
        self.opens = opens
        self.members: list[_Node] = []
        self.spread = False
        self.flat = key + opens


def indented(text: str, newline: str = "\n") -> str:
    """Strict JSON, which has to be valid, with its keys in their order. No line end at the end.

    A list or object that stands on one line stays there where it fits into `WIDTH`; any other has one
    member a line. Doing it again changes nothing.
    """
    return newline.join(_lines(_tree(text), "", ""))


def _tree(text: str) -> _Node:
    """Without recursion: JSON may be nested as deep as the reader allows."""
    root = _Node("", "")
    open_nodes = [root]
    key = last = ""
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece.isspace():
            if "\n" in piece:
                for node in open_nodes:
                    node.spread = True
        elif piece in "{[":
            node = _Node(key, piece)
            open_nodes[-1].members.append(node)
            open_nodes.append(node)
            key = ""
        elif piece in "}]":
            _close(open_nodes.pop())
        elif piece == ":":
            key = f"{last}: "
            open_nodes[-1].members.pop()
        elif piece != ",":
            open_nodes[-1].members.append(_Node(key, piece))
            key, last = "", piece
    return root.members[0]


def _close(node: _Node) -> None:
    node.flat = f"{node.key}{node.opens}{', '.join(member.flat for member in node.members)}{_CLOSERS[node.opens]}"
    node.spread = bool(node.members) and (node.spread or any(member.spread for member in node.members))


def _lines(node: _Node, indent: str, comma: str) -> Iterator[str]:
    if not node.members or (not node.spread and len(indent + node.flat + comma) <= WIDTH):
        yield f"{indent}{node.flat}{comma}"
        return
    yield f"{indent}{node.key}{node.opens}"
    for member in node.members:
        yield from _lines(member, f"{indent}  ", "" if member is node.members[-1] else ",")
    yield f"{indent}{_CLOSERS[node.opens]}{comma}"
