"""Chance of its own for a process that was forked: two forks of one process would draw the same numbers."""

import sys


def reseed() -> None:
    """The generators that Python and NumPy keep, where they are loaded. What asks the kernel needs nothing."""
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()
