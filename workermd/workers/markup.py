"""Parsing HTML that may mean harm.

The HTML parsing rules themselves let a page of 25 KB ask for gigabytes (formatting elements are built anew
in each paragraph) and a deeply nested one for minutes (open elements are searched for each tag). Both are
bounded here, whatever parser stands behind.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workermd.workers.page import PageRefused

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

PARSER_BYTES = 512 << 20


def parse(text: str, max_tags: int) -> "LexborHTMLParser":
    """Raises `PageRefused` with the code `page_too_complex`."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    if text.count("<") > max_tags:
        raise PageRefused("page_too_complex", f"the page has more than {max_tags} tags (setting max_tags)")
    try:
        with _memory_held(PARSER_BYTES):
            return LexborHTMLParser(text)
    except (SelectolaxError, MemoryError):
        raise PageRefused("page_too_complex", "the page cannot be parsed within the memory for it") from None


@contextmanager
def _memory_held(more: int) -> Iterator[None]:
    """No more than `more` bytes beyond what the process has now; the limit is put back afterwards."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = now + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if soft == resource.RLIM_INFINITY else min(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
