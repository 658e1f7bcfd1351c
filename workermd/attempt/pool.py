"""Hosts that are forked from a loaded process instead of started: see `zygote`, whose other side this is.

It pays from the second attempt on: a zygote has to load first, which is what a host of its own does too.
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from workermd.attempt.in_turn import MOST_ATTEMPTS, KeeperGone, KeeperInTurn
from workermd.attempt.order import encode_binding, encode_environment, framed
from workermd.attempt.spawn import Ends, Host, Tick, boot, is_unreaped, new_marker, open_log, readable, task_environment
from workermd.attempt.zygote import FORK, KEEP, LASTING, MARKER_PLACE, NUMBER_BYTES, REAP, REQUESTS_FD
from workermd.sandbox.fence import Fence
from workermd.system import environment as caller
from workermd.system.environment import MARKER
from workermd.task.binding import Binding

LOADING_SECONDS = 60.0
"""A zygote that is not loaded by then is given up; hosts of their own say what is wrong with the import."""

MOST_FORKS = 10_000
"""A zygote is replaced after as many."""


MOST_KEEPERS = 4
"""Of one supervisor, each for another kind or environment."""

SHARED_FOLDERS = ".hosts"
"""Beside the folders of the attempts: those of the hosts that stay."""


class ZygoteGone(Exception):
    """The process that was to be forked has ended."""


class ForkedHost(Host):
    """A host whose parent is the zygote: the zygote reaps it, when it is told to."""

    def __init__(self, pid: int, ends: Ends, marker: str, line: socket.socket) -> None:
        super().__init__(pid, ends, marker)
        self._line = line

    def wait_ready(self, give_up_at: float, tick: Tick) -> None:
        super().wait_ready(give_up_at, tick)
        self._say(KEEP)  # from now on it outlives its supervisor on purpose

    def _number_is_its_own(self) -> bool:
        """Its zygote is there, so that nobody else can have reaped it."""
        poll = select.poll()
        poll.register(self._line, 0)
        return not poll.poll(0)  # only a closed line is told without being asked for

    def _wait(self) -> int | None:
        self._say(REAP)
        with self._line, contextlib.suppress(ConnectionResetError):
            if status := self._line.recv(NUMBER_BYTES):
                return int.from_bytes(status)
        readable(self._pidfd, float("inf"), lambda: None)
        return None

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._line.sendall(word)


class Zygote:
    """The loaded process of one kind. Many processes may use one that they inherit; the one that made it closes it."""

    def __init__(self, pid: int, requests: socket.socket) -> None:
        self.pid = pid
        self.forks = 0
        self.requests = requests

    @classmethod
    def start(cls, kind: str, environment: Mapping[str, str]) -> "Zygote":
        """Start loading. `environment` is the one in which the kind's imports run."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        # The numbers of a host are taken, so that nothing that an import opens gets one of them.
        held = [(theirs.fileno(), REQUESTS_FD), *((null, fd) for fd in (0, 1, 2, 4, 5, 6))]
        try:
            return cls(boot("zygote", kind, {**environment, MARKER: MARKER_PLACE}, held), ours)
        finally:
            os.close(null)
            theirs.close()

    def wait_ready(self, give_up_at: float, tick: Tick) -> str:
        """Why it cannot be forked; empty when it can."""
        if not readable(self.requests.fileno(), give_up_at, tick):
            return "it did not load in time"
        with contextlib.suppress(ConnectionResetError):
            if said := self.requests.recv(1 << 10).decode():
                return "" if said == "ready" else said
        return "it ended while it loaded the backend"

    def fork(self, binding: Binding, lock_fd: int, log_dir: str, fence: Fence | None = None) -> Host:
        """A host as `Host.start` makes one, with the environment and the folder of this process. Raises ZygoteGone."""
        marker = new_marker()
        self.forks += 1
        ends = Ends.open(log_dir, marker)
        line = self._ask(ends.theirs(lock_fd))
        ends.close_theirs()
        try:
            host = ForkedHost(_number(line), ends, marker, line)
        except (ProcessLookupError, ZygoteGone):
            line.close()
            ends.close_ours()
            raise ZygoteGone from None
        host.tell_keeper(framed((fence or Fence())._asdict()))
        host.tell(encode_environment(task_environment(binding, marker)) + encode_binding(binding))
        return host

    def keeper(self, environment: Mapping[str, str], lock_fd: int, log_dir: str) -> KeeperInTurn:
        """A keeper of many attempts, with the folder of this process. Raises ZygoteGone."""
        self.forks += 1
        marker = new_marker()
        log_fd = open_log(log_dir, marker)
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        line = self._ask((null, log_fd, log_fd, null, null, lock_fd, theirs.fileno()), LASTING)
        theirs.close()
        os.close(null)
        try:
            keeper = KeeperInTurn(_number(line), line, ours, log_fd, marker)
            line.sendall(KEEP)
            ours.sendall(encode_environment({**environment, MARKER: marker}))
        except (OSError, ZygoteGone):
            for each in (line, ours):
                each.close()
            os.close(log_fd)
            raise ZygoteGone from None
        return keeper

    def _ask(self, held: tuple[int, ...], word: bytes = FORK) -> socket.socket:
        """Ask for a fork. The attempt's line comes back, on which its number will be told."""
        ours, theirs = socket.socketpair()
        folder = os.open(caller.folder() or ".", os.O_PATH | os.O_CLOEXEC)
        with theirs, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self.requests, [word], [theirs.fileno(), folder, *held])
        os.close(folder)
        return ours

    def close(self) -> None:
        """Let it end. Attempts that were forked from it go on."""
        self.requests.close()
        if is_unreaped(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _number(line: socket.socket) -> int:
    told = b""
    with contextlib.suppress(ConnectionResetError):
        told = line.recv(NUMBER_BYTES)
    if not told:
        raise ZygoteGone
    return int.from_bytes(told)


class Unused(NamedTuple):
    """Why the hosts of a kind are started one by one after all."""

    kind: str
    reason: str


class HostPool:
    """Hosts for many attempts. One that cannot be forked is started: slower, and as good."""

    def __init__(self) -> None:
        self.unused: list[Unused] = []
        self._zygotes: dict[tuple[str, frozenset[tuple[str, str]]], Zygote | None] = {}

    def start(self, binding: Binding, lock_fd: int, log_dir: str, fence: Fence | None = None) -> Host:
        zygote = self._zygote(binding)
        if zygote is not None:
            try:
                return zygote.fork(binding, lock_fd, log_dir, fence)
            except ZygoteGone:
                self._drop(zygote)
        return Host.start(binding, lock_fd, log_dir, fence)

    def keeper(self, binding: Binding, lock_fd: int, log_dir: str) -> KeeperInTurn | None:
        """A keeper of many attempts of one supervisor; None where none can be forked."""
        zygote = self._zygote(binding)
        if zygote is not None:
            try:
                return zygote.keeper(task_environment(binding, MARKER_PLACE), lock_fd, log_dir)
            except ZygoteGone:
                self._drop(zygote)
        return None

    def close(self) -> None:
        for zygote in filter(None, [*self._zygotes.values()]):
            self._drop(zygote)

    def _zygote(self, binding: Binding) -> Zygote | None:
        """The one that was loaded in this very environment: an import may read it."""
        environment = task_environment(binding, MARKER_PLACE)
        key = (binding.kind, frozenset(environment.items()))
        found = self._zygotes.get(key)
        if found is not None and found.forks >= MOST_FORKS:
            self._drop(found)
        if key not in self._zygotes:
            self._zygotes[key] = self._load(binding.kind, environment)
        return self._zygotes[key]

    def _load(self, kind: str, environment: dict[str, str]) -> Zygote | None:
        zygote = Zygote.start(kind, environment)
        reason = zygote.wait_ready(time.monotonic() + LOADING_SECONDS, lambda: None)
        if not reason:
            return zygote
        zygote.close()
        self.unused.append(Unused(kind, reason))
        return None

    def _drop(self, zygote: Zygote) -> None:
        zygote.close()
        self._zygotes = {key: each for key, each in self._zygotes.items() if each is not zygote}


class KeepersInTurn:
    """The hosts of one supervisor, which has one attempt at a time and one file of locks: forked by keepers that last.

    `ask` makes a keeper. `stays` has a host perform one attempt after the other. `steady`: the environment never changes.
    """

    def __init__(
        self, ask: Callable[[Binding], KeeperInTurn | None], *, stays: bool = False, steady: bool = False
    ) -> None:
        self._ask = ask
        self._steady = steady
        self._places: dict[int, tuple[Binding, object]] = {}
        self._stays = stays
        self._keepers: dict[object, KeeperInTurn] = {}

    def start(self, binding: Binding, fence: Fence) -> Host | None:
        """None where no such keeper can be had, or none does for such a fence."""
        if not fence.is_plain:
            return None
        key = self._place_of(binding), fence.mode
        for _ in range(2):
            keeper = self._keepers.get(key)
            if keeper is None or keeper.gone or keeper.attempts >= MOST_ATTEMPTS:
                self._let_go(key)
                if (keeper := self._ask(binding)) is None:
                    return None
                self._make_room()
                self._keepers[key] = keeper
            try:
                return keeper.host(binding, self._shared(fence, keeper) if self._stays else fence)
            except KeeperGone:
                continue
        return None

    def _place_of(self, binding: Binding) -> object:
        """What a process inherits at its start; asked anew for every attempt, unless it is known to stay as it is."""
        if self._steady and id(binding) in self._places:
            return self._places[id(binding)][1]
        place = binding.kind, frozenset(task_environment(binding, "").items()), caller.folder()
        if self._steady:
            self._places[id(binding)] = binding, place
        return place

    def _shared(self, fence: Fence, keeper: KeeperInTurn) -> Fence:
        """In the place of all artifacts, the folder of this keeper's hosts."""
        folder = os.path.join(os.path.dirname(fence.own), SHARED_FOLDERS, keeper.marker)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return fence._replace(shared=folder)

    def _make_room(self) -> None:
        if len(self._keepers) >= MOST_KEEPERS:
            self._let_go(next(iter(self._keepers)))

    def _let_go(self, key: object) -> None:
        if (keeper := self._keepers.pop(key, None)) is not None:
            keeper.close()

    def close(self) -> None:
        for key in [*self._keepers]:
            self._let_go(key)
