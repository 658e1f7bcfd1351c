"""The run lock: one attempt of a run at a time, over all processes of a machine (S4.4).

One byte of the file `<ledger>.runs` per run, locked with an open file description lock. Such a lock belongs
to the open file and not to a process: a child that inherited the descriptor holds the lock too, also when it
inherited it before the lock was taken, and the kernel frees it when the last copy of the descriptor is
closed. So a run stays locked while its supervisor or its attempt lives, and no clock has a say (S4.2).

The file is never removed: somebody may be waiting on the open one.
"""

import errno
import os
import struct
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from workermd.protocol.errors import ConfigurationError, LedgerUnavailable
from workermd.system.digest import sha256

if sys.platform == "linux":
    import fcntl

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.05


def run_offset(worker_id: str, run_id: str) -> int:
    """The byte that stands for a run: 62 bits of a hash. A collision only makes two runs take turns."""
    key = f"{worker_id}\0{run_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(sha256(key)[:8], "big") >> 2


class RunLock:
    """An open lock file, for one run at a time. `fd` is what an attempt's process has to inherit.

    Open one per run: every attempt that inherits an open file holds all locks of that file.
    """

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self._offset: int | None = None

    @classmethod
    def open(cls, ledger_path: str) -> "RunLock":
        """Open `<ledger>.runs`, creating it and its folder when missing.

        Raises ConfigurationError on a platform without such locks, LedgerUnavailable when the file cannot
        be opened.
        """
        if sys.platform != "linux" or not hasattr(fcntl, "F_OFD_SETLK") or struct.calcsize("P") != 8:
            raise _unsupported()
        path = ledger_path + ".runs"
        try:
            path = os.path.realpath(ledger_path) + ".runs"
            try:
                return cls(path, _open(path))
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                return cls(path, _open(path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the path is not one"
            raise LedgerUnavailable(
                f"the run locks {path} cannot be opened: {reason}",
                "choose a ledger in a folder that you may write to",
            ) from error

    def try_acquire(self, offset: int) -> bool:
        """Take the lock now, or say that somebody else has it. Raises LedgerUnavailable, ConfigurationError."""
        if not self._set(fcntl.F_WRLCK, offset):
            return False
        self._offset = offset
        return True

    def acquire(self, offset: int, give_up_at: float, tick: Callable[[], None] | None = None) -> bool:
        """Wait for the lock until `give_up_at` (on `time.monotonic()`'s clock); False when it stayed taken.

        It is asked for every 5 to 50 ms, because the blocking form knows no time limit. `tick` is called
        before each pause and may raise to end the waiting. Raises as `try_acquire` does.
        """
        pause = _FIRST_PAUSE
        while not self.try_acquire(offset):
            if tick is not None:
                tick()
            left = give_up_at - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return True

    def release(self) -> None:
        """Free the lock for everybody, children that hold it included: call it when the attempt is over."""
        if self._offset is not None:
            self._set(fcntl.F_UNLCK, self._offset)
            self._offset = None

    def close(self) -> None:
        """Close this copy of the file. A child that inherited it and still lives keeps the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self._offset = None

    def lent(self) -> "LentLock":
        """For one run after the other: a keeper that serves them all has inherited this very file."""
        return LentLock(self.path, self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, kind: int, offset: int) -> bool:
        # struct flock of 64-bit Linux: type, whence, start, length, pid. The kernel demands pid 0.
        wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, offset, 1, 0)
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, wanted)
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            if error.errno == errno.EINVAL:
                raise _unsupported() from error
            raise LedgerUnavailable(
                f"the run lock in {self.path} cannot be set: {error.strerror}", "choose a ledger on a local file system"
            ) from error
        return True


class LentLock(RunLock):
    """A lock whose file stays open for the next run; only the lock goes."""

    def close(self) -> None:
        self.release()


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _unsupported() -> ConfigurationError:
    return ConfigurationError(
        "this platform has no open file description locks, which keep two processes from running one run at once",
        "carry out runs on 64-bit Linux; every other command works here",
    )
