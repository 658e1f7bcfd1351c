"""What people decided about calls of tools: each decision is for one call, and what that call answered is kept with it.

An attempt that asks a person ends, and the next one begins anew: it would call again what was approved and called before.
So the n-th call of a tool with the same arguments has the n-th decision about it, and the answer of a call that was made
is given to every later attempt in place of the call (S9.7).
"""

import json
import os
from collections import Counter
from typing import Literal, NamedTuple

from workermd.backends.agents.gate import canonical
from workermd.protocol.envelope import Document
from workermd.system import files
from workermd.task.masking import Mask
from workermd.task.task import Task

SUFFIX = ".approved"
"""Of the file that holds what an approved call answered. It lies beside the folders of the run's attempts."""

State = Literal["free", "begun", "made"]


class Approval(NamedTuple):
    """A person's decision about one call. `begun`: the call was made and its answer is unknown; `made`: it is `text`."""

    id: str
    answer: str
    state: State = "free"
    text: str = ""


class Approvals:
    """The decisions about tool calls of one attempt. Proposals are compared as they were shown: masked."""

    def __init__(self, task: Task, mask: Mask, folder: str = "") -> None:
        self._folder = folder or os.path.dirname(task.artifacts_dir)
        self._mask = mask
        self._called: Counter[str] = Counter()
        self._decided: dict[str, list[Approval]] = {}
        for decision in task.decisions:
            if decision.get("kind") == "tool":
                approval = self._read(str(decision.get("id", "")), str(decision["answer"]))
                self._decided.setdefault(canonical(decision.get("proposed") or {}), []).append(approval)

    def next_of(self, tool: str, arguments: Document) -> Approval | None:
        """The decision about the next call of this tool with these arguments; None where a person is to decide."""
        key = self._key(tool, arguments)
        usable = [each for each in self._decided.get(key, []) if each.state != "begun"]
        number = self._called[key]
        self._called[key] += 1
        return usable[number] if number < len(usable) else None

    def is_unknown(self, tool: str, arguments: Document) -> bool:
        """Whether such a call was begun in an earlier attempt, and nobody knows what came of it."""
        return any(each.state == "begun" for each in self._decided.get(self._key(tool, arguments), []))

    def made(self) -> dict[str, str]:
        """What approved calls of earlier attempts answered, by the id of the decision."""
        return {each.id: each.text for decided in self._decided.values() for each in decided if each.state == "made"}

    def begin(self, approval: Approval) -> None:
        """Keep that the call begins, before it does. Raises OSError: without it the call might be repeated unseen."""
        self._write(approval.id, {"state": "begun"})

    def end(self, approval: Approval, text: str) -> None:
        """Keep what the call answered, before anybody hears it. Raises OSError."""
        self._write(approval.id, {"state": "made", "text": self._mask.text(text)})

    def _key(self, tool: str, arguments: Document) -> str:
        return canonical(self._mask.value({"tool": tool, "arguments": arguments}))

    def _path(self, decision: str) -> str:
        return os.path.join(self._folder, decision + SUFFIX)

    def _write(self, decision: str, document: Document) -> None:
        if decision:
            files.replace(self._path(decision), json.dumps(document).encode(), mode=0o600)

    def _read(self, decision: str, answer: str) -> Approval:
        if not decision.isalnum():
            return Approval("", answer)  # of a recording, or of a test: nothing is kept
        try:
            with open(self._path(decision), encoding="utf-8") as file:
                kept = json.load(file)
        except FileNotFoundError:
            return Approval(decision, answer)
        except (OSError, ValueError):
            return Approval(decision, answer, "begun")  # it was being written: the call had begun
        return Approval(decision, answer, "made" if kept.get("state") == "made" else "begun", str(kept.get("text", "")))
