"""`workermd approve`: what a person says to what a run asks."""

from typing import NamedTuple

from workermd.cli import settings
from workermd.cli.stored_runs import existing, one
from workermd.ledger.opening import open_ledger
from workermd.ledger.records import Run
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import encoded, versioned
from workermd.protocol.errors import UsageError
from workermd.report import people as report
from workermd.report import say
from workermd.runner import decisions
from workermd.runner.decisions import APPROVE, DENY, Choice
from workermd.system.environment import login
from workermd.system.text import printable


class ApproveOptions(NamedTuple):
    run_id: str
    deny: bool
    final: bool
    answer: str | None
    by: str | None
    reason: str | None
    request: str | None
    worker: str | None
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: ApproveOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    choice = _choice(options)
    existing(path, options.run_id).close()
    with open_ledger(path) as ledger:
        run = _asking(ledger, options)
        run, request = decisions.decide(ledger, run.worker_id, run.run_id, choice)
        decided = next(each for each in ledger.questions(run.id) if each.n == request.n)
    if options.format == "json":
        left = run.max_attempts - run.attempts if run.state != "done" else 0
        what = {"worker_id": run.worker_id, "run_id": run.run_id, "status": run.status, "attempts_left": left}
        say.document(encoded(versioned(what | {"request": report.request(decided)})))
        return 0
    word = "denied for good" if choice.final else decisions.shown(choice.answer)
    say.text(printable(f"{run.worker_id} {run.run_id}: {word}, decided by {choice.who} (request {request.id})") + "\n")
    if choice.final:
        say.text(f"the run is settled as {run.status} [approval_denied]\n")
    else:
        say.text("next, with the same contract and the same input: workermd run SPEC INPUT\n")
    return 0


def _choice(options: ApproveOptions) -> Choice:
    if options.deny and options.answer is not None:
        raise UsageError("--deny and --answer exclude each other", "leave one of the two out; --reason TEXT says why")
    if options.final and not options.deny:
        raise UsageError("--final goes with --deny only", "add --deny, or leave it out")
    who = options.by or login()
    if not who:
        raise UsageError("nobody is named", "say who decides it: --by NAME")
    answer = DENY if options.deny else APPROVE if options.answer is None else options.answer
    return Choice(answer, who, options.reason or "", options.final, options.request or "")


def _asking(ledger: Ledger, options: ApproveOptions) -> Run:
    """The run that is meant. Workers in a pipe share its id: the one that asks is meant, if there is only one."""
    asking = [
        each.worker_id
        for each in ledger.pending(options.worker)
        if each.run_id == options.run_id and options.request in (None, each.id)
    ]
    return one(ledger, options.run_id, asking[0] if len(asking) == 1 else options.worker)
