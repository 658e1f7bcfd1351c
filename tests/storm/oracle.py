"""What must hold for every run when all is over, however it was killed. It reads the ledger with bare SQL."""

import json
import sqlite3
from contextlib import closing
from typing import Any

from tests.storm.task import planned
from tests.storm.trial import WORKER, Evidence, Trial

_ASKED = """
SELECT q.run, q.n, d.answer, d.reopening FROM requests q LEFT JOIN decisions d ON d.run = q.run AND d.n = q.n
ORDER BY q.run, q.n
"""
_GRANTED = "SELECT granted FROM reopenings WHERE run = ? ORDER BY n"

UNKNOWN = ("crashed", "cancelled")
"""Outcomes of attempts that left no answer."""


def violations(trial: Trial, *, replay: bool = True) -> list[str]:
    """All that is wrong, one line each; empty when the promises were kept. `replay` makes one last call per run."""
    trial.look_at_results()
    if not trial.ledger.exists():
        return ["there is no ledger"]
    with closing(sqlite3.connect(f"file:{trial.ledger}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = _of_the_file(connection)
        runs = connection.execute("SELECT * FROM runs ORDER BY id").fetchall()
        attempts: dict[int, list[sqlite3.Row]] = {run["id"]: [] for run in runs}
        for attempt in connection.execute("SELECT * FROM attempts ORDER BY run, n"):
            attempts[attempt["run"]].append(attempt)
        asked = {(row["run"], row["n"]): row for row in connection.execute(_ASKED)}
        granted = {run["id"]: [row["granted"] for row in connection.execute(_GRANTED, (run["id"],))] for run in runs}
    known = {run["run_id"] for run in runs}
    tokens = {attempt["token"] for each in attempts.values() for attempt in each}
    seen = {path.name for path in trial.evidence_folder.iterdir() if not path.name.endswith(".alone")}
    found += [f"{run_id}: its task started, and the ledger knows no run" for run_id in sorted(seen - known)]
    found += [
        f"{run_id}: acknowledged, and the ledger knows no run" for run_id in sorted(set(trial.acknowledged) - known)
    ]
    found += [f"a result {token} of an attempt that was never claimed" for token in sorted(trial.renamed - tokens)]
    for run in runs:
        found += [f"{run['run_id']}: {each}" for each in _of_a_run(trial, run, attempts[run["id"]])]
        of_it = [row for (row_id, _), row in asked.items() if row_id == run["id"]]
        found += [
            f"{run['run_id']}: {each}"
            for each in _of_people(trial, run, attempts[run["id"]], of_it, granted[run["id"]])
        ]
        if replay and run["state"] == "done":
            found += [f"{run['run_id']}: {each}" for each in _of_the_replay(trial, run)]
    return found


def _of_the_file(connection: sqlite3.Connection) -> list[str]:
    integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
    twice = connection.execute("SELECT run_id FROM runs GROUP BY worker_id, run_id HAVING count(*) > 1").fetchall()
    return (
        [f"integrity_check: {line}" for line in integrity if line != "ok"]
        + [f"foreign_key_check: {tuple(row)}" for row in foreign]
        + [f"{row[0]}: two rows" for row in twice]
    )


def _of_a_run(trial: Trial, run: sqlite3.Row, attempts: list[sqlite3.Row]) -> list[str]:
    lines = trial.evidence(run["run_id"])
    plan = json.loads(run["input"])["context"]
    return [
        *_of_the_bounds(run, attempts, lines),
        *_of_the_order(lines),
        *_of_the_outcomes(trial, attempts, lines, plan),
        *_of_the_answer(trial, run, attempts),
    ]


def _of_the_bounds(run: sqlite3.Row, attempts: list[sqlite3.Row], lines: list[Evidence]) -> list[str]:
    found = []
    starts = [line.n for line in lines if line.word == "start"]
    if run["state"] != "done":
        found.append(f"not settled but {run['state']}")
    if [attempt["n"] for attempt in attempts] != list(range(1, run["attempts"] + 1)):
        found.append("the attempts do not count up to what the run says")
    if run["attempts"] > run["max_attempts"]:
        found.append("more attempts than allowed")
    if len(set(starts)) != len(starts):
        found.append(f"an attempt was started twice: {starts}")
    if not set(starts) <= {attempt["n"] for attempt in attempts}:
        found.append(f"started, but never claimed: {starts}")
    found += [f"attempt {attempt['n']} is still open" for attempt in attempts if attempt["outcome"] is None]
    return found


def _of_the_order(lines: list[Evidence]) -> list[str]:
    found = [f"attempt {line.n} began while another one lived" for line in lines if line.word == "overlap"]
    starts = [line.n for line in lines if line.word == "start"]
    if starts != sorted(starts):
        found.append(f"attempts began out of order: {starts}")
    return found


def _of_the_outcomes(
    trial: Trial, attempts: list[sqlite3.Row], lines: list[Evidence], plan: dict[str, Any]
) -> list[str]:
    found = []
    ended = {line.n for line in lines if line.word == "end"}
    for attempt in attempts:
        n, outcome = attempt["n"], attempt["outcome"]
        reply = planned(plan["replies"], n)
        if attempt["token"] in trial.renamed and outcome != reply:
            found.append(f"attempt {n} had finished with {reply}, and is closed as {outcome}")
        if outcome == reply and n not in ended:
            found.append(f"attempt {n} is closed as {outcome}, and its task never ended")
        if outcome is not None and outcome not in (reply, *UNKNOWN, "timeout"):
            found.append(f"attempt {n} is closed as {outcome}, which nobody said")
        if outcome == "ok" and n != attempts[-1]["n"]:
            found.append(f"there were further attempts after the final answer of attempt {n}")
    return found


def _of_the_answer(trial: Trial, run: sqlite3.Row, attempts: list[sqlite3.Row]) -> list[str]:
    found = []
    acknowledged = trial.acknowledged.get(run["run_id"], set())
    if acknowledged - {run["output"]}:
        found.append(f"{len(acknowledged)} acknowledged answers, and not all of them are the stored bytes")
    if run["state"] != "done":
        return found
    last = attempts[-1]["outcome"]
    document = json.loads(run["output"])
    if document["status"] != run["status"]:
        found.append("the stored output bears another status than its row")
    if run["status"] == "needs_human" and last not in (*UNKNOWN, "needs_human"):
        found.append(f"needs_human, and the last attempt ended with {last}")
    if run["status"] == "retryable_error" and run["attempts"] < run["max_attempts"]:
        found.append("retryable_error is stored with attempts left")
    if run["status"] == "ok" and (last != "ok" or document["result"].get("attempt") != run["attempts"]):
        found.append(f"ok, and the last attempt ended with {last}")
    if run["status"] != "ok" and last == "ok":
        found.append(f"{run['status']}, and the last attempt ended with ok")
    envelope = json.loads(run["envelope"])
    if [each["outcome"] for each in envelope["attempts"]] != [attempt["outcome"] for attempt in attempts]:
        found.append("the envelope tells of other attempts than the ledger")
    return found


def _of_people(
    trial: Trial, run: sqlite3.Row, attempts: list[sqlite3.Row], asked: list[sqlite3.Row], granted: list[int]
) -> list[str]:
    """Every attempt that asked left its request, and every decision its one start (S9.1, S9.2)."""
    found = []
    asking = [attempt["n"] for attempt in attempts if attempt["outcome"] == "needs_human"]
    if [row["n"] for row in asked] != asking:
        found.append(f"attempts {asking} asked a person, and the requests are of {[row['n'] for row in asked]}")
    starts = [row["reopening"] for row in asked if row["reopening"] is not None]
    if len(set(starts)) != len(starts) or any(granted[n - 1] != 1 for n in starts if n <= len(granted)):
        found.append(f"the decisions grant {starts} of the starts {granted}")
    if run["max_attempts"] != trial.max_attempts + sum(granted):
        found.append(f"{trial.max_attempts} attempts and {granted} more make {run['max_attempts']}")
    decided = [row["answer"] for row in asked if row["answer"] is not None]
    if run["status"] == "ok" and (told := json.loads(run["output"])["result"]["decisions"]) != decided:
        found.append(f"people decided {decided}, and the last attempt was told {told}")
    if run["status"] == "invalid_output" and not any(row["answer"] == "deny" for row in asked):
        found.append("denied, and nobody denied it")
    return found


def _of_the_replay(trial: Trial, run: sqlite3.Row) -> list[str]:
    """The same call again: the stored bytes, and nothing is started."""
    given = json.loads(run["input"])
    plan = given["context"]
    before = trial.evidence(run["run_id"])
    done = trial.call(run["run_id"], plan["replies"], seconds=tuple(plan["seconds"]), task=given["task"])
    found = []
    if done.out != run["output"]:
        found.append(f"the last call is no replay (exit {done.code})")
    if "replayed" not in done.err:
        found.append("the last call does not say that it is a replay")
    if trial.evidence(run["run_id"]) != before:
        found.append("the last call started the task")
    return found


__all__ = ["UNKNOWN", "WORKER", "violations"]
