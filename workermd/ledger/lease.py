"""The lease of a machine as it stands in a file: until when the attempts of this machine may go on.

It is a moment of CLOCK_BOOTTIME in nanoseconds, so that the time counts in which a machine was suspended. The attempt's
own process imports this module: it must stay as cheap to import as `os`.
"""

import os
import time

_BYTES = 8


def boot_clock() -> int:
    """Nanoseconds that this machine has been up, those included in which it was suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def is_over(path: str) -> bool:
    """What cannot be read is no lease."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return _moment(descriptor) <= boot_clock()
    finally:
        os.close(descriptor)


def write(path: str, until: int) -> None:
    """Several processes of this machine renew its one lease: it only gets longer. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if _moment(descriptor) < until:
            os.pwrite(descriptor, until.to_bytes(_BYTES), 0)
    finally:
        os.close(descriptor)


def _moment(descriptor: int) -> int:
    found = os.pread(descriptor, _BYTES, 0)
    return int.from_bytes(found) if len(found) == _BYTES else 0
