"""A run in a session that it is given: what many runs share, and what a run asks of it."""

import fcntl
import json
import os
from contextlib import contextmanager

import pytest

from tests.conftest import contract_text
from workermd.contract.reader import read
from workermd.runner import session as sessions
from workermd.runner.events import AttemptEnded, AttemptStarted, Logged
from workermd.runner.invocation import invoke
from workermd.runner.request import Request
from workermd.runner.worker import Worker
from workermd.task.binding import Binding

OK = 'echo words >&2; printf \'{"status": "ok", "result": {}}\''


@pytest.fixture
def worker():
    contract = read(contract_text().encode(), "echo.worker.md").contract
    assert contract is not None
    return Worker(contract, Binding("command", "a test", command=("sh", "-c", OK)))


@contextmanager
def counting_session(path):
    """A session as the command line makes it, and the hosts that it started."""
    started = []
    with sessions.opened(str(path)) as session:

        def start(binding, lock, fence):
            started.append(session.hosts(binding, lock, fence))
            return started[-1]

        yield session._replace(hosts=start), started


def asked(worker, document, events=None):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    publish = (lambda event: None) if events is None else events.append
    return Request(worker, lambda: data, publish, lambda: False)


@pytest.mark.rule("S2.2", "S2.3", "S4.4")
def test_runs_share_a_session_and_start_a_process_only_for_an_attempt(tmp_path, worker):
    events = []
    with counting_session(tmp_path / "l.db") as (session, started):
        first = invoke(session, asked(worker, {"run_id": "a", "task": "t"}, events))
        second = invoke(session, asked(worker, {"run_id": "b", "task": "t"}))
        assert (first.exit_code, second.exit_code, len(started)) == (0, 0, 2)
        replayed = invoke(session, asked(worker, {"run_id": "a", "task": "t"}))
        assert (replayed.output, replayed.envelope["replayed"]) == (first.output, True)
        codes = [
            invoke(session, asked(worker, given)).envelope["error"]["code"]
            for given in (b"{", {"run_id": "c", "stranger": 1}, {"run_id": "a", "task": "other"})
        ]
        assert codes == ["input_schema_mismatch", "input_schema_mismatch", "idempotency_conflict"]
        assert len(started) == 2, "a replay, a rejection and a refusal need no process"
        assert [each.run_id for each in session.ledger.runs()] == ["b", "a"]
    kinds = [type(event) for event in events if isinstance(event, AttemptStarted | Logged | AttemptEnded)]
    assert kinds == [AttemptStarted, Logged, AttemptEnded]


@pytest.mark.rule("S4.9")
def test_a_ledger_that_others_hold_until_the_deadline_is_worth_another_call(cli, contract, given, program):
    """Not a constant decides how long is waited, and the same call goes through once they let go."""
    call = ["run", contract(), given(), *program("reply({'status': 'ok', 'result': {}})")]
    assert cli(*call).code == 0
    lock = os.open(f"{cli.ledger}.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    late = cli("run", "--timeout", "0.5", "--envelope", *call[1:])
    assert (late.code, late.document["status"]) == (5, "retryable_error"), late.err
    assert late.document["error"]["code"] == "ledger_busy"
    assert late.document["error"]["retryable"] is True
    assert late.document["run_id"] == "r1"
    os.close(lock)
    assert cli(*call).code == 0
