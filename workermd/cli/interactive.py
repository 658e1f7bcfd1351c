"""`run --interactive`: ask at the terminal what a run asks a person, record the answer, go on (S9.5)."""

import os
import sys

from workermd.ledger.opening import open_ledger
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.report import people as report
from workermd.report import say
from workermd.runner import decisions
from workermd.runner.answers import Answered
from workermd.runner.decisions import APPROVE, DENY, Choice
from workermd.runner.worker import Worker
from workermd.system.environment import login
from workermd.system.text import printable

_YES, _NO = ("y", "yes"), ("n", "no")


def refuse_without_terminal(input_path: str) -> None:
    """Raises UsageError where nobody can be asked."""
    if input_path == "-":
        raise UsageError(
            "--interactive reads answers from standard input, and so does INPUT -", "give the input as a file"
        )
    if not (os.isatty(0) and os.isatty(2)):
        raise UsageError(
            "--interactive needs a terminal on standard input and standard error",
            "leave it out; the run ends as needs_human, and workermd approve decides",
        )


def decided(answered: Answered, worker: Worker, ledger_path: str) -> bool:
    """Whether the run can go on: what it asks was decided here, or meanwhile somewhere else.

    Raises KeyboardInterrupt for an interrupt at the question, LedgerUnavailable; the request stays open then.
    """
    asked: Document = answered.envelope["request"]
    worker_id, run_id = worker.contract.id, str(answered.envelope["run_id"])
    say.note(f"{worker_id} {run_id} asks ({asked['kind']}, request {asked['id']}):")
    sys.stderr.write(report.asked(asked))
    answer = _answer(asked)
    if not answer:
        return False
    choice = Choice(worker.mask.text(answer), _user(), request_id=asked["id"])
    try:
        with open_ledger(ledger_path) as ledger:
            decisions.decide(ledger, worker_id, run_id, choice)
    except UsageError as error:  # somebody was quicker
        say.error(error)
    return True


def _answer(asked: Document) -> str:
    """What the person says, asked until it is allowed; empty when it is left open."""
    options = tuple(asked["options"])
    allowed = [*options, *([DENY] if DENY not in options else [])]
    if not options:
        allowed = ["your answer", DENY] if asked["kind"] == "question" else [APPROVE, DENY, "your answer"]
    while True:
        sys.stderr.write(printable(f"{', '.join(allowed)}; empty leaves it open") + "> ")
        sys.stderr.flush()
        answer = _line()
        if not options and asked["kind"] != "question" and answer.lower() in (*_YES, *_NO):
            answer = APPROVE if answer.lower() in _YES else DENY
        if not answer:
            return ""
        try:
            return decisions.checked_answer(options, answer)
        except UsageError as error:
            say.note(error.message)


def _line() -> str:
    """One line from the terminal without its end; empty at the end of the input."""
    data = b""
    while not data.endswith(b"\n"):
        chunk = os.read(0, 4096)
        if not chunk:
            sys.stderr.write("\n")
            break
        data += chunk
    return data.decode("utf-8", "replace").strip()


def _user() -> str:
    """Who sits at the terminal."""
    return login() or f"user {os.getuid()}"
