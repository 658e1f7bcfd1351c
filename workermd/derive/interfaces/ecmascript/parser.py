"""A process that parses what strangers wrote: tree-sitter's memory grows with the square of some texts.

32 kB of `a<b,` take a gigabyte. So the process limits itself, and whoever started it outlives it. A request is a byte for
the grammar, a length and the source; the answer is the tree in preorder, three numbers a node, and the names of kinds.
"""

import struct
import sys
from array import array
from typing import Any

MAX_MEMORY = 400 << 20
MAX_SECONDS = 20
"""Of processor time, over all sources."""
MAX_NODES = 300_000
MAX_DEPTH = 250
"""Of nodes: what lies deeper is left out, and its parent is marked as not read."""

GRAMMARS = ("typescript", "tsx", "javascript")
UNREAD = "ERROR"
HEAD = struct.Struct("<BI")
ANSWER = struct.Struct("<III")


def grammar(name: str) -> Any:
    from tree_sitter import Language

    if name == "javascript":
        import tree_sitter_javascript

        return Language(tree_sitter_javascript.language())
    import tree_sitter_typescript

    return Language(
        tree_sitter_typescript.language_tsx() if name == "tsx" else tree_sitter_typescript.language_typescript()
    )


def main() -> None:
    import resource  # Windows has none: there the process ends at once, and derive says that nothing was read

    for what, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_CPU, MAX_SECONDS), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))
    from tree_sitter import Parser

    parsers: dict[str, Any] = {}
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(HEAD.size)) == HEAD.size:
        number, length = HEAD.unpack(head)
        name = GRAMMARS[number]
        parser = parsers.get(name) or parsers.setdefault(name, Parser(grammar(name)))
        names, nodes = flattened(parser.parse(source.read(length)).walk())
        table = "\n".join(names).encode()
        sink.write(ANSWER.pack(len(table), len(nodes) // 4, 0) + table + nodes.tobytes())
        sink.flush()


def flattened(cursor: Any) -> tuple[list[str], "array[int]"]:
    """Kind, depth, start and end of each named node but comments, parents first; a missing node is not read."""
    kinds: dict[str, int] = {UNREAD: 0}
    nodes = array("I")
    depth = 0
    while True:
        node = cursor.node
        below = False
        if node.is_named and node.type != "comment":
            kind = UNREAD if node.is_missing or depth >= MAX_DEPTH else node.type
            nodes.extend((kinds.setdefault(kind, len(kinds)), depth, node.start_byte, node.end_byte))
            below = depth < MAX_DEPTH and cursor.goto_first_child()
        if len(nodes) > 4 * MAX_NODES:
            return [UNREAD], array("I")
        if below:
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return list(kinds), nodes
            depth -= 1


if __name__ == "__main__":
    main()
