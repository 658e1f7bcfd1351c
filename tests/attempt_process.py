"""A small stand-in for the attempt's process: imports a kind, performs one task, leaves a result file.

`run_attempt` is the supervisor's part: it starts this file as a child, kills the child's whole tree shortly
after the deadline, and says what was left behind.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from workermd.backend import KINDS, Binding, Limits, Result, Task


class Outcome(NamedTuple):
    """`result` is None when the attempt was killed or ended without one; `log` is all it printed."""

    result: Result | None
    log: str
    killed: bool
    seconds: float


def a_task(folder: Path, **changes) -> Task:
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


def run_attempt(folder: Path, task: Task, binding: Binding, seconds: float = 20.0, grace: float = 0.3) -> Outcome:
    order = {"task": task.to_json(), "binding": binding._asdict(), "seconds": seconds, "max_bytes": 1 << 20}
    (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
    environment = {
        **os.environ,
        "WORKERMD_RUN_ID": task.run_id,
        "WORKERMD_ATTEMPT": str(task.attempt),
        "WORKERMD_ARTIFACTS": task.artifacts_dir,
        "TRACEPARENT": task.trace.get("traceparent", ""),
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    with subprocess.Popen(
        [sys.executable, "-P", __file__, str(folder)], cwd=folder, env=environment, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n", (folder / "log").read_text()
        began = time.monotonic()
        process = os.pidfd_open(child.pid)
        killed = not select.select([process], [], [], seconds + grace)[0]
        if killed:
            kill_tree(child.pid)
        os.close(process)
        seconds_taken = time.monotonic() - began
    result = folder / "result"
    return Outcome(
        Result.from_json(result.read_text(encoding="utf-8")) if result.exists() else None,
        (folder / "log").read_text(encoding="utf-8", errors="replace"),
        killed,
        seconds_taken,
    )


def kill_tree(pid: int) -> None:
    """Stop the process, kill what descends from it until nothing does, then kill it."""
    os.kill(pid, signal.SIGSTOP)
    while alive := [child for child in descendants(pid) if _state(child) != "Z"]:
        for child in alive:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in tasks.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def alive(pid: int) -> bool:
    return _state(pid) != "Z"


def main(folder: Path) -> None:
    import importlib

    started = os.dup(1)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
    binding = Binding(**{name: tuple(v) if isinstance(v, list) else v for name, v in order["binding"].items()})
    backend = importlib.import_module(KINDS[binding.kind])
    deadline = time.monotonic() + order["seconds"]
    os.write(started, b"started\n")
    os.close(started)
    result = backend.perform(Task.from_json(order["task"]), binding, Limits(deadline, order["max_bytes"]))
    (folder / "result.tmp").write_text(result.to_json(), encoding="utf-8")
    if time.monotonic() < deadline or result.failure:
        (folder / "result.tmp").rename(folder / "result")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
