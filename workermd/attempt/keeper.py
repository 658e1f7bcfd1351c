"""The process between a supervisor and a host: it keeps the run's lock, the deadline and the result.

The host runs what an operator did not write, so it is trusted with none of these. The keeper forks it before anything
is loaded, and it is out of its reach wherever the machine can do that (`sandbox`). It lives until the attempt is over
and leaves nothing alive; when its supervisor dies, it goes on to the deadline and the next call adopts the result.

    supervisor                     keeper                       host
    fence ───────────────────────▶ fork ──────────────────────▶ fence, load
    commission ──────────────────▶ watches the clock            order, task
                                   result file ◀─────────────── result
    end, or closed before that ──▶ ends everything
"""

import contextlib
import os
import select
import signal
import sys
import time
from typing import NamedTuple, NoReturn

from workermd.attempt.order import END, KEEPER_FD, LOCK_FD, Commission, receive_document
from workermd.ledger import held_log as logs
from workermd.ledger import lease, results
from workermd.sandbox import hold, kernel, watch
from workermd.sandbox.fence import OFF, Fence, Proxy
from workermd.sandbox.hold import Held
from workermd.system import processes
from workermd.task.task import failed

GRACE = 0.125
"""Seconds after the deadline at which a keeper without a supervisor ends the attempt."""

LOOK_SECONDS = 0.1
"""How often the lease is looked at, where there is one."""

MOST_BESIDE_OUTPUT = 64 << 20
"""Bytes that a result may have beside the output: usage, notes, artifacts, escapes of JSON."""

AT_END_SECONDS = 0.8
"""Less than a supervisor waits for its keeper."""

FIRST = -15
"""The niceness of a keeper that counts."""

_LENGTH_BYTES = 8
_REAP_SECONDS = 2.0


class Kept(NamedTuple):
    """What a host has of its keeper: where its result and its journal go, and what holds."""

    result_fd: int
    journal_fd: int
    conversation_fd: int
    recordings_fd: int
    decided_fd: int
    held: Held
    fence: Fence


def part() -> Kept:
    """Fork. Returns in the child, the host; the parent becomes the keeper and does not return."""
    os.set_inheritable(KEEPER_FD, False)
    os.set_inheritable(LOCK_FD, False)
    document = receive_document(KEEPER_FD)
    if document is None:
        os._exit(0)
    wanted = Fence.of(document)
    kernel.adopt_orphans()
    log = held_log(wanted)
    journal = results.open_journal(wanted.journal) if wanted.journal else -1
    conversation = results.open_conversation(wanted.conversation) if wanted.conversation else -1
    held = hold.outer(wanted)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        kernel.hide_memory()
        keeper = _Keeper(pid, ours, alone=held.signals == hold.LANDLOCK, bounds=_bounds(wanted))
        keeper.at_end = wanted.at_end
        keeper.serve()
    for fd in filter(lambda fd: fd >= 0, (ours, KEEPER_FD, LOCK_FD, log, hold.proxy_of_attempt().control)):
        os.close(fd)
    kernel.die_with_parent(signal.SIGKILL)
    recordings = hold.opened_folder(wanted.recordings) if wanted.recordings else -1
    decided = hold.opened_folder(wanted.decided) if wanted.decided else -1
    held = hold.inner(wanted, held)
    kernel.hide_memory()
    return Kept(theirs, journal, conversation, recordings, decided, held, wanted)


def held_log(wanted: Fence) -> int:
    """What keeps the ledger's log where the host hides it; -1 where nothing is hidden or there is no ledger yet."""
    if wanted.mode != OFF and wanted.ledger:
        with contextlib.suppress(OSError):
            return logs.hold(wanted.ledger)
    return -1


def _bounds(wanted: Fence) -> watch.Ceilings:
    """What the keeper has to count; memory and processes where no group does."""
    grouped = bool(hold.group_of_attempt())
    return watch.Ceilings(
        0 if grouped else wanted.max_memory_mb << 20,
        0 if grouped else wanted.max_processes,
        wanted.max_artifact_mb << 20 if wanted.max_artifact_mb >= 0 else -1,
        wanted.own,
        os.fstat(1).st_ino,
    )


def leave(result_fd: int, data: bytes) -> None:
    """In the host: hand the result over. The keeper writes it and ends what is left."""
    rest = memoryview(len(data).to_bytes(_LENGTH_BYTES) + data)
    while rest:
        rest = rest[os.write(result_fd, rest) :]


class _Keeper:
    def __init__(self, host: int, result_fd: int, *, alone: bool, bounds: watch.Ceilings) -> None:
        """`alone`: whatever we may signal is the attempt's. `bounds` are those that nobody counts but us."""
        self.host = host
        self.result_fd = result_fd
        self.alone = alone
        self.bounds = bounds
        self.proxy: Proxy = hold.proxy_of_attempt()
        self.at_end: tuple[str, ...] = ()
        self.commission: Commission | None = None
        self.received = bytearray()
        self.status: int | None = None
        self.ended_on_purpose = False

    def serve(self) -> NoReturn:
        """Until the host has ended or left a result, the time is over, or nobody wants the attempt any more."""
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        os.set_blocking(self.result_fd, False)
        poll = select.poll()
        for fd in (KEEPER_FD, self.result_fd, wake):
            poll.register(fd, select.POLLIN)
        if self.bounds.any:
            with contextlib.suppress(PermissionError):  # only root may; whoever counts must not wait for whom it counts
                os.setpriority(os.PRIO_PROCESS, 0, FIRST)
        self.reap()  # what ended before the handler stood
        while self.status is None:
            ready = dict(poll.poll(self.milliseconds()))
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self.reap()
            if KEEPER_FD in ready and not self.hear():
                if self.commission is None:
                    self.end(None)
                poll.unregister(KEEPER_FD)  # the supervisor is gone; the attempt goes on
            # After its commission: a quick task has left its result before we have been told of it.
            if self.result_fd in ready and self.read():
                break
            if self.commission is not None and self.is_over(self.commission):
                self.end(None)
            self.count()
        while not self.whole() and self.read_some():
            continue
        self.count()  # what was written last has not been looked at
        self.end(self.result())

    def milliseconds(self) -> float | None:
        if self.commission is None:
            return watch.SECONDS * 1000 if self.bounds.any else None
        left = max(0.0, self.commission.deadline + GRACE - time.monotonic()) * 1000 + 1
        looks = [watch.SECONDS * 1000] * self.bounds.any + [LOOK_SECONDS * 1000] * bool(self.commission.lease)
        return min(left, *looks) if looks else left

    def is_over(self, commission: Commission) -> bool:
        """The deadline has passed, or the lease of this machine: by then another may make the next attempt."""
        over = time.monotonic() >= commission.deadline + GRACE
        return over or (bool(commission.lease) and lease.is_over(commission.lease))

    def count(self) -> None:
        """End an attempt that is above a bound of its contract; that is its result."""
        if not self.bounds.any or not (above := watch.breach(self.bounds, os.getpid(), self.host, self.proxy.pid)):
            return
        self.end_processes()  # first: it grows while we write
        self.await_ends()  # a killed process still ends the call that it is in, which may make one more file
        self.end(self.above(above))

    def above(self, bound: str) -> bytes:
        """The result of an attempt that was ended for a bound. Its artifacts go: they are what filled the disk."""
        if bound.startswith("max_artifact_mb"):
            from workermd.ledger import artifacts

            artifacts.empty(self.bounds.folder)
        message = f"The attempt was ended above the contract's {bound}."
        sys.stderr.write(f"workermd: {message}\n")
        sys.stderr.flush()
        return failed("refused", "budget_exceeded", message).to_json().encode()

    def reap(self) -> None:
        """Orphans of the attempt come to us; only the host's end is of interest."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self.host:
                    self.status = found[1]

    def hear(self) -> bool:
        """One word of the supervisor's; False when it is gone."""
        word = os.read(KEEPER_FD, 1)  # of a commission it is the first byte of a length, which is nought
        if word == END:
            self.ended_on_purpose = True
            self.end(None)
        if not word or self.commission is not None:
            return bool(word)
        document = receive_document(KEEPER_FD, word)
        if document is not None:
            self.commission = Commission(**document)
        return document is not None

    def read(self) -> bool:
        """Take what the host has left so far; True when there is no more to come."""
        self.read_some()
        return self.whole()

    def read_some(self) -> bool:
        try:
            data = os.read(self.result_fd, 1 << 20)
        except BlockingIOError:
            return False
        self.received += data
        return bool(data)

    def whole(self) -> bool:
        return len(self.received) >= _LENGTH_BYTES + self.length()

    def length(self) -> int:
        if len(self.received) < _LENGTH_BYTES:
            return 1
        length = int.from_bytes(self.received[:_LENGTH_BYTES])
        most = MOST_BESIDE_OUTPUT + 6 * (self.commission.max_bytes if self.commission else 0)
        if length > most:
            sys.stderr.write(f"workermd: the result has {length} bytes; {most} are allowed\n")
            self.end(None)
        return length

    def result(self) -> bytes | None:
        return bytes(self.received[_LENGTH_BYTES : _LENGTH_BYTES + self.length()]) if self.whole() else None

    def end(self, result: bytes | None) -> NoReturn:
        """Write the result, if there is one, then end all that is left of the attempt, and ourselves."""
        kept = result is not None and self.keep(result)
        if result is None and self.at_end:
            self.ask_for_the_end()
        self.end_processes()
        before = self.status
        self.await_ends()
        if result is not None:
            self.status = before  # our kill says nothing of a result that could not be kept
        kept = self.leave_group(result) or kept
        if kept or self.ended_on_purpose:
            os._exit(0)
        self.end_as_the_host_did()

    def ask_for_the_end(self) -> None:
        """Have what is no process of ours ended by its name. An engine that has been asked goes on without us."""
        with contextlib.suppress(OSError):
            pid = os.posix_spawn(self.at_end[0], self.at_end, os.environ, setsid=True)
            until = time.monotonic() + AT_END_SECONDS
            while time.monotonic() < until and os.waitpid(pid, os.WNOHANG)[0] == 0:
                time.sleep(0.005)

    def end_processes(self) -> None:
        """Kill all that is left of the attempt."""
        if not (self.alone and hold.end_all()):
            if self.status is None:
                processes.send(self.host, signal.SIGKILL)  # with it, all of its PID namespace
            processes.end_descendants(os.getpid())

    def await_ends(self) -> None:
        """Until what was killed is gone; not for ever, for a call into a broken disk does not end."""
        until = time.monotonic() + _REAP_SECONDS
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < until:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self.host and self.status is None:
                    self.status = status
                if pid == 0:
                    if processes.children(os.getpid()) == [self.proxy.pid]:
                        break  # it ends with us, and may be slow to hear that it should
                    time.sleep(0.0005)

    def leave_group(self, result: bytes | None) -> bool:
        """Remove the attempt's control group; True where the kernel had ended it for its memory, which is its result."""
        if not (group_folder := hold.group_of_attempt()):
            return False
        from workermd.sandbox import group

        starved = result is None and group.was_out_of_memory(group_folder)
        group.remove(group_folder)
        return starved and self.keep(self.above("max_memory_mb, by the kernel's count"))

    def keep(self, result: bytes) -> bool:
        """Write the result file. False when that came too late or failed: the attempt has no answer then."""
        commission = self.commission
        if commission is None:
            return False
        try:
            key = bytes.fromhex(commission.key)
            return results.write(commission.results_dir, commission.token, result, commission.deadline, key)
        except OSError as error:
            sys.stderr.write(f"workermd: the result cannot be written ({error.strerror})\n")
            sys.stderr.flush()
            return False

    def end_as_the_host_did(self) -> NoReturn:
        code = 1 if self.status is None else os.waitstatus_to_exitcode(self.status)
        if code < 0:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)
