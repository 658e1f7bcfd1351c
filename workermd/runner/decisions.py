"""People in the loop: what an answer asks, who may decide what, and what the next attempt is told (S9)."""

import time
from typing import NamedTuple

from workermd.ledger.records import QUESTION_ID_LENGTH, Answer, Attempt, NewQuestion, Question, Run, question_document
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document, Status, timestamp
from workermd.protocol.errors import UsageError
from workermd.runner import verdict
from workermd.runner.answers import Answers
from workermd.runner.verdict import Verdict
from workermd.system.text import folded, printable, shell_word, shortened
from workermd.task import question

APPROVE, DENY = "approve", "deny"

MAX_WORDS = 2000
"""Characters of an answer, a name and a reason."""

PATIENCE = 10.0
"""Seconds to wait for others who write to the ledger."""

_BY_DOCUMENT = "The task answered needs_human; its output says why. Shall it go on?"


# --- asking ---------------------------------------------------------------------------------------------


def to_store(
    answers: Answers, final: Verdict, run: Run, attempts: tuple[Attempt, ...], detail: Document
) -> tuple[Answer, NewQuestion | None]:
    """The final answer of a run whose open attempt ended with `detail`, and what it asks of a person, if anything."""
    said = _said(final)
    if said is None:
        return answers.to_store(final, attempts, detail), None
    denied = answers.to_store(verdict.denied(shell_word(run.run_id)), attempts, detail)
    request = NewQuestion(
        id=(run.open_token or "")[:QUESTION_ID_LENGTH],
        kind=said["request_kind"],
        question=said["question"],
        options=tuple(said["options"]),
        proposed=said.get("proposed"),
        denied=denied,
    )
    assert final.failure is not None
    final = final._replace(failure=final.failure._replace(hint=_hint(run.run_id, request.options)))
    return answers.to_store(final, attempts, detail, question_document(request)), request


def _said(final: Verdict) -> Document | None:
    """What a final verdict asks. A permanent failure is `needs_human` too, but there is nothing to decide (S1.4)."""
    if final.status != Status.NEEDS_HUMAN.value or final.outcome != Status.NEEDS_HUMAN.value:
        return None
    failure = final.result.failure
    if failure is None:
        return question.details(_BY_DOCUMENT, (APPROVE, DENY))
    if failure["kind"] != "needs_human":
        return None
    return question.details(*(failure.get(name) for name in ("question", "options", "request_kind", "proposed")))


def _hint(run_id: str, options: tuple[str, ...]) -> str:
    name = shell_word(run_id)
    if not options or APPROVE in options:
        how = f"workermd approve {name}, or --deny" + ("" if options else ", or --answer TEXT")
    else:
        how = f"workermd approve {name} --answer TEXT ({', '.join(options)}), or --deny"
    return f"decide with: {how}; then run the same command again"


# --- deciding -------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """What somebody decides. `request_id` is empty for whichever request is open; `final` goes with a denial."""

    answer: str
    who: str
    reason: str = ""
    final: bool = False
    request_id: str = ""


def decide(ledger: Ledger, worker_id: str, run_id: str, choice: Choice) -> tuple[Run, Question]:
    """Record a decision and grant the one start that goes on with it, or settle the run as denied, for good.

    Raises UsageError where there is nothing to decide any more, or the answer is none of the options.
    """
    with ledger.transaction(time.monotonic() + PATIENCE) as transaction:
        run = ledger.look(worker_id, run_id)
        if run is None:
            raise UsageError(f"no run {run_id[:80]!r} in this ledger", "see what is there: workermd runs list")
        request = open_request(ledger, run, choice.request_id)
        answer = checked_answer(request.options, choice.answer)
        who, reason = _words(choice.who, "--by"), _words(choice.reason, "--reason")
        if choice.final:
            run = transaction.deny_for_good(run, who, reason)
        else:
            run = transaction.decide(run, answer, who, reason)
    return run, request


def open_request(ledger: Ledger, run: Run, request_id: str = "") -> Question:
    """The request of a run that waits for a person. Raises UsageError with the reason where there is none."""
    requests = ledger.questions(run.id)
    name = f"run {run.run_id[:80]!r}"
    chosen = [each for each in requests if each.id == request_id] if request_id else requests[-1:]
    if not chosen:
        what = (
            f"{name} has no request {request_id[:40]!r}" if request_id else f"{name} asks nobody: it is {_state(run)}"
        )
        raise UsageError(what, "see what waits for a person: workermd runs pending")
    request = chosen[-1]
    if request.open:
        return request
    if request.decision is None:
        raise UsageError(
            f"{name} went on without an answer to request {request.id}: it was reopened",
            "see what happened: workermd runs show",
        )
    decided = request.decision
    raise UsageError(
        f"request {request.id} of {name} was decided by {decided.who} at {timestamp(decided.at)}: "
        f"{shown(decided.answer)}{', for good' if decided.final else ''}",
        "see what happened: workermd runs show"
        if decided.final or run.state == "done"
        else "give the same run command again",
    )


def checked_answer(options: tuple[str, ...], answer: str) -> str:
    """The answer, where the request allows it: one of its options if there are any, or a denial."""
    answer = _words(answer, "--answer")
    if not answer:
        raise UsageError("the answer is empty", "say what is decided")
    if options and answer not in options and answer != DENY:
        raise UsageError(
            f"{shown(answer)!r} is none of the request's options: {', '.join(options)}",
            "give one of them with --answer, or --deny",
        )
    return answer


def _words(text: str, option: str) -> str:
    words = printable(text, keep="\n").strip()
    if len(words) > MAX_WORDS:
        raise UsageError(f"{option} has {len(words)} characters", f"allowed are {MAX_WORDS}")
    return words


def shown(answer: str) -> str:
    """An answer on one line, shortened."""
    return shortened(folded(answer), 80)


def _state(run: Run) -> str:
    return f"settled as {run.status}" if run.state == "done" else run.state


# --- going on -------------------------------------------------------------------------------------------


def told(requests: tuple[Question, ...]) -> tuple[Document, ...]:
    """The decisions among a run's requests, as its next attempt is told them (S9.4)."""
    decisions: list[Document] = []
    for request in requests:
        if (decided := request.decision) is not None:
            decision = {**request.document(), "answer": decided.answer, "by": decided.who, "at": timestamp(decided.at)}
            decisions.append(decision | ({"reason": decided.reason} if decided.reason else {}))
    return tuple(decisions)
