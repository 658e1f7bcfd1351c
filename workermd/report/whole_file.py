"""A file written whole or not at all."""

import os
from contextlib import suppress

from workermd.errors import OutputUnwritable


def write_whole(path: str, data: bytes) -> None:
    """Put `data` in place of a file, with the mode that it has; a crash leaves the old one. Raises OutputUnwritable."""
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        mode = os.stat(path).st_mode & 0o777
    except OSError:
        mode = 0o666 & ~_mask()
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        raise OutputUnwritable(f"{path}: cannot be written ({error.strerror})", "check its folder") from None


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
