"""A table of text: rich on a terminal, as wide as it is; tabs and no colours elsewhere."""

import shutil
import sys
from collections.abc import Iterable

from workermd.system.text import printable

_GAP = 2
"""Columns between two columns of a table."""
_FEWEST = 2
WIDE = 80
"""Columns from which on only what may fold is folded."""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], folding: frozenset[str]) -> str:
    """A line for each row below the head; columns in `folding` fold where the terminal is too narrow for all.

    Where none may fold, as with ids that are copied, the last columns are left out until the rest fits; two stay.
    """
    cells = [tuple(map(printable, row)) for row in rows]
    if not sys.stdout.isatty():
        return "".join("\t".join(line) + "\n" for line in (head, *cells))
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = shutil.get_terminal_size().columns
    if not folding:
        widths = [max(map(len, column)) + _GAP for column in zip(head, *cells, strict=True)]
        while len(widths) > _FEWEST and sum(widths) - _GAP > columns:
            widths.pop()
        head, cells = head[: len(widths)], [line[: len(widths)] for line in cells]
        columns = max(columns, sum(widths))
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        drawn.add_column(title, overflow="fold", no_wrap=(columns >= WIDE or not folding) and title not in folding)
    for line in cells:
        drawn.add_row(*map(Text, line))
    console = Console(width=columns)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()
