"""Files that are written whole or not at all."""

import os
import stat

from workermd.protocol.errors import OutputUnwritable


def write(path: str, data: bytes) -> None:
    """Put `data` in place of what the file holds; its permissions stay, and a link goes on pointing to it.

    What is no regular file, such as /dev/null or a pipe, is written to instead. Raises OutputUnwritable.
    """
    place = os.path.realpath(path)
    try:
        mode = _mode(place)
        if mode is not None and not stat.S_ISREG(mode):
            with open(place, "wb") as file:
                file.write(data)
            return
        _replace(place, data, mode)
    except OSError as error:
        raise OutputUnwritable(
            f"{path}: cannot be written ({error.strerror})", "check its folder and permissions"
        ) from None


def _mode(place: str) -> int | None:
    try:
        return os.stat(place).st_mode
    except FileNotFoundError:
        return None


def _replace(place: str, data: bytes, mode: int | None) -> None:
    """Through a file beside it, which gets the name once it is on disk."""
    if mode is not None and not os.access(place, os.W_OK):
        # A rename asks the folder only; a file that is read-only is meant to stay as it is.
        raise PermissionError(13, os.strerror(13))
    temporary = os.path.join(os.path.dirname(place), f".{os.path.basename(place)[:100]}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, stat.S_IMODE(mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
