"""Libraries import what they might be asked to use: here they do without what nobody asks for.

A derive from the cache is little more than importing httpx and hishel. Where click is installed, httpx loads its own
command line with itself, rich and pygments with it: half as long again. Other event loops and other stores are like it.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def without(*modules: str) -> Iterator[None]:
    """Inside, these modules cannot be imported, unless they are already. One thread at a time."""
    loaded: dict[str, Any] = sys.modules
    hidden = [module for module in modules if module not in loaded]
    loaded.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for module in hidden:
            del loaded[module]
