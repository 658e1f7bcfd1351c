"""Kills at random over a batch: its supervisor, the loaded process, keepers, attempts, and the programs that they started."""

import json
import os
import random
import signal
import time
from collections import Counter

import pytest

from workermd.system import processes

SECONDS = float(os.environ.get("WORKERMD_BATCH_STORM", "12"))
MOST = 3


@pytest.mark.rule("S3.1", "S4.3", "S4.4", "S4.5")
def test_a_batch_that_is_killed_again_and_again_answers_every_line_once(cli, contract, program, evidence, tmp_path):
    seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
    chance = random.Random(seed)
    spec = contract(constraints={"max_attempts": MOST, "timeout_seconds": 60})
    command = program("evidence(task['run_id']); time.sleep(0.02); reply({'result': {'by': os.urandom(8).hex()}})")
    names = [f"r{n:03}" for n in range(40)]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"run_id": name}) + "\n" for name in names))
    arguments = ["batch", spec, path.name, "-q", "--jobs", 4, *command]
    given: dict[str, bytes] = {}
    kills, until = Counter[str](), time.monotonic() + SECONDS
    while time.monotonic() < until:
        process = cli.start(*arguments)
        for _ in range(chance.randrange(4)):
            time.sleep(chance.uniform(0.05, 0.6))
            if below := processes.descendants(process.pid):
                processes.send(chance.choice(below), signal.SIGKILL)
                kills["below"] += 1
        if not kills or chance.random() < 0.7:
            time.sleep(chance.uniform(0.05, 0.5))
            process.kill()
            kills["supervisor"] += 1
        remember(given, process.communicate()[0], seed)
    done = cli(*arguments)
    remember(given, done.out, seed)
    again = cli(*arguments)
    assert again.out == done.out, f"seed {seed}: a second call changes nothing"
    assert sorted(given) == names, f"seed {seed}: every line has its answer"
    starts = Counter(evidence())
    assert max(starts.values()) <= MOST, f"seed {seed}: {starts.most_common(3)}"
    assert kills, "nothing was killed"


def remember(given: dict[str, bytes], out: bytes, seed: int) -> None:
    """Whole lines that were printed. An answer that was settled is the same in every call."""
    for line in out.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            continue
        name = json.loads(line)["run_id"]
        status = json.loads(line)["status"]
        if status != "retryable_error":  # not settled: the next call goes on
            assert given.setdefault(name, line) == line, f"seed {seed}: the answer of {name} changed"
