"""What one input came to, however it was performed, and what is wrong with that."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical
from workermd.contract.model import Contract
from workermd.fuzz.values import CANARY, SECRET
from workermd.protocol.envelope import Document, Status

CHECKS: dict[str, str] = {
    "crash": "The task raised, or its process ended, instead of answering.",
    "output": "The answer is outside the output schema, or is no answer.",
    "hang": "There was no answer in time.",
    "key": "The answer bears another key than the input.",
    "differs": "The same input got two different answers.",
    "leak": "A message quotes a value of the input.",
    "secret": "An answer, a message or the log holds the value of a secret variable.",
    "killed": "After a kill at a random moment the next attempt answers otherwise.",
}
"""What is looked for, and what it means when it is found."""

_OUTPUT = ("output_not_json", "output_schema_mismatch", "status_not_allowed", "output_too_large", "output_truncated")
_TRACEBACK = "the traceback is in the attempt's log"


class Observed(NamedTuple):
    """An answer as a run would give it. `log` is what the task said on its streams, `seconds` how long it took.

    `code` is the error code, or `hang`, or `crash` where the process itself ended.
    """

    status: str
    code: str = ""
    message: str = ""
    document: Document | None = None
    log: str = ""
    seconds: float = 0.0


class InputFault(NamedTuple):
    """Something that is wrong. `origin` tells two faults of one check apart: it has no values of the input."""

    check: str
    origin: str
    told: str


def faults_of(observed: Observed, given: Document, contract: Contract) -> Iterator[InputFault]:
    """Everything that one answer shows by itself."""
    if observed.code in ("hang", "timeout"):
        yield InputFault("hang", "", f"no answer within {observed.seconds:.1f} s")
    elif observed.code in ("crash", "attempt_crashed", "attempts_exhausted"):
        yield InputFault("crash", "process", f"the process ended without an answer: {observed.message}")
    elif observed.code == "backend_failed" and (_TRACEBACK in observed.message or "exit" in observed.message):
        yield InputFault("crash", observed.message, observed.message.replace(_TRACEBACK, _last_line(observed.log)))
    elif observed.code in _OUTPUT:
        yield InputFault(
            "output", f"{observed.code} {_rules(observed.message)}", f"{observed.code}: {observed.message}"
        )
    elif observed.code == "run_id_mismatch" or _key_is_lost(observed, given, contract):
        yield InputFault("key", "", f"the answer's {contract.constraints.idempotency_key!r} is not that of the input")
    if any(CANARY in text for text in _messages(observed)):
        yield InputFault("leak", observed.code, "the message holds a text that stands in the input")
    if observed.code == "secret_in_output" or any(
        SECRET in text for text in (*_messages(observed), observed.log, _written(observed.document))
    ):
        yield InputFault("secret", observed.code, "the value of a secret variable was written")


def differing(one: Observed, other: Observed) -> str:
    """In what two answers to the same input differ; empty where they do not. A failure's words may differ."""
    if one.status != other.status or one.code != other.code:
        return f"{one.status} {one.code}".strip() + " and then " + f"{other.status} {other.code}".strip()
    if one.document is None or other.document is None or canonical(one.document) == canonical(other.document):
        return ""
    return f"the answers differ at {_place(one.document, other.document)}"


def _place(one: Any, other: Any, pointer: str = "") -> str:
    """The first place where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(each for each in other if each not in one)]:
            if name not in one or name not in other or canonical(one[name]) != canonical(other[name]):
                return _place(one.get(name), other.get(name), f"{pointer}/{name}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            if canonical(left) != canonical(right):
                return _place(left, right, f"{pointer}/{number}")
    return pointer or "/"


def _key_is_lost(observed: Observed, given: Document, contract: Contract) -> bool:
    name = contract.constraints.idempotency_key
    answer = observed.document or {}
    return contract.key_in_input and name in answer and name in given and answer[name] != given[name]


def _messages(observed: Observed) -> list[str]:
    """The words of a failure: its message, and that of a failure that the task itself reported."""
    found = [observed.message]
    if observed.document is not None and observed.status != Status.OK.value:
        result = observed.document.get("result")
        error = result.get("error") if isinstance(result, dict) else None
        found += [str(error.get("message", ""))] if isinstance(error, dict) else []
    return found


def _written(document: Document | None) -> str:
    return "" if document is None else json.dumps(document, ensure_ascii=False)


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "its log is empty"


def _rules(message: str) -> str:
    """The words of a mismatch without numbers and quoted values, so that one fault stays one while it shrinks."""
    kept = "".join(each for each in message if not each.isdigit())
    return kept[:160]
