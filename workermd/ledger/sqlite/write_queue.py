"""The write queue: whoever wants to write to the ledger stands in line in the kernel.

SQLite's own waiting sleeps and tries again, so no line forms and a process can be passed over for seconds.
`flock` has a line but knows no time limit, and a stopped process may hold the lock. So whoever finds it taken
waits in a second thread, and gives up in the first one.
"""

import _thread
import errno
import fcntl
import os
import time


class WriteQueue:
    """`<ledger>.lock`, opened. It parts open files: two of these in one process exclude each other too."""

    def __init__(self, path: str) -> None:
        """Raises OSError when the file cannot be opened or created."""
        self._path = path
        self._fd = _open(path)

    def enter(self, give_up_at: float) -> bool:
        """Take the lock; False when it is still taken at `give_up_at` (on `time.monotonic()`'s clock).

        Raises OSError when the file system has no such locks.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._wait(give_up_at)
        return True

    @property
    def fd(self) -> int:
        """The open file, to be written to by whoever holds the lock."""
        return self._fd

    def leave(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Free the lock, also from processes that were forked meanwhile, and close the file."""
        self.leave()
        os.close(self._fd)

    def _wait(self, give_up_at: float) -> bool:
        turn = _Turn(_open(self._path))
        if not turn.wait(give_up_at):
            return False
        os.close(self._fd)
        self._fd = turn.fd
        return True


class _Turn:
    """One wait for the lock, with an open file of its own: an abandoned wait can still end as its holder.

    It uses threads at their lowest level: a busy ledger sees thousands of these waits a second, and a waiting
    thread must not keep the program from ending.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._error: OSError | None = None
        self._come = False
        self._given_up = False
        self._deciding = _thread.allocate_lock()
        self._signal = _thread.allocate_lock()
        self._signal.acquire()
        try:
            _thread.start_new_thread(self._stand_in_line, ())
        except RuntimeError as error:
            os.close(fd)
            raise OSError(errno.EAGAIN, "no thread can be started to wait in") from error

    def wait(self, give_up_at: float) -> bool:
        """Whether the lock has come by `give_up_at`; one that comes later is given back. Raises OSError."""
        left = give_up_at - time.monotonic()
        try:
            self._signal.acquire(timeout=min(max(0.0, left), _thread.TIMEOUT_MAX))
        except BaseException:
            # Ctrl-C: nobody else would free the lock.
            if self._decide() and self._error is None:
                os.close(self.fd)
            raise
        come = self._decide()
        if self._error is not None:
            raise self._error
        return come

    def _decide(self) -> bool:
        with self._deciding:
            self._given_up = not self._come
            return self._come

    def _stand_in_line(self) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        except OSError as error:
            os.close(self.fd)
            self._error = error
        with self._deciding:
            self._come = not self._given_up
            if self._given_up and self._error is None:
                os.close(self.fd)
        self._signal.release()


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
