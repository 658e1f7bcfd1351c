"""One attempt in its real process, without a ledger around it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import COVERAGE_VARIABLES, ROOT
from tests.loaded import start_host
from workermd.attempt.order import Order
from workermd.attempt.spawn import Ending, Host
from workermd.ledger import results
from workermd.ledger.run_lock import RunLock
from workermd.system import processes
from workermd.system.environment import MARKER
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task

PATIENCE = 60.0

StartHost = Callable[[Binding, int, str], Host]


class Outcome(NamedTuple):
    """`result` is None when the attempt left none; `log` is all it printed; `over` is seconds after the deadline.

    `survivors` are living processes that the attempt started, however indirectly, when it was over.
    """

    result: Result | None
    log: str
    killed: bool
    seconds: float
    over: float
    ending: Ending
    survivors: list[int]


def a_task(folder: Path, **changes: object) -> Task:
    artifacts = folder / "artifacts"
    artifacts.mkdir(exist_ok=True)
    task = Task(
        worker_id="shop.orders",
        version="1.0.0",
        run_id="run-1",
        attempt=1,
        max_attempts=3,
        seconds_left=30.0,
        purpose="Tests a backend.",
        mode="agent-orchestration-worker",
        input={"run_id": "run-1", "task": "do", "note": "hunter2-secret"},
        output_schema={"type": "object"},
        tools_allowed=None,
        feedback=(),
        decisions=(),
        trace={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        artifacts_dir=str(artifacts),
        settings={},
    )
    return task._replace(**changes)


def run_attempt(
    folder: Path,
    task: Task,
    binding: Binding,
    seconds: float = 20.0,
    max_bytes: int = 1 << 20,
    start: StartHost = start_host,
) -> Outcome:
    """Start the host in `folder`, give it the task, wait for its end or end it at the deadline."""
    ledger = str(folder / "state" / "ledger.db")
    environment = {
        "WORKERMD_RUN_ID": task.run_id,
        "WORKERMD_ATTEMPT": str(task.attempt),
        "WORKERMD_ARTIFACTS": task.artifacts_dir,
        "TRACEPARENT": task.trace.get("traceparent", ""),
    }
    bound = binding._replace(env=(*binding.env, "PYTHONPATH", *COVERAGE_VARIABLES))
    with RunLock.open(ledger) as lock, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(ROOT))
        kept = results.prepare(ledger)
        host = start(bound, lock.fd, kept)
        host.wait_ready(time.monotonic() + PATIENCE, lambda: None)
        token = results.new_token()
        began = time.monotonic()
        deadline = began + seconds
        order = Order(task, Limits(deadline, max_bytes), environment, kept, token)
        host.send(order, deadline, lambda: None)
        ending = host.finish(deadline, lambda: None)
        ended = time.monotonic()
        survivors = marked(host.marker)
        log = b""
        while chunk := host.log():
            log += chunk
        host.close_log()
    data = results.read(kept, token)
    return Outcome(
        result=None if data is None else Result.from_json(data.decode()),
        log=log.decode("utf-8", "replace"),
        killed=ending.by_deadline,
        seconds=ended - began,
        over=ended - deadline,
        ending=ending,
        survivors=survivors,
    )


def marked(marker: str) -> list[int]:
    """Living processes that were started by the host with this marker, or by what it started."""
    return processes.marked(f"{MARKER}={marker}".encode())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
