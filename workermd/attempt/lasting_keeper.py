"""A keeper that serves one attempt after the other: what `keeper` does, without its price for each of them.

It is a fork of the loaded process (`zygote`), performs nothing of anybody's, and forks every attempt's host from itself; so
no attempt sees what another one did. It holds the lock of whatever run its supervisor carries out; a supervisor has one
at a time. Where an operator chose so, a host stays for the next attempt, which sees what the last one left behind.

    supervisor                     keeper                            hosts, one after the other
    host: fence, descriptors ────▶ fork ───────────────────────────▶ fence, load
    commission ──────────────────▶ watches the clock                 order, task
                                   result file ◀──────────────────── result
    over ◀──────────────────────── ends what is left, but the host that stays
    end ─────────────────────────▶ ends everything but itself

When the supervisor goes, an attempt that has begun goes on to its deadline, and the next call adopts its result.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import NamedTuple

from workermd.attempt.keeper import GRACE, LOOK_SECONDS, MOST_BESIDE_OUTPUT, Kept, held_log
from workermd.attempt.order import KEEPER_FD, LOCK_FD, ORDER_FD, STATUS_FD, Commission, receive_document
from workermd.ledger import lease, results
from workermd.sandbox import hold, kernel
from workermd.sandbox import view as views
from workermd.sandbox.fence import Fence
from workermd.sandbox.hold import Held
from workermd.sandbox.view import View
from workermd.system import chance, processes

HOST, COMMISSION, END = b"h", b"c", b"e"
MADE, STAYS, OVER, ENDED = b"m", b"s", b"o", b"e"
SAID = struct.Struct(">ci")
"""What a supervisor is told: the folder of an attempt is made, where its host stays; an attempt is over, its host stays or
had this wait status; or all has ended, as asked."""

_LENGTH_BYTES = 8
_EXIT_SECONDS = 0.05
"""A host that has left its result needs a moment to end; then it is ended."""
_FAILED = 1 << 8
"""The wait status of a process that exited with 1: a host that left no result has failed, whatever it says."""
_REAP_SECONDS = 2.0
_REAP_EVERY_SECONDS = 1.0


class _Host(NamedTuple):
    pid: int
    pidfd: int
    result_fd: int
    fence: Fence


class LastingKeeper:
    """In a fork of the loaded process. `serve` returns in each host that it forks, and nowhere else."""

    def __init__(self) -> None:
        for fd in (KEEPER_FD, LOCK_FD):
            os.set_inheritable(fd, False)
        self.line = socket.socket(fileno=os.dup(KEEPER_FD))
        os.set_inheritable(self.line.fileno(), False)
        self.poll = select.poll()
        self.poll.register(self.line, select.POLLIN)
        self.around: Held | None = None
        self.log = -1
        self.view: View | None = None
        self.host: _Host | None = None
        self.commission: Commission | None = None
        self.received = bytearray()
        self.alone = False
        kernel.adopt_orphans()

    def serve(self) -> Kept:
        """Until the supervisor has gone and no attempt is under way."""
        while True:
            ready = dict(self.poll.poll(self.milliseconds()))
            host = self.host
            if self.line.fileno() in ready and (kept := self.hear()) is not None:
                return kept
            if host is None or host is not self.host:
                continue
            if host.result_fd in ready and self.read_some() and (self.whole() or self.too_long()):
                self.take_result()
            elif host.pidfd in ready:
                while not self.whole() and self.read_some():
                    continue
                self.over(self.result())
            elif self.commission is not None and self.is_over(self.commission):
                self.over(None)
            elif not ready:
                self.reap_orphans()

    def milliseconds(self) -> float | None:
        if self.host is None:
            return None
        if self.commission is None:
            return _REAP_EVERY_SECONDS * 1000
        left = max(0.0, self.commission.deadline + GRACE - time.monotonic())
        return min(left, LOOK_SECONDS if self.commission.lease else _REAP_EVERY_SECONDS) * 1000 + 1

    def is_over(self, commission: Commission) -> bool:
        """The deadline has passed, or the lease of this machine: by then another may make the next attempt."""
        over = time.monotonic() >= commission.deadline + GRACE
        return over or (bool(commission.lease) and lease.is_over(commission.lease))

    def hear(self) -> Kept | None:
        """One word of the supervisor's. In a new host, what it has of its keeper."""
        word, fds, _, _ = socket.recv_fds(self.line, 1, 2)
        document = receive_document(self.line.fileno()) if word in (HOST, COMMISSION) else None
        if word == END:
            self.end_host()
            self.say(ENDED, 0)
        elif document is None:
            self.supervisor_gone()
        elif word == COMMISSION:
            self.commission = Commission(**document)
            self.make_folder()
        else:
            return self.fork(Fence.of(document), fds)
        return None

    def supervisor_gone(self) -> None:
        if self.commission is None:
            self.end_host()
            os._exit(0)
        self.poll.unregister(self.line)
        self.line.close()

    def fork(self, fence: Fence, fds: list[int]) -> Kept | None:
        """A host behind its fence. Returns what it has in the host, None in the keeper."""
        around = self.shut_in(fence)
        journal = results.open_journal(fence.journal) if fence.journal else -1
        conversation = results.open_conversation(fence.conversation) if fence.conversation else -1
        view = self.view_for(fence)
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            return self.become_host(fence, around, view, (journal, conversation, ours, theirs), fds)
        for fd in filter(lambda fd: fd >= 0, (theirs, journal, conversation, *fds)):
            os.close(fd)
        os.set_blocking(ours, False)
        self.received = bytearray()
        self.host = _Host(pid, os.pidfd_open(pid), ours, fence)
        self.poll.register(ours, select.POLLIN)
        self.poll.register(self.host.pidfd, select.POLLIN)
        return None

    def shut_in(self, fence: Fence) -> Held:
        """Once, before the first host: whatever is forked from now on can signal nobody outside."""
        if self.around is None:
            self.log = held_log(fence)
            self.around = hold.outer(fence)
            self.alone = self.around.signals == hold.LANDLOCK
            self.view = self.made(fence)
            kernel.hide_memory()
        return self.around

    def view_for(self, fence: Fence) -> View | None:
        """The view is made anew when what it was made from has changed."""
        if self.view is not None and self.view.seen != views.seen_by(fence):
            self.view.close()
            self.view = self.made(fence)
        return self.view

    def made(self, fence: Fence) -> View | None:
        """None where each host takes away itself what it may not see."""
        if not views.is_possible(fence):
            return None
        try:
            return views.made(fence)
        except OSError:
            return None

    def become_host(
        self, fence: Fence, around: Held, view: View | None, opened: tuple[int, int, int, int], fds: list[int]
    ) -> Kept:
        journal, conversation, ours, theirs = opened
        os.setsid()
        kernel.die_with_parent(signal.SIGKILL)
        chance.reseed()
        for fd, target in zip(fds, (ORDER_FD, STATUS_FD), strict=True):
            os.dup2(fd, target, inheritable=False)
        recordings = hold.opened_folder(fence.recordings) if fence.recordings else -1
        decided = hold.opened_folder(fence.decided) if fence.decided else -1
        held = hold.inner(fence, around, view)
        kernel.hide_memory()
        if view is not None:
            view.close()
        self.line.close()
        for fd in filter(lambda fd: fd >= 0, (ours, KEEPER_FD, LOCK_FD, self.log, *fds)):
            os.close(fd)
        return Kept(theirs, journal, conversation, recordings, decided, held, fence)

    def make_folder(self) -> None:
        """Of an attempt whose host stays: its files lie in the host's folder until it is over."""
        if (fence := self.shared()) and self.commission is not None:
            with contextlib.suppress(OSError):
                os.mkdir(os.path.join(self.parent_of_folders(fence), self.commission.token), 0o700)
            self.say(MADE, 0)

    def keep_folder(self) -> None:
        """Where every attempt's files are, unless there are none."""
        if (fence := self.shared()) and self.commission is not None:
            token = self.commission.token
            path = os.path.join(self.parent_of_folders(fence), token)
            try:
                os.rmdir(path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.rename(path, os.path.join(os.path.dirname(fence.own), token))

    def shared(self) -> Fence | None:
        return self.host.fence if self.host is not None and self.host.fence.shared else None

    def parent_of_folders(self, fence: Fence) -> str:
        """Without a view the host sees the folder of all artifacts, as its keeper does."""
        return os.path.dirname(fence.own) if self.view is None else fence.shared

    def take_result(self) -> None:
        """A quick task has left its result before its commission was read."""
        if self.commission is None and select.select([self.line], [], [], _EXIT_SECONDS)[0]:
            self.hear()
        host = self.host
        if host is None:
            return
        if not host.fence.shared:
            self.over(self.result())
            return
        result = self.result()
        kept = result is not None and self.keep(result)
        if not kept or self.left_something(host):
            self.over(None)
            return
        self.keep_folder()
        self.commission = None
        self.received = bytearray()
        self.say(STAYS, 0)

    def left_something(self, host: _Host) -> bool:
        """Whether the attempt's programs are still there: then its host does not stay either."""
        self.reap_orphans()
        return processes.children(os.getpid()) != [host.pid] or bool(processes.children(host.pid))

    def reap_orphans(self) -> None:
        """The host is left to its pidfd."""
        for pid in processes.children(os.getpid()):
            if self.host is None or pid != self.host.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def over(self, result: bytes | None) -> None:
        """Keep the result, if there is one, end all that is left of the attempt, and say so."""
        kept = result is not None and self.keep(result)
        status = self.end_host(patient=kept)
        self.say(OVER, 0 if kept else status or _FAILED)

    def end_host(self, *, patient: bool = False) -> int:
        """The host's wait status; nothing of it and of its attempt is there any more."""
        host = self.host
        if host is None:
            return 0
        status = self.end(host, patient=patient)
        self.keep_folder()
        for fd in (host.result_fd, host.pidfd):
            self.poll.unregister(fd)
            os.close(fd)
        self.host = self.commission = None
        return status

    def end(self, host: _Host, *, patient: bool) -> int:
        """The host's wait status. Nothing of the attempt is left: what outlives its parent becomes our child."""
        if patient:
            select.select([host.pidfd], [], [], _EXIT_SECONDS)
        status, until = 0, time.monotonic() + _REAP_SECONDS
        looked = False
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < until:
                pid, found = os.waitpid(-1, os.WNOHANG)
                if pid == host.pid:
                    status = found
                if pid:
                    continue
                if looked:
                    time.sleep(0.0005)
                looked = True
                if not (self.alone and hold.end_all()):
                    processes.send(host.pid, signal.SIGKILL)
                    processes.end_descendants(os.getpid())
        return status

    def read_some(self) -> bool:
        assert self.host is not None
        try:
            data = os.read(self.host.result_fd, 1 << 20)
        except BlockingIOError:
            return False
        self.received += data
        return bool(data)

    def whole(self) -> bool:
        return len(self.received) >= _LENGTH_BYTES + self.length()

    def length(self) -> int:
        return int.from_bytes(self.received[:_LENGTH_BYTES]) if len(self.received) >= _LENGTH_BYTES else 1

    def too_long(self) -> bool:
        most = MOST_BESIDE_OUTPUT + 6 * (self.commission.max_bytes if self.commission else 0)
        return self.length() > most

    def result(self) -> bytes | None:
        if self.too_long():
            sys.stderr.write(f"workermd: the result has {self.length()} bytes, which is more than is allowed\n")
            sys.stderr.flush()
            return None
        if not self.whole():
            return None
        return bytes(self.received[_LENGTH_BYTES : _LENGTH_BYTES + self.length()])

    def keep(self, result: bytes) -> bool:
        """Write the result file. False when that came too late or failed: the attempt has no answer then."""
        commission = self.commission
        if commission is None:
            return False
        try:
            key = bytes.fromhex(commission.key)
            return results.write(
                commission.results_dir,
                commission.token,
                result,
                commission.deadline,
                key,
                synced=bool(commission.lease),
            )
        except OSError as error:
            sys.stderr.write(f"workermd: the result cannot be written ({error.strerror})\n")
            sys.stderr.flush()
            return False

    def say(self, word: bytes, status: int) -> None:
        """To a supervisor that may be gone: then an attempt that is over was the last."""
        if self.line.fileno() < 0:
            os._exit(0)
        with contextlib.suppress(OSError):
            self.line.sendall(SAID.pack(word, status))
