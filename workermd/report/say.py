"""The two streams: one document on standard output, everything else on standard error (S5.1)."""

import os
import sys
from typing import NamedTuple, TextIO

from workermd.protocol.errors import OutputUnwritable, WorkermdError
from workermd.system.text import printable


def document(data: bytes) -> bool:
    """Print a document; False where its reader went away, which is no fault: the answer is on disk. Raises OutputUnwritable."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]
        return True
    except BrokenPipeError:
        pass
    except OSError as error:
        raise OutputUnwritable(
            f"standard output cannot be written ({error.strerror})",
            "mend what it is connected to; for a settled run the same command prints its answer again",
        ) from None
    # Standard output stays broken; the interpreter would complain about it at its end.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return False


def text(lines: str) -> None:
    document(lines.encode("utf-8", "replace"))


def is_terminal() -> bool:
    """Whether both streams are read by a person, who needs to be told once."""
    return os.isatty(1) and os.isatty(2)


class Style(NamedTuple):
    """How text for people is set: the width at which it folds, and whether it has colours."""

    columns: int = sys.maxsize
    colours: bool = False


def style(stream: TextIO) -> Style:
    """That of a terminal; a program that reads the stream gets whole lines without colours."""
    if not stream.isatty():
        return Style()
    import shutil

    colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(max(shutil.get_terminal_size().columns, 40), colours)


def columns() -> int:
    """Where a line for people folds: the terminal's width; nowhere where a program reads it."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def note(message: str) -> None:
    """One line for people."""
    sys.stderr.write(f"workermd: {printable(message)}\n")
    sys.stderr.flush()


def error(failure: WorkermdError) -> None:
    # A hint is the end of the sentence, or a sentence of its own.
    joint = ". " if failure.hint and failure.hint[0].isupper() else "; "
    note(f"{failure.message}{joint}{failure.hint}" if failure.hint else failure.message)
