"""A table of text: rich on a terminal, as wide as it is; tabs and no colours elsewhere."""

import shutil
import sys
from collections.abc import Iterable

from workermd.system.text import printable

WIDE = 80
"""Columns from which on only what may fold is folded."""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], folding: frozenset[str]) -> str:
    """A line for each row below the head; columns in `folding` fold where the terminal is too narrow for all."""
    cells = [tuple(map(printable, row)) for row in rows]
    if not sys.stdout.isatty():
        return "".join("\t".join(line) + "\n" for line in (head, *cells))
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = shutil.get_terminal_size().columns
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        drawn.add_column(title, overflow="fold", no_wrap=columns >= WIDE and title not in folding)
    for line in cells:
        drawn.add_row(*map(Text, line))
    console = Console(width=columns)
    with console.capture() as capture:
        console.print(drawn)
    return capture.get()
