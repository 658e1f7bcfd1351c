"""One attempt of a kind in this very process: the kind's own `perform` on a scripted server, without a run around it.

A framework's import is paid once for all tests of a file. What a run adds (the output check, further attempts, the
ledger, the process) is tried by `bound`.
"""

import importlib
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from workermd.protocol.envelope import Document
from workermd.task.binding import Binding, Model
from workermd.task.task import KINDS, Budget, Limits, Result, Task
from workermd.testing import Server

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["status", "result"],
    "properties": {"status": {"enum": ["ok", "invalid_output"]}, "result": {"type": "object"}},
}


class Tried(NamedTuple):
    """What an attempt came to, what the server saw, and what was noted meanwhile."""

    result: Result
    server: Server
    events: list[Document]

    @property
    def ending(self) -> tuple[str, str]:
        """Kind and code of the failure; two empty words for an answer."""
        failure = self.result.failure or {}
        return failure.get("kind", ""), failure.get("code", "")

    @property
    def message(self) -> str:
        return str((self.result.failure or {}).get("message", ""))


def tried(
    kind: str,
    script: Any,
    folder: Path,
    *,
    model: dict[str, Any] | None = None,
    task: dict[str, Any] | None = None,
    budget: Budget | None = None,
    seconds: float = 60.0,
    limits: dict[str, Any] | None = None,
    serve: dict[str, Any] | None = None,
    **binding: Any,
) -> Tried:
    journal = folder / f"journal-{time.monotonic_ns()}"
    with Server(script, **(serve or {})) as server:
        model = {"name": "scripted-1", "base_url": server.url, **(model or {})}
        bound = Binding(kind, "here", model=Model(**model), folder=str(folder), **binding)
        held = Limits(time.monotonic() + seconds, 1 << 20, budget or Budget(), str(journal), **(limits or {}))
        result: Result = importlib.import_module(KINDS[kind].module).perform(_task(folder, task), bound, held)
    lines = journal.read_text().splitlines() if journal.exists() else []
    return Tried(result, server, [json.loads(line) for line in lines])


def _task(folder: Path, changed: dict[str, Any] | None) -> Task:
    given: dict[str, Any] = {
        "worker_id": "echo",
        "version": "0.1.0",
        "run_id": "r1",
        "attempt": 1,
        "max_attempts": 2,
        "seconds_left": 60.0,
        "purpose": "Answer one question.",
        "mode": "",
        "input": {"run_id": "r1", "task": "Add one and one."},
        "output_schema": SCHEMA,
        "tools_allowed": None,
        "feedback": (),
        "decisions": (),
        "trace": {},
        "artifacts_dir": str(folder),
        "settings": {},
    }
    return Task(**(given | (changed or {})))
