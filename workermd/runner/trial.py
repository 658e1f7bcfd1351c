"""Whether an attempt could begin: its backend is loaded in a process as an attempt has it, which is then ended (S3.1).

The process gets a ledger of its own in a folder that is removed: the run's is neither made nor touched.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workermd.attempt.spawn import Host
from workermd.ledger import results
from workermd.ledger.run_lock import RunLock
from workermd.protocol.errors import ConfigurationError
from workermd.runner import session as sessions
from workermd.runner.worker import Worker
from workermd.task.binding import Binding

LOAD_SECONDS = 30.0
"""Seconds that a backend has to load."""


def why_unready(binding: Binding) -> str:
    """Why an attempt of a binding could not begin; empty when it could. The binding has its variables."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = os.path.join(folder, "ledger.db")
        with RunLock.open(ledger) as lock:
            try:
                with _ended(Host.start(binding, lock.fd, results.prepare(ledger))) as host:
                    host.wait_ready(time.monotonic() + LOAD_SECONDS, _patient)
            except ConfigurationError as error:
                return error.message
    return ""


def refuse_unready(worker: Worker) -> None:
    """Raises ConfigurationError where an attempt of a worker could not begin, within its own sandbox."""
    with tempfile.TemporaryDirectory() as folder, sessions.opened(os.path.join(folder, "ledger.db")) as session:
        token = results.new_token()
        session.prepare_artifacts(token)
        with session.locks() as lock, _ended(session.start_host(worker, lock, token, "")) as host:
            host.wait_ready(time.monotonic() + worker.bounds.timeout, _patient)


@contextmanager
def _ended(host: Host) -> Iterator[Host]:
    try:
        yield host
    finally:
        host.discard()
        host.close_log()


def _patient() -> None:
    """Nothing of a run has begun that could be interrupted."""
