"""kill -9 at every named point: nothing acknowledged is lost, nothing finished is repeated."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, POINTS, PROGRAM, WORKER, call, violations
from workermd.ledger.sqlite.store import Ledger

pytestmark = pytest.mark.rule("S4.3")

# What is on the disk after a kill at the point: the run's state, whether there is a result file, a .tmp.
LEFT = {
    "t1_open": (None, False, False),
    "t1_committed": ("running", False, False),
    "result_half": ("running", False, True),
    "result_written": ("running", False, True),
    "result_renamed": ("running", True, False),
    "t2_open": ("running", True, False),
    "t2_committed": ("settled", True, False),
    "result_removed": ("settled", False, False),
}
# How often the task starts in all: a second time only where no result was left.
STARTS = {"t1_open": 1, "t1_committed": 1, "result_half": 2, "result_written": 2}
ATTEMPTS = {"t1_committed": 2, "result_half": 2, "result_written": 2}


def start(path: str, replies: str, point: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "WORKERMD_CRASH_AT": point}
    return subprocess.run(
        [*PROGRAM, "call", path, replies],
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )


@pytest.mark.parametrize("point", POINTS)
def test_state_left_and_next_call(path: str, point: str) -> None:
    killed = start(path, "ok", point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state, has_file, has_unfinished = LEFT[point]
    ledger = Ledger.open_read_only(path)
    assert ledger is not None
    with ledger:
        run = ledger.look(WORKER, "r")
    assert (run and run.state) == ("done" if state == "settled" else state)
    names = {name for name in os.listdir(path + ".results") if not name.startswith(".")}
    assert any("." not in name for name in names) == has_file
    assert any(name.endswith(".tmp") for name in names) == has_unfinished

    after = start(path, "ok")
    assert after.returncode == 0, after.stderr
    attempts = ATTEMPTS.get(point, 1)
    assert after.stdout == f"ok of attempt {attempts}\n"
    assert start(path, "ok").stdout == after.stdout
    assert violations(path, path + ".evidence", [after.stdout.strip().encode()]) == []
    evidence = Path(path + ".evidence").read_text().splitlines()
    assert sum(line.startswith("start") for line in evidence) == STARTS.get(point, 1)


@pytest.mark.rule("S3.2")
def test_retryable_reply_is_adopted_as_transient(path: str) -> None:
    assert start(path, "retry,ok", "result_renamed").returncode == -signal.SIGKILL
    assert start(path, "retry,ok").stdout == "ok of attempt 2\n"
    assert violations(path, path + ".evidence", []) == []


@pytest.mark.rule("S3.2", "S4.7")
def test_crashes_use_attempts_up(path: str) -> None:
    for _ in range(3):
        assert start(path, "ok", "result_half").returncode == -signal.SIGKILL
    run = call(path, "ok")
    assert (run.state, run.status, run.attempts) == ("done", "needs_human", 3)
    assert violations(path, path + ".evidence", []) == []


@pytest.mark.parametrize("every", ["one", pytest.param("all", marks=pytest.mark.deep)])
def test_every_pair_of_points(tmp_path: Path, every: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "pairs", str(tmp_path), every],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=patience(100),
        check=True,
    )
    assert json.loads(done.stdout) == {}
