"""The supervisor's side of a keeper that serves many attempts, one after the other: see `lasting_keeper`."""

import contextlib
import os
import signal
import socket
import time

from workermd.attempt.lasting_keeper import COMMISSION, END, ENDED, HOST, MADE, SAID, STAYS
from workermd.attempt.order import Commission, Order, encode, encode_binding, framed
from workermd.attempt.spawn import Ending, Host, Tick, readable
from workermd.sandbox.fence import Fence
from workermd.system import environment, processes
from workermd.task.binding import Binding

_KEEPER_SECONDS = 1.0

MOST_ATTEMPTS = 10_000
"""A keeper is replaced after as many."""


class KeeperGone(Exception):
    """It has ended, and so has everything that it kept."""


class KeeperInTurn:
    """A keeper whose supervisor has one attempt at a time. `line` is its zygote's, `log_fd` what all its attempts write to."""

    def __init__(self, pid: int, line: socket.socket, words: socket.socket, log_fd: int, marker: str) -> None:
        self.pid = pid
        self.log_fd = log_fd
        self.gone = False
        self.attempts = 0
        self.staying: HostInTurn | None = None
        self._shared = ""
        self._line = line
        self.words = words
        self.marker = marker

    def host(self, binding: Binding, fence: Fence) -> "HostInTurn":
        """A fresh host, or the one that stays. Raises KeeperGone."""
        self.attempts += 1
        if (stays := self.staying) is not None:
            self.staying = None
            if not self._has_spoken() and stays.is_as_good_as_new(binding, fence):
                stays.begin_again()
                return stays
            self.end_host()
        (order_read, order_write), (status_read, status_write) = (os.pipe2(os.O_CLOEXEC) for _ in range(2))
        try:
            socket.send_fds(self.words, [HOST], [order_read, status_write])
            self.tell(framed(fence._asdict()))
        except OSError:
            for fd in (order_write, status_read):
                os.close(fd)
            self.bury()
            raise KeeperGone from None
        finally:
            for fd in (order_read, status_write):
                os.close(fd)
        self._shared = fence.shared
        host = HostInTurn(self, order_write, status_read, binding, fence)
        host.tell(encode_binding(binding))
        return host

    def _has_spoken(self) -> bool:
        """Whether the host that stays is none any more: it ended by itself."""
        return readable(self.words.fileno(), 0, lambda: None)

    def tell(self, words: bytes) -> None:
        self.words.sendall(words)

    def heard(self) -> tuple[bytes, int] | None:
        """What the keeper says next; None when it has ended."""
        with contextlib.suppress(OSError):
            if len(said := self.words.recv(SAID.size, socket.MSG_WAITALL)) == SAID.size:
                word, status = SAID.unpack(said)
                return word, status
        self.bury()
        return None

    def end_host(self) -> None:
        """Have the host and all that it started ended, now. A keeper that does not answer is ended with it."""
        self.staying = None
        if self.gone:
            return
        until = time.monotonic() + _KEEPER_SECONDS
        with contextlib.suppress(OSError):
            self.tell(END)
            while readable(self.words.fileno(), until, lambda: None):
                said = self.heard()
                if said is None or said[0] == ENDED:
                    return
        self.bury()

    def bury(self) -> None:
        """It has ended, or has to: so that nothing of its attempt is left, wherever its orphans went."""
        if not self.gone:
            self.gone = True
            if self._number_is_its_own():
                processes.end(self.pid)
            processes.end_marked(f"{environment.MARKER}={self.marker}".encode())
            self._line.close()
            self._rescue()

    def _rescue(self) -> None:
        """What an attempt has left in the folder of hosts that stay, where every attempt's files are."""
        if self._shared:
            with contextlib.suppress(OSError):
                for name in os.listdir(self._shared):
                    os.rename(os.path.join(self._shared, name), os.path.join(self._shared, "..", "..", name))
                os.rmdir(self._shared)

    def _number_is_its_own(self) -> bool:
        """Its zygote reaps it only once this line is closed; a zygote that has gone has closed it."""
        return not readable(self._line.fileno(), 0, lambda: None)

    def close(self) -> None:
        """Let it end. An attempt that has begun goes on."""
        if self.staying is not None:
            self.staying.forget()
        self.words.close()
        self._line.close()
        os.close(self.log_fd)
        self.gone = True
        self._rescue()


class HostInTurn(Host):
    """A host of a keeper that goes on when it ends. Where it stays, it is one object for many attempts."""

    def __init__(self, keeper: KeeperInTurn, order_fd: int, status_fd: int, binding: Binding, fence: Fence) -> None:
        self._keeper = keeper
        self.pid = keeper.pid
        self.marker = keeper.marker
        self.held = {}
        self._pidfd = keeper.words.fileno()
        self._order_fd = order_fd
        self._status_fd = status_fd
        self._log_fd = keeper.log_fd
        self._log_at = 0
        self._ended = False
        self._open = True
        self._made_of = (binding, fence._replace(own=os.path.dirname(fence.own)))
        self._is_ready = False
        self._said: tuple[bytes, int] | None = None
        self.stays = bool(fence.shared)
        self._code = _code_of(binding) if fence.shared else ()

    def is_as_good_as_new(self, binding: Binding, fence: Fence) -> bool:
        """Whether it may perform a further attempt: nothing that it was made of has changed, its code least of all."""
        return self._made_of == (binding, fence._replace(own=os.path.dirname(fence.own))) and self._code == _code_of(
            binding
        )

    def begin_again(self) -> None:
        self._ended = False

    def wait_ready(self, give_up_at: float, tick: Tick) -> None:
        if not self._is_ready:
            super().wait_ready(give_up_at, tick)
            self._is_ready = True

    def send(self, order: Order, give_up_at: float, tick: Tick, key: bytes = b"") -> None:
        limits = order.limits
        commission = Commission(
            limits.deadline, order.results_dir, order.token, limits.max_output_bytes, key.hex(), order.lease
        )
        with contextlib.suppress(OSError):
            self._keeper.tell(COMMISSION + framed(commission._asdict()))
        self._said = self._before_the_order(give_up_at, tick) if self.stays else None
        self._write(encode(order), give_up_at, tick)

    def _before_the_order(self, give_up_at: float, tick: Tick) -> tuple[bytes, int] | None:
        """A host that stays begins as soon as it has its order: the folder of its files has to be there by then. Returns
        what the keeper says instead, where the host has ended."""
        if not readable(self._keeper.words.fileno(), give_up_at, tick):
            return None
        said = self._keeper.heard()
        return None if said is None or said[0] == MADE else said

    def finish(self, deadline: float, tick: Tick) -> Ending:
        try:
            ended = self._said is not None or readable(self._keeper.words.fileno(), deadline, tick)
        except BaseException:
            self.discard()
            raise
        if not ended:
            self.discard()
            return Ending(by_deadline=True, exit_code=None, signal=None)
        said = self._said or self._keeper.heard()
        if said is not None and said[0] == MADE:  # it came too late for whoever waited for it
            said = self._keeper.heard()
        self._ended = True
        if said is not None and said[0] == STAYS:
            self._keeper.staying = self
            return Ending(by_deadline=False, exit_code=0, signal=None)
        self.forget()
        if said is None:  # a keeper that goes without a word was killed, and took its host along
            return Ending(by_deadline=False, exit_code=None, signal=signal.SIGKILL)
        code = os.waitstatus_to_exitcode(said[1])
        return Ending(by_deadline=False, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None)

    def discard(self) -> None:
        if not self._ended:
            self._ended = True
            self._keeper.end_host()
            self.forget()

    def give_up(self) -> None:
        """It does not stay after all."""
        if self._keeper.staying is self:
            self._keeper.end_host()
            self.forget()

    def forget(self) -> None:
        if self._open:
            self._open = False
            for fd in (self._order_fd, self._status_fd):
                os.close(fd)

    def close_log(self) -> None:
        """The file is the next attempt's, which begins with an empty one."""
        if self._log_at:
            os.ftruncate(self._log_fd, 0)
            self._log_at = 0


def _code_of(binding: Binding) -> tuple[tuple[str, int], ...]:
    """The files of the operator's own code that a host that stays has loaded: an edited one is to be loaded anew."""
    if binding.kind != "function":
        return ()
    name = binding.function.partition(":")[0]
    stem = os.path.join(binding.folder, *name.split("."))
    found = []
    for path in (stem + ".py", os.path.join(stem, "__init__.py")):
        with contextlib.suppress(OSError):
            found.append((path, os.stat(path).st_mtime_ns))
    return tuple(found)
