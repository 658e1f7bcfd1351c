"""Seeded faults: mistakes that the prototypes of this ledger made, and some that suggest themselves, put into a copy.

A test that cannot fail proves nothing: each fault must be seen by the crash points or by the duplicates.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT


class Change(NamedTuple):
    """`old` must stand exactly once in the file, or the fault no longer says what it means."""

    file: str
    old: str
    new: str


class Fault(NamedTuple):
    name: str
    changes: tuple[Change, ...]


FAULTS = (
    Fault(
        "a retryable result is adopted as final",
        (
            Change(
                "runner/claims.py",
                'left = self._settlement.judged(row.open_token, row.open_key) or verdict.crashed("was lost")',
                'left = self._settlement.judged(row.open_token, row.open_key) or verdict.crashed("was lost")\n'
                '        left = left._replace(transient=False) if left.outcome == "retryable_error" else left',
            ),
            # The ledger has a guard of its own against this one; the oracle must not lean on it.
            Change(
                "ledger/sqlite/transaction.py",
                "if answer is not None and answer.status == Status.RETRYABLE_ERROR.value and not out_of_attempts:",
                "if False:",
            ),
        ),
    ),
    Fault(
        "the lock is not inherited",
        (
            Change(
                "attempt/spawn.py",
                "self.status_write, lock_fd, self.keeper_read",
                "self.status_write, self.null, self.keeper_read",
            ),
        ),
    ),
    Fault(
        "no lock",
        (Change("ledger/run_lock.py", "if not self._set(fcntl.F_WRLCK, offset):", "if False:"),),
    ),
    Fault(
        "the attempt starts before the claim commits",
        (
            Change(
                "runner/attempts.py",
                "            claimed = self.claimed_in_time(",
                "            self.claims.supervisor = self.supervisor\n            claimed = self.claimed_in_time(",
            ),
            Change(
                "runner/claims.py",
                "                    row = self.start(transaction, row, name)\n        except",
                "                    row = self.start(transaction, row, name)\n"
                "                    from workermd.runner.supervision import order_of\n"
                "                    by, early = self.supervisor, ClaimedAttempt(given, row, *name)\n"
                "                    order = order_of(self._session, self._worker, early, give_up_at, by._trace)\n"
                "                    by._host.send(order, give_up_at, by.tick)\n"
                "                    by._host.send = lambda *_: None\n"
                "        except",
            ),
        ),
    ),
    Fault(
        "the first answer comes from memory",
        (
            Change(
                "runner/attempts.py",
                "                answered = self.answers.settled(row)\n",
                "                answered = self.answers.settled(row)\n"
                "                if judged.document is not None:\n"
                '                    text = __import__("json").dumps(judged.document, indent=2, sort_keys=True) + "\\n"\n'
                "                    answered = answered._replace(output=text.encode())\n",
            ),
        ),
    ),
    Fault(
        "the result file is written in place",
        (Change("ledger/results.py", "    unfinished = path + _UNFINISHED\n", "    unfinished = path\n"),),
    ),
    Fault(
        "a left-over result is ignored",
        (
            Change(
                "runner/claims.py",
                "left = self._settlement.judged(row.open_token, row.open_key) or verdict.crashed",
                "left = verdict.crashed",
            ),
        ),
    ),
    Fault(
        "a request is written after the answer that asks",
        (
            Change(
                "ledger/sqlite/transaction.py",
                "            self._change_one(questions.ASK,",
                '            self._execute("COMMIT", ())\n            point("t2_committed")\n'
                '            self._execute("BEGIN IMMEDIATE", ())\n            self._change_one(questions.ASK,',
            ),
        ),
    ),
    Fault(
        "a decision's start is granted in a second transaction",
        (
            Change(
                "ledger/sqlite/transaction.py",
                "        self._change_one(statements.REOPEN, (1,",
                '        self._execute("COMMIT", ())\n        point("decision_committed")\n'
                '        self._execute("BEGIN IMMEDIATE", ())\n        self._change_one(statements.REOPEN, (1,',
            ),
        ),
    ),
    Fault(
        "a decision grants two starts",
        (
            Change("ledger/sqlite/transaction.py", "_note_reopening(run, 1, who", "_note_reopening(run, 2, who"),
            Change(
                "ledger/sqlite/transaction.py",
                "self._change_one(statements.REOPEN, (1,",
                "self._change_one(statements.REOPEN, (2,",
            ),
            # The ledger has a guard of its own against this one; the oracle must not lean on it.
            Change(
                "ledger/sqlite/migrations.py",
                "WHERE run = NEW.run AND n = NEW.reopening AND granted = 1)",
                "WHERE run = NEW.run AND n = NEW.reopening)",
            ),
        ),
    ),
    Fault(
        "only the last decision is told",
        (
            Change(
                "runner/supervision.py",
                "decisions.told(session.ledger.questions(row.id))",
                "decisions.told(session.ledger.questions(row.id))[-1:]",
            ),
        ),
    ),
)


def seeded(fault: Fault, folder: Path) -> Path:
    """A copy of the package with the fault in it; the folder to put on the path. Raises LookupError."""
    package = folder / "workermd"
    shutil.copytree(ROOT / "workermd", package, ignore=shutil.ignore_patterns("__pycache__"))
    for change in fault.changes:
        path = package / change.file
        text = path.read_text()
        if text.count(change.old) != 1:
            raise LookupError(f"{fault.name}: {change.file} holds {text.count(change.old)} times: {change.old!r}")
        path.write_text(text.replace(change.old, change.new))
    return folder
