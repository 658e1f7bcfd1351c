"""A place to try crashes in: a ledger, a contract, the task with its evidence, calls of the real command line."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import FOUR, Cli, Done, contract_text

TASK = Path(__file__).parent / "task.py"
WORKER = "echo"
KILLED = -9


class Evidence(NamedTuple):
    """One line that a task left: `start`, `end` or `overlap`, its attempt, its process and that of its host."""

    word: str
    n: int
    pid: int
    host: int


class Trial:
    """Runs of one contract with one ledger. `acknowledged` keeps all that was ever printed as a final answer."""

    def __init__(
        self,
        folder: Path,
        *,
        max_attempts: int = 2,
        timeout: float = 20,
        package: Path | None = None,
        cold: bool = True,
    ) -> None:
        self.folder = folder
        self.max_attempts = max_attempts
        self.evidence_folder = folder / "evidence"
        self.evidence_folder.mkdir(parents=True)
        (folder / "home").mkdir()
        self.cli = Cli(folder, cold=cold)
        for name in [name for name in self.cli.environment if name.startswith(("COVERAGE_", "COV_"))]:
            del self.cli.environment[name]  # half of these processes are killed: nothing would be written
        self.cli.environment["WORKERMD_ENV"] = "WORKERMD_CRASH_AT"
        if package is not None:
            self.cli.environment["PYTHONPATH"] = str(package)
        self.ledger = self.cli.ledger
        self.results = Path(f"{self.ledger}.results")
        self.renamed: set[str] = set()
        self.forgotten: set[str] = set()
        self.acknowledged: dict[str, set[bytes]] = {}
        self._noting = threading.Lock()
        constraints: dict[str, object] = {"max_attempts": max_attempts, "timeout_seconds": timeout}
        self.spec = folder / "echo.worker.md"
        self.spec.write_text(contract_text(id=WORKER, statuses=[*FOUR, "needs_human"], constraints=constraints))
        self.changed_spec = folder / "changed.worker.md"
        self.changed_spec.write_text(
            contract_text(
                id=WORKER, statuses=[*FOUR, "needs_human"], constraints=constraints, purpose="Answer another question."
            )
        )

    def arguments(
        self, run_id: str, replies: list[str], seconds: list[float], *flags: str, changed: bool = False, task: str = "x"
    ) -> list[str]:
        document = {"run_id": run_id, "task": task, "context": {"replies": replies, "seconds": seconds}}
        path = self.folder / f"{run_id}.{task}.json"
        text = json.dumps(document)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        spec = self.changed_spec if changed else self.spec
        program = [sys.executable, "-S", str(TASK), str(self.evidence_folder)]
        return ["run", str(spec), str(path), *flags, "--backend", "command", "--", *program]

    def start(
        self,
        run_id: str,
        replies: list[str],
        *flags: str,
        at: str = "",
        seconds: tuple[float, ...] = (0,),
        **options: Any,
    ) -> "subprocess.Popen[bytes]":
        arguments = self.arguments(run_id, replies, list(seconds), *flags, **options)
        return self.cli.start(*arguments, env={"WORKERMD_CRASH_AT": at}, stdin=subprocess.DEVNULL)

    def end(self, process: "subprocess.Popen[bytes]", run_id: str, seconds: float = 60) -> Done:
        """Wait for a call; note what it acknowledged and which results have their names now."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        self.look_at_results()
        done = Done(process.returncode, out, err.decode("utf-8", "replace"))
        if (answer := final(out)) is not None:
            with self._noting:
                self.acknowledged.setdefault(run_id, set()).add(answer)
        return done

    def call(self, run_id: str, replies: list[str], *flags: str, **options: Any) -> Done:
        return self.end(self.start(run_id, replies, *flags, **options), run_id)

    def approve(self, run_id: str, *flags: str, at: str = "") -> Done:
        """A person decides. The answer that asked is set aside, by name: it need not last any more."""
        done = self.cli("approve", run_id, "--by", "ann", *flags, env={"WORKERMD_CRASH_AT": at})
        if done.code == 0 or at == "decision_committed":
            self.acknowledged.pop(run_id, None)
        return done

    def look_at_results(self) -> None:
        """Note the results that have their names: what was renamed has finished, whatever is killed next."""
        if self.results.is_dir():
            self.renamed.update({name for name in os.listdir(self.results) if len(name) == 32} - self.forgotten)

    def forget(self, run_id: str) -> None:
        """A pruned run: what is known of it, and what it left behind, says nothing any more."""
        self.acknowledged.pop(run_id, None)
        (self.evidence_folder / run_id).unlink(missing_ok=True)
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            kept = {token for (token,) in connection.execute("SELECT token FROM attempts")}
        self.forgotten |= self.renamed - kept
        self.renamed &= kept

    def evidence(self, run_id: str) -> list[Evidence]:
        path = self.evidence_folder / run_id
        lines = path.read_text().splitlines() if path.exists() else []
        return [Evidence(word, *map(int, rest)) for word, *rest in map(str.split, lines)]

    def starts(self, run_id: str) -> list[int]:
        return [line.n for line in self.evidence(run_id) if line.word == "start"]


def final(out: bytes) -> bytes | None:
    """The printed document, when it is an answer that has to last: settled, and not refused before any attempt."""
    if not out:
        return None
    try:
        document = json.loads(out)
    except ValueError:
        return out  # half an answer: the oracle will find that it is none
    if "status" not in document:
        return None  # refused before there was a run (exit 2), or a fault of ours (exit 1)
    error = (document.get("result") or {}).get("error") or {}
    if error.get("retryable") or error.get("code") in ("idempotency_conflict", "contract_changed", "cancelled"):
        return None
    return out
