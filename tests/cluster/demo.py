"""`make cluster-demo`: two nodes, 200 runs, one node is killed half-way with all that runs on it; every run gets one answer."""

import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.machines import Machines, Verdict, database_of, shorten_leases, wait_until_done
from tests.postgres_server import WHY_NOT, Server, binaries

RUNS = 200


def main(runs: int = RUNS) -> int:
    if not binaries():
        print(WHY_NOT)
        return 2
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {words}", flush=True)

    server = Server(durable=True)
    with tempfile.TemporaryDirectory(prefix="wmd-demo-") as folder:
        try:
            server.start()
            address = server.fresh()
            shorten_leases(server, address, 6, 3, 1)
            machines = Machines(Path(folder), address)
            say(f"a PostgreSQL runs from {binaries()}")
            try:
                machines.start("first")
                machines.start("second")
                submit_all(machines, runs)
                say(f"{runs} runs are handed over")
                wait_for_half(server, address, runs)
                machines.kill("second", machine=True)
                say("half are settled; the second node is killed, with all that runs on it")
                done = wait_until_done(server, address, 240)
                say("all are settled" if done else "not all are settled")
            finally:
                machines.close()
            verdict = Verdict(server, machines, runs)
        finally:
            server.close()
    print(verdict.table(), end="")
    faults = verdict.faults(repeats=True)  # the killed machine never comes back
    print("every run has one answer" if not faults else f"wrong: {faults}")
    return bool(faults)


def submit_all(machines: Machines, runs: int, seconds: float = 0.2, *words: str) -> None:
    lines = "".join(f'{{"run_id": "r{n}", "seconds": {seconds}}}\n' for n in range(runs))
    (machines.folder / "in.jsonl").write_text(lines)
    done = machines.call("batch", "count.worker.md", "in.jsonl", "--cluster", "--detach", *words)
    if done.returncode:
        raise SystemExit(done.stderr.decode())


def wait_for_half(server: Server, address: str, runs: int) -> None:
    until = time.monotonic() + 240
    while time.monotonic() < until:
        ((settled,),) = server.execute("SELECT count(*) FROM workermd.runs WHERE state = 'done'", database_of(address))
        if settled >= runs // 2:  # type: ignore[operator]
            return
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
