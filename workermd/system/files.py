"""Files that are written whole or not at all: the one place where a temporary file takes another's name.

The results of attempts are not written here: they have a promise of their own (`ledger/results.py`).
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workermd.protocol.errors import OutputUnwritable


def write(path: str, data: bytes, hint: str = "check its folder and permissions") -> None:
    """`put` for a file that a person named. Raises OutputUnwritable."""
    try:
        put(path, data)
    except OSError as error:
        raise _unwritable(path, error, hint) from None


@contextmanager
def growing(path: str, unless: Callable[[], bool]) -> Iterator[Callable[[bytes], None]]:
    """What adds to a file that takes its name at the end of the block, whole, unless that raised or `unless` says so.

    The file before it stays until then. What is no regular file is written to as it comes. Raises OutputUnwritable.
    """
    target = os.path.realpath(path)

    def add(data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            raise _unwritable(path, error) from None

    try:
        present = _mode(target)
        if present is not None and not stat.S_ISREG(present):
            with open(target, "wb") as file:
                yield add
            return
        _refuse_read_only(path, target, present)
        temporary = _beside(target)
        with open(_created(temporary), "wb") as file:
            try:
                if present is not None:
                    _permit(file.fileno(), stat.S_IMODE(present))
                yield add
                if unless():
                    os.unlink(temporary)
                    return
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, target)
            except BaseException:
                os.unlink(temporary)
                raise
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError, hint: str = "check its folder and permissions") -> OutputUnwritable:
    return OutputUnwritable(f"{path}: cannot be written ({error.strerror})", hint)


def put(path: str, data: bytes) -> None:
    """Put `data` in place of what the file holds; its permissions stay, and a link goes on pointing to it.

    What is no regular file, such as /dev/null or a pipe, is written to instead. Raises OSError, and then the file
    is as it was; a file that nobody may write to stays as it is.
    """
    # Only where the name itself is a link: a folder that is reached by its descriptor has no other name.
    place = os.path.realpath(path) if os.path.islink(path) else path
    present = _mode(place)
    if present is not None and not stat.S_ISREG(present):
        with open(place, "wb") as file:
            file.write(data)
        return
    _refuse_read_only(path, place, present)
    replace(place, data, permissions=None if present is None else stat.S_IMODE(present))


def replace(path: str, data: bytes, *, mode: int = 0o666, permissions: int | None = None, durable: bool = True) -> None:
    """A new file of that name, whatever stood there, by way of one beside it that gets the name once it is whole.

    `mode` is less the umask, `permissions` are not. `durable` False: a loss of power may leave any state behind.
    """
    temporary = _beside(path)
    descriptor = _created(temporary, mode)
    try:
        with open(descriptor, "wb") as file:
            if permissions is not None:
                _permit(descriptor, permissions)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _refuse_read_only(path: str, place: str, present: int | None) -> None:
    """A rename asks the folder only; a file that is read-only is meant to stay as it is, for root too."""
    if present is not None and not (present & 0o222 and os.access(place, os.W_OK)):
        raise PermissionError(13, os.strerror(13), path)


def _beside(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:60]}.{os.urandom(6).hex()}.tmp")


def _created(path: str, mode: int = 0o666) -> int:
    """Windows has flags of its own: without O_BINARY it would write other line ends."""
    exact = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | exact, mode)


def _permit(descriptor: int, permissions: int) -> None:
    if hasattr(os, "fchmod"):  # Windows keeps no such permissions
        os.fchmod(descriptor, permissions)


def _mode(place: str) -> int | None:
    try:
        return os.stat(place).st_mode
    except FileNotFoundError:
        return None
