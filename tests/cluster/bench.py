"""`make bench-cluster`: runs a second of 1, 2 and 4 nodes on this machine, how fast runs are handed over, and how soon a killed node's runs go on.

python -m tests.cluster.bench [RUNS] [ENGINE …]
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.demo import submit_all
from tests.cluster.machines import Machines, shorten_leases, wait_until_done
from tests.postgres_server import WHY_NOT, Server, binaries

LEASE, GRACE, MARGIN = 8.0, 2.0, 1.0


def measured(server: Server, engine: str, nodes: int, runs: int) -> tuple[float, float]:
    """Runs handed over a second (one command, its start included), and carried out a second by nodes that are up."""
    with tempfile.TemporaryDirectory(prefix="wmd-bench-") as folder:
        address = server.fresh()
        machines = Machines(Path(folder), address, jobs=2)
        try:
            for number in range(nodes):
                machines.start(f"n{number}", "--engine", engine)
            submit_all(machines, nodes, 0.0, "--engine", engine)
            assert wait_until_done(server, address, 120)
            (Path(folder) / "evidence").write_text("")
            began = time.monotonic()
            submit_all(machines, runs, 0.0, "--engine", engine)
            submitted = time.monotonic() - began
            assert wait_until_done(server, address, 600)
            lasted = time.monotonic() - began
        finally:
            machines.close()
        return runs / submitted, runs / lasted


def recovered(server: Server) -> float:
    """Seconds from the kill of a machine to the next start of what it was doing, with the shortened lease."""
    with tempfile.TemporaryDirectory(prefix="wmd-bench-") as folder:
        address = server.fresh()
        shorten_leases(server, address, LEASE, GRACE, MARGIN)
        machines = Machines(Path(folder), address, jobs=1)
        try:
            machines.start("one")
            submit_all(machines, 1, 3.0)
            while "start r0 1" not in machines.evidence.read_text():
                time.sleep(0.02)
            machines.start("two")
            machines.kill("one", machine=True)
            began = time.monotonic()
            while "start r0 2" not in machines.evidence.read_text():
                time.sleep(0.02)
            return time.monotonic() - began
        finally:
            machines.close()


def main(runs: int = 200, *engines: str) -> int:
    if not binaries():
        print(WHY_NOT)
        return 2
    server = Server(durable=True)
    try:
        server.start()
        print(f"{'engine':<10}{'nodes':>6}{'handed over/s':>15}{'carried out/s':>15}")
        for engine in engines or ("ledger", "dbos"):
            for nodes in (1, 2, 4):
                submitted, carried = measured(server, engine, nodes, runs)
                print(f"{engine:<10}{nodes:>6}{submitted:>15.1f}{carried:>15.1f}", flush=True)
        print(
            f"a machine is killed: the next attempt begins after {recovered(server):.1f} s (lease {LEASE:g} s, grace {GRACE:g} s)"
        )
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) if word.isdigit() else word for word in sys.argv[1:])))  # type: ignore[arg-type]
