"""The task of the storm: it leaves evidence outside the ledger, then answers as the input plans it.

    python -S task.py EVIDENCE_FOLDER < task.json

`context` of the input: `replies`, the status of each attempt (the last one stands for all further ones);
`seconds`, how long each attempt takes (the last one stands for all further ones).

Every line of evidence is appended and synced before the next step. A lock that only this process holds tells
whether two attempts of one run were alive at the same time; the kernel frees it at the death, not a line of code.
"""

import fcntl
import json
import os
import sys
import time


def note(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    os.write(descriptor, f"{line}\n".encode())
    os.fsync(descriptor)
    os.close(descriptor)


def planned(values: list, n: int):
    return values[min(n, len(values)) - 1]


def main() -> None:
    task = json.load(sys.stdin)
    n = task["attempt"]
    plan = task["input"]["context"]
    path = os.path.join(sys.argv[1], task["run_id"])
    alone = os.open(f"{path}.alone", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(path, f"overlap {n} {os.getpid()} {os.getppid()}")
    note(path, f"start {n} {os.getpid()} {os.getppid()}")
    time.sleep(planned(plan["seconds"], n))
    note(path, f"end {n} {os.getpid()} {os.getppid()}")
    # The keys are in no order, and the nonce in no other answer: a second execution or another writing shows.
    decided = [decision["answer"] for decision in task["decisions"]]
    result = {"nonce": os.urandom(8).hex(), "attempt": n, "decisions": decided}
    print(json.dumps({"status": planned(plan["replies"], n), "result": result}), flush=True)


if __name__ == "__main__":
    main()
