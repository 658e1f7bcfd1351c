"""Nodes as processes of their own, each with a spool folder that stands for a machine, over a real PostgreSQL."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tests.cluster.namespaces import Network
from workermd.system import processes

TOKEN = re.compile("[0-9a-f]{32}")
ROOT = Path(__file__).parents[2]

CONTRACT = """---
id: count
version: 1.0.0
---

# Count

Purpose: Count the words of a text.

### Input schema

```json
{"type": "object", "additionalProperties": false, "required": ["run_id", "seconds"], "properties": {
  "run_id": {"type": "string", "maxLength": 100}, "seconds": {"type": "number", "minimum": 0, "maximum": 60}}}
```

### Output schema

```json
{"type": "object", "additionalProperties": false, "required": ["run_id", "status", "result"], "properties": {
  "run_id": {"type": "string", "maxLength": 100},
  "status": {"enum": ["ok", "retryable_error", "invalid_request", "invalid_output"]},
  "result": {"type": "object", "maxProperties": 5}}}
```

### Constraints

- timeout_seconds: 60
- max_attempts: 12
- idempotency_key: run_id
- status_enum: [ok, retryable_error, invalid_request, invalid_output]
"""

TASK = """
import json, os, sys, time
task = json.load(sys.stdin)
def note(word):
    line = f"{word} {task['run_id']} {task['attempt']} {time.time()}\\n"
    descriptor = os.open(EVIDENCE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode()); os.close(descriptor)
note("start")
until = time.monotonic() + task["input"]["seconds"]
while (left := until - time.monotonic()) > 0:
    time.sleep(min(left, 0.1))
    note("works")
note("end")
print(json.dumps({"status": "ok", "result": {"attempt": task["attempt"]}}))
"""


class Asked(Protocol):
    """A server whose databases can be asked, by whatever way is its own."""

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]: ...


def database_of(address: str) -> str:
    return urlsplit(address).path.lstrip("/")


class Machines:
    """A folder with a contract, a task that writes down when it begins and ends, and nodes that come and go."""

    def __init__(
        self, folder: Path, address: str, *, jobs: int = 4, network: Network | None = None, source: Path = ROOT
    ) -> None:
        """With a network each node has a machine of its own on it. `source`: the program, which may be a broken copy."""
        self.folder = folder
        self.address = address
        self.jobs = jobs
        self.network = network
        self.source = source
        self.evidence = folder / "evidence"
        self.evidence.touch()
        (folder / "home").mkdir(exist_ok=True)
        (folder / "count.worker.md").write_text(CONTRACT)
        (folder / "task.py").write_text(f"EVIDENCE = {str(self.evidence)!r}\n{TASK}")
        command = json.dumps([sys.executable, "-I", "-S", str(folder / "task.py")])
        (folder / "workermd.toml").write_text(
            f'ledger = "{address}"\n\n[workers.count]\nbackend = "command"\ncommand = {command}\nsandbox = "off"\n'
        )
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.finished: set[str] = set()
        """Tokens of attempts whose result was on disk when their node or machine was killed."""

    def environment(self, spool: str) -> dict[str, str]:
        passed = {
            name: os.environ[name]
            for name in ("PATH", "MEMORY_BROKER", "WORKERMD_BROKER", "WORKERMD_TEMPORAL", "UNRELIABLE_ENGINE")
            if name in os.environ
        }
        return passed | {
            "HOME": str(self.folder / "home"),
            "WORKERMD_SPOOL": str(self.folder / spool),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(self.source), str(ROOT)])),
            "LANG": "C.UTF-8",
            "WORKERMD_TRACEBACK": "1",
        }

    def on(self, name: str) -> list[str]:
        return self.network.on(name) if self.network else []

    def call(self, *words: str, spool: str = "caller") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.on(spool), sys.executable, "-m", "workermd", *words],
            cwd=self.folder, env=self.environment(spool), capture_output=True, check=False,
        )  # fmt: skip

    def start(self, name: str, *words: str) -> None:
        with open(self.folder / f"{name}.log", "ab") as log:
            self.nodes[name] = subprocess.Popen(
                [*self.on(name), sys.executable, "-m", "workermd", "node", "run", "--jobs", str(self.jobs), *words],
                cwd=self.folder, env=self.environment(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, name: str, *, machine: bool) -> None:
        """The node's process alone, or all that runs on its machine."""
        node = self.nodes.pop(name)
        if machine and self.network:
            self.network.kill(name)
        doomed = processes.descendants(node.pid) if machine else []
        node.kill()
        for pid in doomed:
            processes.send(pid, signal.SIGKILL)
        node.wait()
        with contextlib.suppress(FileNotFoundError):
            self.finished |= {
                each for each in os.listdir(self.folder / name / "ledger.results") if TOKEN.fullmatch(each)
            }

    def close(self) -> None:
        for node in self.nodes.values():
            node.send_signal(signal.SIGTERM)
        until = time.monotonic() + 20
        for name, node in [*self.nodes.items()]:
            try:
                node.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill(name, machine=True)
        self.nodes.clear()


def shorten_leases(server: Asked, address: str, lease: float, grace: float, margin: float) -> None:
    server.execute(
        f"UPDATE workermd.liveness SET lease = '{lease} s', grace = '{grace} s', margin = '{margin} s'",
        database_of(address),
    )


def wait_until_done(server: Asked, address: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            ((left,),) = server.execute(
                "SELECT count(*) FROM workermd.runs WHERE state <> 'done'", database_of(address)
            )
            if not left:
                return True
        except Exception:  # noqa: BLE001 - the database is away just now
            time.sleep(0.2)
        time.sleep(0.2)
    return False


class Verdict:
    """The oracle: what the ledger says, against what tasks wrote down themselves."""

    def __init__(self, server: Asked, machines: Machines, wanted: int) -> None:
        evidence, database = machines.evidence, database_of(machines.address)
        rows = server.execute(
            "SELECT run_id, state, status, attempts, max_attempts, output FROM workermd.runs", database
        )
        attempts = server.execute(
            "SELECT r.run_id, a.n, a.outcome, a.token FROM workermd.attempts a JOIN workermd.runs r ON r.id = a.run",
            database,
        )
        begun: list[tuple[str, str, int, float]] = []
        for line in evidence.read_text().splitlines():
            word, run_id, n, at = line.split()
            begun.append((word, run_id, int(n), float(at)))
        starts = Counter((run_id, n) for word, run_id, n, _ in begun if word == "start")
        ends = Counter(run_id for word, run_id, _, _ in begun if word == "end")
        self.runs = len(rows)
        self.lost = wanted - sum(state == "done" for _, state, *_ in rows)
        self.not_ok = sum(status != "ok" for _, _, status, *_ in rows)
        self.attempts = len(attempts)
        self.open_attempts = sum(outcome is None for _, _, outcome, _ in attempts)
        self.crashed = sum(outcome == "crashed" for _, _, outcome, _ in attempts)
        self.beyond = sum(count > most for _, _, _, count, most, _ in rows)
        self.started_twice = sum(count > 1 for count in starts.values())
        self.ended_twice = sum(count > 1 for count in ends.values())
        self.repeated = sum(outcome == "crashed" and token in machines.finished for _, _, outcome, token in attempts)
        self.unclaimed = len(starts.keys() - {(run_id, n) for run_id, n, *_ in attempts})
        self.overlaps = _overlaps(begun)

    def faults(self, *, repeats: bool = False) -> list[str]:
        """`repeats`: machines were away longer than their lease, so what had finished there may be repeated (S4.3)."""
        names = ["lost", "not_ok", "open_attempts", "beyond", "started_twice", "unclaimed", "overlaps"]
        return [
            f"{name}: {count}" for name in (*names, *(["repeated"] * (not repeats))) if (count := getattr(self, name))
        ]

    def table(self) -> str:
        return "".join(f"  {name.replace('_', ' '):<18}{count:>6}\n" for name, count in vars(self).items())


def _overlaps(begun: list[tuple[str, str, int, float]]) -> int:
    """Attempts that began while an earlier one of the same run still worked: it wrote something down later."""
    last: dict[tuple[str, int], float] = {(run, n): at for _, run, n, at in begun}
    found = 0
    for word, run, n, at in begun:
        if word == "start":
            found += any(last.get((run, earlier), 0.0) > at for earlier in range(1, n))
    return found
