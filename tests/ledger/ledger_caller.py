"""A caller of the ledger as small as one can be: the order of T1, attempt, T2 without processes or backends.

Imported by the tests, and run as a program where a test needs a process of its own:

    ledger_caller.py call PATH REPLIES      one invocation of run "r"; prints the stored output
    ledger_caller.py pairs FOLDER           every ordered pair of crash points; prints what went wrong, as JSON
    ledger_caller.py faults FOLDER          every fault of the preloaded write_faults.c; prints what went wrong, as JSON
    ledger_caller.py hold PATH              takes the write lock, says "holding", ends when stdin closes
    ledger_caller.py begin PATH             the same with SQLite's own lock only, as a foreign program
    ledger_caller.py hammer PATH NAME UNTIL as many runs as fit until UNTIL (monotonic); prints how many
"""

import ctypes
import errno
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import product

import workermd
from workermd.contract.json.strict import HASH_VERSION
from workermd.ledger import results
from workermd.ledger.records import Answer, Key, NewQuestion, Run
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.sqlite.transaction import Transaction
from workermd.protocol.errors import LedgerUnavailable
from workermd.system import crash

WORKER = "example"
INPUT = b'{"run_id":"r"}'
CONTRACT = sha256(b"contract").digest()
POINTS = (
    "t1_open",
    "t1_committed",
    "result_half",
    "result_written",
    "result_renamed",
    "t2_open",
    "t2_committed",
    "result_removed",
)

PROGRAM = (sys.executable, __file__)
"""Put the deed and its arguments behind it; run it with ENVIRONMENT."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(workermd.__file__)))}


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def key(run_id: str = "r", max_attempts: int = 3, document: bytes = INPUT, worker_id: str = WORKER) -> Key:
    return Key(worker_id, run_id, sha256(document).digest(), document, CONTRACT, max_attempts, HASH_VERSION)


def answer(status: str = "ok", text: str = "{}") -> Answer:
    return Answer(status, text.encode(), json.dumps({"status": status}).encode())


def close(transaction: Transaction, run: Run, reply: bytes | None) -> Run:
    """The one function that closes an attempt, fresh or adopted."""
    last = run.attempts == run.max_attempts
    if reply is None:
        return transaction.close_attempt(run, "crashed", {}, answer("needs_human") if last else None)
    if reply.startswith(b"retry"):
        return transaction.close_attempt(run, "retryable_error", {}, answer("retryable_error") if last else None)
    if reply.startswith(b"ask"):
        asking = NewQuestion((run.open_token or "")[:12], "question", "which?", (), None, answer("invalid_output"))
        return transaction.close_attempt(run, "needs_human", {}, Answer("needs_human", reply, b"{}"), asking)
    return transaction.close_attempt(run, "ok", {"bytes": len(reply)}, Answer("ok", reply, b"{}"))


OUTCOMES = {"ok": "ok", "retry": "retryable_error", "ask": "needs_human"}


def reply_of(replies: str, n: int) -> bytes:
    """`retry,ok`: what attempt n answers; the last one counts for all that follow."""
    words = replies.split(",")
    return f"{words[min(n, len(words)) - 1]} of attempt {n}".encode()


def call(path: str, replies: str = "ok", max_attempts: int = 3, evidence: str = "") -> Run:
    """One invocation: look, lock, adopt or claim, attempt, settle. Returns the run as it is left."""
    with Ledger.open(path) as ledger:
        run = ledger.look(WORKER, "r")
        if run is not None and run.state == "done":
            return run
        with RunLock.open(path) as lock:
            assert lock.acquire(run_offset(WORKER, "r"), soon())
            return _locked_call(ledger, replies, max_attempts, evidence)


def _locked_call(ledger: Ledger, replies: str, max_attempts: int, evidence: str) -> Run:
    with ledger.transaction(soon()) as t1:
        run = t1.admit(key("r", max_attempts))
        if run.state == "running":
            run = close(t1, run, results.read(ledger.results_folder, run.open_token or ""))
        if run.state == "waiting":
            run = t1.start_attempt(run, results.new_token(), "a test")
    if run.state == "running":
        note(evidence, f"start {run.attempts}")
        token = run.open_token or ""
        reply = reply_of(replies, run.attempts)
        results.write(ledger.results_folder, token, reply, soon())
        note(evidence, f"renamed {run.attempts} {reply.decode()}")
        with ledger.transaction(soon()) as t2:
            run = close(t2, run, results.read(ledger.results_folder, token))
        results.remove(ledger.results_folder, token)
    return run


def note(evidence: str, line: str) -> None:
    if evidence:
        descriptor = os.open(evidence, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, (line + "\n").encode())
        os.close(descriptor)


def dump(ledger: Ledger) -> list[object]:
    """All that is in a ledger, to be compared."""
    connection = ledger._connection
    if isinstance(connection, sqlite3.Connection):
        return list(connection.iterdump())
    tables = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'workermd'")
    rows = {}
    for (name,) in sorted(tables.fetchall()):
        rows[name] = sorted(map(str, connection.execute(f"SELECT * FROM {name}").fetchall()))
    return [rows]


def damage(path: str) -> list[str]:
    """What SQLite itself finds wrong with a ledger."""
    connection = sqlite3.connect(path)
    try:
        whole = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return [text for text in whole if text != "ok"] + [
            str(row) for row in connection.execute("PRAGMA foreign_key_check")
        ]
    finally:
        connection.close()


def violations(path: str, evidence: str, printed: list[bytes]) -> list[str]:
    """The oracle over a run that has come to its end (section 8 of the design): what is wrong with it."""
    wrong = damage(path)
    ledger = Ledger.open_read_only(path)
    assert ledger is not None
    with ledger:
        run = ledger.look(WORKER, "r")
        attempts = ledger.attempts(run.id) if run else ()
        asked = [each.n for each in ledger.questions(run.id)] if run else []
    if run is None or run.state != "done":
        return [*wrong, f"not settled: {run}"]
    lines = _lines(evidence)
    starts = [int(line.split()[1]) for line in lines if line.startswith("start")]
    if len(starts) != len(set(starts)) or len(starts) > run.attempts or run.attempts > run.max_attempts:
        wrong.append(f"starts {starts}, attempts {run.attempts}")
    outcomes = {attempt.n: attempt.outcome for attempt in attempts}
    if None in outcomes.values() or len(outcomes) != run.attempts:
        wrong.append(f"attempts {outcomes}")
    for line in lines:
        word, n, *rest = line.split()
        if word == "renamed" and outcomes[int(n)] != OUTCOMES[rest[0]]:
            wrong.append(f"a finished attempt was lost: {line}, {outcomes}")
    if run.status == "retryable_error" and run.attempts < run.max_attempts:
        wrong.append("retryable_error stored with attempts left")
    if asked != [n for n, outcome in outcomes.items() if outcome == "needs_human"]:
        wrong.append(f"requests of attempts {asked}, outcomes {outcomes}")
    if run.status == "needs_human" and outcomes[run.attempts] not in ("crashed", "needs_human"):
        wrong.append(f"needs_human after {outcomes}")
    if any(text != run.output for text in printed):
        wrong.append(f"printed {printed}, stored {run.output!r}")
    return wrong


def _lines(evidence: str) -> list[str]:
    if not os.path.exists(evidence):
        return []
    with open(evidence) as file:
        return file.read().splitlines()


def pairs(folder: str, every: str) -> dict[str, list[str]]:
    """Kill a first call at one point and a second one at another; then call until there is an answer.

    `every`: all replies of a pair, or one; then the replies take turns over the pairs.
    """
    found: dict[str, list[str]] = {}
    kinds = ("ok", "retry,ok", "ask")
    for (at, first), (then, second), (turn, replies) in product(enumerate(POINTS), enumerate(POINTS), enumerate(kinds)):
        if every == "one" and (at + then) % len(kinds) != turn:
            continue
        name = f"{replies} {first} {second}"
        path = os.path.join(folder, name.replace(" ", "-"), "ledger.db")
        wrong = _one_pair(path, replies, first, second)
        if wrong:
            found[name] = wrong
    return found


def _one_pair(path: str, replies: str, first: str, second: str) -> list[str]:
    evidence = path + ".evidence"
    for point in (first, second):
        child = os.fork()
        if child == 0:
            crash._at[:] = [point]
            call(path, replies, evidence=evidence)
            os._exit(0)
        os.waitpid(child, 0)
    for _ in range(4):
        run = call(path, replies, evidence=evidence)
        if run.state == "done":
            break
    return violations(path, evidence, [call(path, replies, evidence=evidence).output or b""])


FAULTS = ("write", "pwrite", "fsync", "fdatasync", "rename", "ftruncate", "unlink")


def faults(folder: str, every: str) -> dict[str, list[str]]:
    """Let the n-th call of each kind fail in a fresh invocation, for every n that occurs; then call again.

    `every`: each reply after each error, or one.
    """
    arm = ctypes.CDLL(None).arm_fault
    found: dict[str, list[str]] = {}
    after = list(product((errno.EIO, errno.ENOSPC), ("ok", "ask")))
    if every == "one":
        after = [(errno.EIO, "ok"), (errno.ENOSPC, "ask")]
    for (number, name), (error, replies) in product(enumerate(FAULTS), after):
        for nth in range(1, 60):
            path = os.path.join(folder, f"{name}-{error}-{nth}-{replies}", "ledger.db")
            fired, wrong = _one_fault(path, lambda: arm(number, nth, error), replies)  # noqa: B023 - called at once
            found[f"{name} {errno.errorcode[error]} {nth} {replies}"] = wrong
            if not fired:
                break
    return found


def _one_fault(path: str, arm: Callable[[], None], replies: str) -> tuple[bool, list[str]]:
    """Whether the fault came to pass, and what was wrong afterwards."""
    evidence = path + ".evidence"
    acknowledged = path + ".acknowledged"
    Ledger.open(path).close()
    child = os.fork()
    if child == 0:
        os._exit(_faulty_call(path, evidence, acknowledged, arm, replies))
    _, status = os.waitpid(child, 0)
    exit_code = os.waitstatus_to_exitcode(status)
    wrong = [] if exit_code in {0, 3, 4} else [f"the call ended with {exit_code}"]
    for _ in range(4):
        run = call(path, replies, evidence=evidence)
        if run.state == "done":
            break
    printed = [line.encode() for line in _lines(acknowledged)]
    return exit_code != 4, wrong + violations(path, evidence, [*printed, call(path).output or b""])


def _faulty_call(path: str, evidence: str, acknowledged: str, arm: Callable[[], None], replies: str) -> int:
    """0: answered in spite of the fault. 3: refused cleanly. 4: the fault never came. Anything else is wrong."""
    arm()
    try:
        run = call(path, replies, evidence=evidence)
    except (LedgerUnavailable, OSError):
        return 3
    finally:
        fired = ctypes.CDLL(None).disarm_fault()
    note(acknowledged, (run.output or b"").decode())
    return 0 if fired else 4


def hold(path: str) -> None:
    with Ledger.open(path) as ledger, ledger.transaction(soon()):
        print("holding", flush=True)
        sys.stdin.read()


def begin(path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("holding", flush=True)
    sys.stdin.read()
    connection.execute("ROLLBACK")


def hammer(path: str, name: str, until: float) -> int:
    done = 0
    with Ledger.open(path, give_up_at=soon()) as ledger:
        while time.monotonic() < until:
            with ledger.transaction(soon()) as t1:
                run = t1.start_attempt(t1.admit(key(f"{name}-{done}")), results.new_token(), name)
            with ledger.transaction(soon()) as t2:
                t2.close_attempt(run, "ok", {}, answer())
            done += 1
    return done


def main(deed: str, *rest: str) -> None:
    if deed == "call":
        run = call(rest[0], rest[1], evidence=rest[0] + ".evidence")
        print((run.output or b"").decode(), flush=True)
    elif deed == "pairs":
        print(json.dumps(pairs(*rest)))
    elif deed == "faults":
        print(json.dumps(faults(*rest)))
    elif deed == "hammer":
        print(hammer(rest[0], rest[1], float(rest[2])))
    else:
        {"hold": hold, "begin": begin}[deed](rest[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
