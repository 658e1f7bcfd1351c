"""Many files checked by several processes, told in their order; a few are not worth a process."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

Found = TypeVar("Found")
Name = TypeVar("Name")

WORTH_IT = 32
"""Files that had to be read by this process before others help: it has loaded by then all that they need."""

_CHUNK = 16
_AHEAD = 8
"""Chunks for each process that may be finished before their turn: memory stays flat."""


def cores() -> int:
    """How many processes may help; 1 where none can be forked."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def in_order(names: Iterable[Name], check: Callable[[Name], Found], jobs: int) -> Iterator[Found]:
    """What `check` finds of each name, in the order of the names, by `jobs` forked processes."""
    import gc
    from collections import deque
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    left = iter(names)
    gc.freeze()  # what is loaded is shared, not copied
    with ProcessPoolExecutor(jobs, get_context("fork"), _begin, (check,)) as pool:
        waiting = deque(pool.submit(_each, part) for _ in range(jobs * _AHEAD) if (part := list(islice(left, _CHUNK))))
        while waiting:
            found = waiting.popleft().result()
            if part := list(islice(left, _CHUNK)):
                waiting.append(pool.submit(_each, part))
            yield from found


_held: list[Callable[[Any], Any]] = []
"""In a process that helps: what it checks by. It is had by the fork, for not everything can be sent."""


def _begin(check: Callable[[Any], Any]) -> None:
    """In each process: an interrupt is for the one that asked."""
    import signal

    _held[:] = [check]
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _each(names: list[Any]) -> list[Any]:
    return [_held[0](name) for name in names]
