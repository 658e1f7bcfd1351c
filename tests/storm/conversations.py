"""Kills at random in a team of three agents with ten tool calls: nothing is paid or called twice (S3.10).

Each agent's script looks only at how many tool answers stand in its request, so a conversation that was resumed wrongly
asks or calls again and is seen: at the server, and in the file that the tool appends to.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from workermd.system import processes
from workermd.testing import Call, Received, Server, Slow, Text, ToolCalls

CALLS = {"first": 3, "second": 3, "third": 4}
"""How many tool calls each agent makes before it speaks."""

UNDISTURBED = sum(CALLS.values()) + len(CALLS)
"""Requests that the whole conversation takes."""

CONTRACT = """---
id: storm
version: 1.0.0
---

# Purpose

Note ten lines.

## Input schema

```json
{"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "string"}}, "additionalProperties": false}
```

## Output schema

```json
{"type": "object", "required": ["run_id", "status", "result"], "additionalProperties": false,
 "properties": {"run_id": {"type": "string"}, "status": {"type": "string", "enum": ["ok", "retryable_error", "invalid_output"]},
 "result": {"type": "object", "additionalProperties": false, "properties": {"lines": {"type": "integer"}}}}}
```

## Constraints

```json
{"timeout_seconds": 60, "max_attempts": 40, "idempotency_key": "run_id",
 "status_enum": ["ok", "retryable_error", "invalid_output"]}
```
"""

TOOL = """
import os, time

def note(text: str) -> str:
    with open("notes.txt", "a") as file:
        file.write(text + "\\n")
    time.sleep(0.02)
    return f"noted {text}"
"""


def turn(received: Received) -> Slow:
    messages = received.body["messages"]
    system = json.dumps([message["content"] for message in messages if message["role"] == "system"])
    agent = next(name for name in CALLS if f"You speak {name}." in system)
    made = sum(message["role"] == "tool" for message in messages)
    if made < CALLS[agent]:
        return Slow(0.02, ToolCalls([Call("note", {"text": f"{agent}-{made}"})]))
    answer = '{"status": "ok", "result": {"lines": 10}}'
    return Slow(0.02, Text(answer if agent == "third" else f"{agent} is done"))


def storm(folder: Path, seed: int, kills: int, runs: int = 1) -> list[str]:
    """What was wrong in so many runs, each killed so often at random moments."""
    chance, wrong = random.Random(seed), []
    for number in range(runs):
        place = folder / f"conversation-{number}"
        place.mkdir(parents=True)
        with Server(turn) as server:
            wrong += [f"seed {seed}, run {number}: {line}" for line in _one(place, server, chance, kills)]
    return wrong


def _one(folder: Path, server: Server, chance: random.Random, kills: int) -> list[str]:
    _arrange(folder, server.url)
    command = [
        sys.executable,
        "-m",
        "workermd",
        "run",
        "storm.worker.md",
        "input.json",
        "--envelope",
        "--ledger",
        "ledger.db",
    ]
    done = 0
    while True:
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while done < kills and process.poll() is None:
                asked = len(server.requests)
                if not server.wait(lambda server, asked=asked: len(server.requests) > asked, 20):
                    break
                time.sleep(chance.uniform(0, 0.08))
                done += _killed(process.pid, chance)
            out, err = process.communicate(timeout=120)
        if process.returncode != -signal.SIGKILL:
            break
    return list(_violations(folder, server, done, json.loads(out or b"{}"), err.decode(errors="replace")))


def _killed(caller: int, chance: random.Random) -> bool:
    """Kill the attempt's process, its keeper, or the caller. A caller's death alone ends no attempt."""
    keepers = processes.children(caller)
    hosts = [host for keeper in keepers for host in processes.children(keeper)]
    if not hosts:
        return False
    for pid in chance.choice(((*hosts,), (*keepers, *hosts), (caller, *keepers, *hosts))):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
    return True


def _violations(folder: Path, server: Server, kills: int, envelope: dict, err: str):
    if envelope.get("status") != "ok":
        yield f"the run came to {envelope.get('status')} after {kills} kills: {err[-300:]}"
        return
    asked = len(server.requests)
    if asked > UNDISTURBED + kills:
        yield f"{asked} requests, undisturbed {UNDISTURBED}, {kills} kills"
    notes = Counter((folder / "notes.txt").read_text().split())
    yield from (f"{note} was called {times} times" for note, times in notes.items() if times > 1)
    # A request is counted before it leaves: a kill may come between the two.
    if not 0 <= (beside := envelope["usage"]["turns"] - asked) <= kills:
        yield f"the envelope counts {beside:+} requests beside those that the server saw"


def _arrange(folder: Path, url: str) -> None:
    (folder / "storm.worker.md").write_text(CONTRACT)
    (folder / "notes_tool.py").write_text(TOOL)
    (folder / "input.json").write_text('{"run_id": "storm"}')
    agents = ", ".join(f'{{ name = "{name}", instructions = "You speak {name}." }}' for name in CALLS)
    (folder / "workermd.toml").write_text(
        f'[models.m]\nmodel = "m"\nbase_url = "{url}"\n[tools.note]\nfunction = "notes_tool:note"\n'
        f'[workers.storm]\nbackend = "team"\npattern = "round-robin"\nmodel = "m"\ntools = ["note"]\n'
        f'answer = "third"\nrounds = 1\nagents = [{agents}]\n'
    )
