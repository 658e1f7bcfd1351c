"""Inputs performed as whole runs, in a ledger of their own: sandbox, deadlines, masks and all."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from typing import Any

from workermd.batch.sessions import SharedHosts
from workermd.fuzz.observed import Observed
from workermd.fuzz.values import SECRET
from workermd.protocol.envelope import Document
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.run_key import KeySource
from workermd.runner.session import Session
from workermd.runner.worker import Worker


class WholeRuns:
    """Performs inputs as runs. Each has a fresh key in the ledger; the input's own key stands in the input."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._folder = tempfile.mkdtemp(prefix="workermd-fuzz-")
        self._hosts = SharedHosts()
        self._ledgers = 0
        for name in worker.binding.secret_env:
            os.environ[name] = SECRET
        self._stack = contextlib.ExitStack()
        self._session = self._opened()

    def _opened(self) -> Session:
        """A session with a ledger that knows no run: the same key may be drawn, and asked, again."""
        self._ledgers += 1
        return self._stack.enter_context(self._hosts.session(os.path.join(self._folder, f"{self._ledgers}.db")))

    def close(self) -> None:
        self._stack.close()
        self._hosts.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Every attempt has a process of its own already."""

    def observe(self, given: Document, run_id: str, *, kill_after: float | None = None, attempt: int = 1) -> Observed:  # noqa: ARG002 - the ledger counts attempts
        """One run. With `kill_after` its first attempt's process is killed then; the run goes on with the next."""
        session = self._session if kill_after is None else self._killing(kill_after)
        import json

        data = json.dumps(given, ensure_ascii=False).encode()
        name = self._worker.contract.constraints.idempotency_key
        request = Request(
            worker=self._worker,
            read_input=lambda: data,
            publish=lambda _: None,
            interrupted=lambda: False,
            key=KeySource() if name in given else KeySource(given=run_id, option="the fuzzer's key"),
        )
        began = time.monotonic()
        envelope = invoke(session, request).envelope
        if kill_after is not None and not envelope["attempts"]:
            # Killed while it loaded: no attempt was used up, and the same call again makes the first.
            envelope = invoke(self._session, request).envelope
        self._forget()
        error = envelope.get("error", {})
        return Observed(
            envelope["status"],
            error.get("code", ""),
            error.get("message", ""),
            envelope["outputs"],
            seconds=time.monotonic() - began,
        )

    def _forget(self) -> None:
        """The same input is to be run again, not replayed: the next run is kept in another ledger."""
        self._stack.close()
        self._stack = contextlib.ExitStack()
        self._session = self._opened()
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._folder):
                if not entry.name.startswith(f"{self._ledgers}.db"):
                    shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)

    def _killing(self, seconds: float) -> Session:
        """A session whose first host is killed after so many seconds."""
        session, killed = self._session, threading.Event()

        def start(*arguments: Any) -> Any:
            host = session.hosts(*arguments)
            if not killed.is_set():
                killed.set()
                timer = threading.Timer(seconds, _kill, (host.pid,))
                timer.daemon = True
                timer.start()
            return host

        return session._replace(hosts=start)


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
