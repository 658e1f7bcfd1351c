"""The two streams: one document on standard output, everything else on standard error (S5.1)."""

import contextlib
import os
import sys

from workermd.errors import WorkermdError


def document(data: bytes) -> None:
    """Print a document. A reader that went away is no fault of ours: the answer is on disk."""
    with contextlib.suppress(BrokenPipeError):
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]
        return
    # Standard output stays broken; the interpreter would complain about it at its end.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def text(lines: str) -> None:
    document(lines.encode("utf-8", "replace"))


def note(message: str) -> None:
    """One line for people."""
    sys.stderr.write(f"workermd: {message}\n")
    sys.stderr.flush()


def error(failure: WorkermdError) -> None:
    note(f"{failure.message}; {failure.hint}" if failure.hint else failure.message)
