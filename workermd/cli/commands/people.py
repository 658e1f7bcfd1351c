"""`workermd runs pending` and `workermd approve`: what waits for a person, and what the person says."""

import time
from typing import Any

from workermd.cli.commands.runs import existing, login, one
from workermd.config import configuration
from workermd.ledger.records import Question, Run
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import encoded, timestamp
from workermd.protocol.errors import UsageError
from workermd.report import people as report
from workermd.report import say
from workermd.runner import decisions
from workermd.runner.decisions import APPROVE, DENY, Choice


def execute(values: dict[str, Any]) -> int:
    flags = configuration.Flags(
        ledger=values["ledger"] or "", config=values["config"] or "", no_config=values["no_config"]
    )
    path = configuration.load(flags).ledger
    return _pending(path, values) if values["deed"] == "pending" else _approve(path, values)


def _pending(path: str, values: dict[str, Any]) -> int:
    ledger = Ledger.open_read_only(path)
    requests: tuple[Question, ...] = ()
    if ledger is not None:
        with ledger:
            requests = ledger.pending(values["worker"])
    now = time.time_ns() // 1000
    if values["format"] == "json":
        waiting = [
            {"worker_id": each.worker_id, "run_id": each.run_id}
            | each.document()
            | {"asked_at": timestamp(each.at), "age_seconds": max(0, now - each.at) // 1_000_000}
            for each in requests
        ]
        say.document(encoded({"ledger": path, "pending": waiting}))
    else:
        say.text(report.pending(requests, now) if requests else f"nothing waits for a person in {path}\n")
    return 0


def _approve(path: str, values: dict[str, Any]) -> int:
    choice = _choice(values)
    existing(path, values).close()
    with Ledger.open(path) as ledger:
        run = _asking(ledger, values)
        run, request = decisions.decide(ledger, run.worker_id, run.run_id, choice)
        decided = next(each for each in ledger.questions(run.id) if each.n == request.n)
    if values["format"] == "json":
        left = run.max_attempts - run.attempts if run.state != "done" else 0
        what = {"worker_id": run.worker_id, "run_id": run.run_id, "status": run.status, "attempts_left": left}
        say.document(encoded(what | {"request": report.request(decided)}))
        return 0
    word = "denied for good" if choice.final else decisions.shown(choice.answer)
    say.text(say.plain(f"{run.worker_id} {run.run_id}: {word}, decided by {choice.who} (request {request.id})") + "\n")
    if choice.final:
        say.text(f"the run is settled as {run.status} [approval_denied]\n")
    else:
        say.text("next, with the same contract and the same input: workermd run SPEC INPUT\n")
    return 0


def _choice(values: dict[str, Any]) -> Choice:
    if values["deny"] and values["answer"] is not None:
        raise UsageError("--deny and --answer exclude each other", "leave one of the two out; --reason TEXT says why")
    if values["final"] and not values["deny"]:
        raise UsageError("--final goes with --deny only", "add --deny, or leave it out")
    who = values["by"] or login()
    if not who:
        raise UsageError("nobody is named", "say who decides it: --by NAME")
    answer = DENY if values["deny"] else APPROVE if values["answer"] is None else values["answer"]
    return Choice(answer, who, values["reason"] or "", values["final"], values["request"] or "")


def _asking(ledger: Ledger, values: dict[str, Any]) -> Run:
    """The run that is meant. Workers in a pipe share its id: the one that asks is meant, if there is only one."""
    asking = [
        each.worker_id
        for each in ledger.pending(values["worker"])
        if each.run_id == values["run_id"] and values["request"] in (None, each.id)
    ]
    return one(ledger, values | {"worker": asking[0]} if len(asking) == 1 else values)
