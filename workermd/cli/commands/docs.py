"""`workermd docs`: the pages that ship with the package."""

from typing import NamedTuple

from workermd.cli import pages
from workermd.report import say


class DocsOptions(NamedTuple):
    page: str | None


def execute(options: DocsOptions) -> int:
    """Raises UsageError for a page that there is not."""
    if options.page:
        with open(pages.find(options.page), encoding="utf-8") as file:
            say.text(file.read())
        return 0
    known = pages.names()
    width = max(map(len, known))
    say.text("".join(f"{name:<{width}}  {pages.title(path)}\n" for name, path in known.items()))
    return 0
