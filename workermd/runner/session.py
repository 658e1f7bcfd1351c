"""What runs share and are given: the ledger that they are kept in, their locks, and the processes of their attempts.

The command line makes a session for one run; whoever carries out many runs makes one for all of them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from workermd.ledger import artifacts, results
from workermd.ledger.opening import open_ledger
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import ConfigurationError, LedgerUnavailable
from workermd.sandbox.fence import Fence
from workermd.sandbox.policy import fence_around
from workermd.task.binding import Binding
from workermd.task.task import KINDS

if TYPE_CHECKING:
    from workermd.attempt.spawn import Host
    from workermd.ledger.run_lock import RunLock
    from workermd.runner.worker import Worker

Locks = Callable[[], "RunLock"]
"""Opens a lock for one run."""

Hosts = Callable[[Binding, "RunLock", Fence], "Host"]
"""Gets a process for an attempt of a binding, behind a fence. Its keeper holds the lock as long as it lives. Raises
OSError."""


class Session(NamedTuple):
    """`owner` names this process for people who look at a run that does not end. `reuses`: a host performs many attempts,
    and makes their folders itself."""

    ledger: Ledger
    locks: Locks
    hosts: Hosts
    owner: str
    reuses: bool = False

    @property
    def results_folder(self) -> str:
        """The folder of the attempts' result files."""
        return self.ledger.results_folder

    @property
    def artifacts_folder(self) -> str:
        """The folder of the attempts' artifacts."""
        return self.ledger.artifacts_folder

    @contextmanager
    def beside_the_ledger(self, what: str) -> Iterator[None]:
        """Errors of the system with our files beside the ledger become LedgerUnavailable in this block."""
        try:
            yield
        except OSError as error:
            raise LedgerUnavailable(
                f"{self.ledger.path}: {what} beside it ({error.strerror})",
                "free space or correct the folder's permissions, then run the same command again",
            ) from None

    def start_host(self, worker: "Worker", lock: "RunLock", token: str, run_id: str) -> "Host":
        """A process for the attempt of this token, loading its backend; its folder is there. Raises LedgerUnavailable."""
        binding, folder = worker.binding, self.results_folder
        kind = KINDS[binding.kind]
        fence = fence_around(
            worker.sandbox,
            ledger=self.ledger.files,
            own=os.path.join(self.artifacts_folder, token),
            decided=self.artifacts_folder if binding.asks_people else "",
            journal=results.journal_of(folder, token) if kind.converses else "",
            conversation=results.conversation_of(folder, worker.contract.id, run_id) if kind.resumes else "",
        )
        if image := binding.arrangement.get("image") if binding.kind == "command" else None:
            from workermd.sandbox import container

            made = container.Container(container.engine(), image, fence.own)
            fence = fence._replace(at_end=tuple(container.end(made)) if made.engine else ())
        with self.beside_the_ledger("no attempt can be prepared"):
            return self.hosts(binding, lock, fence)

    def drop_artifacts(self, token: str) -> None:
        """Remove the folder of an attempt that left nothing in it, or that never began."""
        if not self.reuses:
            artifacts.drop(self.artifacts_folder, token)

    def prepare_artifacts(self, token: str) -> None:
        """A fresh folder for an attempt's artifacts. Raises LedgerUnavailable."""
        if self.reuses:
            return
        with self.beside_the_ledger("no attempt can be prepared"):
            artifacts.prepare(self.artifacts_folder, token)


@contextmanager
def opened(ledger_path: str, *, give_up_at: float | None = None) -> Iterator[Session]:
    """A session with a ledger of its own, whose attempts have a fresh process each.

    Waits for others who write to the ledger until `give_up_at` (`time.monotonic()`). Raises LedgerUnavailable,
    ConfigurationError on a platform without the locks.
    """
    with open_ledger(ledger_path, give_up_at=give_up_at) as ledger:

        def open_lock() -> "RunLock":
            from workermd.ledger.run_lock import RunLock  # a replay needs no lock, and no process

            return RunLock.open(ledger.files)

        def start(binding: Binding, lock: "RunLock", fence: Fence) -> "Host":
            from workermd.attempt.spawn import Host

            return Host.start(binding, lock.fd, ledger.results_folder, fence)

        yield Session(ledger, open_lock, start, owner_of_this_process())


def owner_of_this_process() -> str:
    """Boot, process and its start. Raises ConfigurationError where /proc cannot be read."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            started = file.read().rpartition(")")[2].split()[19]
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename}: cannot be read ({error.strerror}); a run watches its processes there",
            "mount /proc, then run the same command again",
        ) from None
    return f"{boot}:{os.getpid()}:{started}"
