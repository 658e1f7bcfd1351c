"""How long the write-ahead log was after the last commit, noted beside the ledger: a log that was cut is noticed (S4.8).

SQLite takes whatever is left of a log for all of it: acknowledged answers that stood behind the cut would be gone
without a word, and their runs would be carried out again. The note stands in the write queue's file, whose lock its
writer holds. It is made after the log is on disk, so that a loss of power leaves the note behind the log, never ahead.
"""

import contextlib
import os
import struct

from workermd.protocol.errors import LedgerUnavailable

_NOTE = struct.Struct(">8s8sQ")
_MAGIC = b"wmdl-log"
_HEADER_BYTES = 32
_SALTS = slice(16, 24)


def note(queue_fd: int, path: str) -> None:
    """Note the length of the log as it is now. An unwritten note costs a check, never an answer."""
    with contextlib.suppress(OSError):
        found = _log(path)
        if found is not None:
            os.pwrite(queue_fd, _NOTE.pack(_MAGIC, *found), 0)


def refuse_cut_log(queue_fd: int, path: str) -> None:
    """Raises LedgerUnavailable where the log is the one that was noted, and shorter than it was.

    A log with other salts was begun anew. One that is not there, or empty, was moved into the file by whoever
    closed it last.
    """
    noted = os.pread(queue_fd, _NOTE.size, 0)
    if len(noted) < _NOTE.size:
        return
    magic, salts, length = _NOTE.unpack(noted)
    found = _log(path)
    if magic == _MAGIC and found is not None and found[0] == salts and found[1] < length:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be used: its log {path}-wal was cut, it has {found[1]} bytes of {length}, and "
            "answers that were given may be missing",
            f"restore both files from a backup; to go on without what is missing, remove {path}.lock",
        )


def _log(path: str) -> tuple[bytes, int] | None:
    """The salts of the log, by which it differs from the one before, and its length."""
    try:
        fd = os.open(path + "-wal", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        header = os.pread(fd, _HEADER_BYTES, 0)
        return (header[_SALTS], os.fstat(fd).st_size) if len(header) == _HEADER_BYTES else None
    finally:
        os.close(fd)
