"""What people are asked and what they decided, as text and as JSON."""

import json
from collections.abc import Iterable

from workermd.ledger.records import Question
from workermd.protocol.envelope import Document, timestamp
from workermd.runner.decisions import APPROVE, shown
from workermd.system.environment import login
from workermd.system.text import printable, shell_word

_INDENT = "  "


def pending(requests: Iterable[Question], now: int) -> str:
    """Every request with what it takes to decide it. `now` is in Unix microseconds."""
    return "\n".join(
        f"{printable(each.worker_id)} {printable(each.run_id)}  {each.kind}  {age(now - each.at)} old  request {each.id}\n"
        f"{asked(each.document())}"
        f"{_INDENT}decide:  {printable(_decide(each))}\n"
        for each in requests
    )


def _decide(each: Question) -> str:
    """A line that can be pasted; of several options it takes the first."""
    line = f"workermd approve {shell_word(each.run_id)} --worker {shell_word(each.worker_id)}"
    if each.options and APPROVE not in each.options:
        line += f" --answer {shell_word(each.options[0])}"
    return line + ("" if login() else " --by NAME")


def asked(request: Document) -> str:
    """The question, what is proposed and the options of a request, each line without control characters (S6.5)."""
    lines = request["question"].split("\n")
    proposed = request.get("proposed")
    if proposed is not None and request["kind"] == "tool":
        lines += [f"call:    {proposed['tool']}", *_json(proposed["arguments"])]
    elif proposed is not None and request["kind"] == "plan":
        lines += ["plan:", *(f"{_INDENT}{line}" for line in proposed["plan"].split("\n"))]
    elif proposed is not None:
        lines += ["proposed:", *_json(proposed)]
    if request["options"]:
        lines.append(f"options: {', '.join(request['options'])}")
    return "".join(f"{_INDENT}{printable(line)}\n" for line in lines)


def _json(value: Document) -> list[str]:
    return [f"{_INDENT}{line}" for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n")]


def age(microseconds: int) -> str:
    """`3 min`: the largest unit that fits, rounded down; a clock that was set back shows no age below nothing."""
    seconds = max(0, microseconds) // 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def events(requests: Iterable[Question]) -> list[tuple[int, str]]:
    """What belongs into a run's timeline: when, and what happened."""
    found: list[tuple[int, str]] = []
    for each in requests:
        found.append((each.at, f"asked ({each.kind}, request {each.id}): {printable(shown(each.question))}"))
        if (decided := each.decision) is not None:
            reason = f" ({printable(shown(decided.reason))})" if decided.reason else ""
            then = "no further start" if decided.final else "1 further start"
            words = printable(shown(decided.answer))
            found.append((decided.at, f"decided by {printable(decided.who)}: {words}{reason}; {then}"))
    return found


def request(each: Question) -> Document:
    """A request as a document, with its decision or null."""
    decided = each.decision
    decision: Document | None = None
    if decided is not None:
        decision = {
            "answer": decided.answer,
            "by": decided.who,
            "reason": decided.reason,
            "final": decided.final,
            "at": timestamp(decided.at),
        }
    return each.document() | {"attempt": each.n, "at": timestamp(each.at), "open": each.open, "decision": decision}
