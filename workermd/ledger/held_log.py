"""A ledger's write-ahead log stays on disk while an attempt runs.

SQLite removes the log with the last connection and makes a new one with the next. Whoever hides the log from a task
hides one file, and a new one would be in view. A shared lock on the ledger, of the kind that every connection has,
keeps the log where it is. It is an open file description lock: SQLite's own locks are not touched.
"""

import contextlib
import fcntl
import os
import struct

_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes of a database file that stand for its readers (SQLite's file format)."""

_SUFFIXES = ("-wal", "-shm", "-journal")


def hold(ledger_path: str) -> int:
    """Keep the log as long as the descriptor is open that is returned. Raises OSError.

    What is missing is made, empty, as SQLite takes it: a file that is not there cannot be hidden.
    """
    descriptor = os.open(ledger_path, os.O_RDONLY | os.O_CLOEXEC)
    shared = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, shared)
    except OSError:
        os.close(descriptor)
        raise
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(ledger_path + suffix, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return descriptor
