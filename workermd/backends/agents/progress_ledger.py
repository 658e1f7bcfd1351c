"""What a leader writes after each round: whether the task is done, who goes on, and with what.

Both frameworks that have Magentic take such a ledger as it comes: one lets the text "false" count as done, the other asks
again where a key is missing. Here it is read once, for both.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from workermd.backends.agents.reading import objects_in
from workermd.protocol.envelope import Document
from workermd.task.task import Result, failed

TRIES = 3
"""So often a leader may write a ledger that nobody can read."""

FLAGS = ("is_request_satisfied", "is_in_loop", "is_progress_being_made")
KEYS = (*FLAGS, "instruction_or_question", "next_speaker")

_TRUE, _FALSE = ("true", "yes"), ("false", "no")


class ProgressLedger(NamedTuple):
    """A ledger that can be gone by. `document` is it in the frameworks' form, with flags that are flags."""

    satisfied: bool
    stalled: bool
    document: Document


def read(text: str, names: Sequence[str]) -> ProgressLedger | None:
    """The one ledger in a text; None for one that lacks something, or names nobody of the team to go on."""
    found = objects_in(text)
    if len(found) != 1:
        return None
    document: Document = {}
    for key in KEYS:
        entry = found[0].get(key)
        answer = entry.get("answer") if isinstance(entry, dict) else entry
        answer = _flag(answer) if key in FLAGS else answer if isinstance(answer, str) else None
        if answer is None and key not in ("instruction_or_question", "next_speaker"):
            return None
        reason = entry.get("reason") if isinstance(entry, dict) else ""
        document[key] = {"answer": answer, "reason": reason if isinstance(reason, str) else ""}
    satisfied: bool = document["is_request_satisfied"]["answer"]
    speaker = names[0] if len(names) == 1 else _named(document["next_speaker"]["answer"], names)
    if not satisfied and (speaker is None or document["instruction_or_question"]["answer"] is None):
        return None
    document["next_speaker"]["answer"] = speaker or names[0]
    document["instruction_or_question"]["answer"] = document["instruction_or_question"]["answer"] or ""
    stalled = document["is_in_loop"]["answer"] or not document["is_progress_being_made"]["answer"]
    return ProgressLedger(satisfied, stalled, document)


def written(ledger: ProgressLedger, *, stalled: bool) -> str:
    """The ledger as a framework reads it, with the progress that it is to go by."""
    progress = {
        "is_in_loop": {"answer": False, "reason": ""},
        "is_progress_being_made": {"answer": not stalled, "reason": ""},
    }
    return json.dumps(ledger.document | progress, ensure_ascii=False)


def unreadable() -> Result:
    """The ending where no ledger could be gone by: a bad reply, which the next attempt may better."""
    told = (
        f"the leader's ledger of progress could not be read {TRIES} times: it lacks a key, or names nobody of the team"
    )
    return failed("invalid_output", "output_not_json", told)


def _flag(answer: Any) -> bool | None:
    """A flag, also one that a model wrote as text: AutoGen and Python take the text "false" for true."""
    if isinstance(answer, bool):
        return answer
    word = answer.strip().lower() if isinstance(answer, str) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _named(answer: Any, names: Sequence[str]) -> str | None:
    if answer in names:
        return str(answer)
    same = [name for name in names if isinstance(answer, str) and name.lower() == answer.strip().lower()]
    return same[0] if len(same) == 1 else None
