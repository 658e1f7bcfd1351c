"""Nodes, machines and the database are killed, stopped and restarted while runs are carried out; every promise has to hold.

make storm-cluster        seeds one after the other; SECONDS_LONG for each, SEED to begin elsewhere
"""

import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.cluster.demo import submit_all
from tests.cluster.machines import Machines, Verdict, shorten_leases, wait_until_done
from tests.postgres_server import WHY_NOT, Server, binaries

LEASE, GRACE, MARGIN = 12.0, 4.0, 1.0
NODES = ("first", "second", "third")


class Storm:
    """One seed. `away`: machines may also be away, or stopped, for longer than their lease."""

    def __init__(self, server: Server, machines: Machines, seed: int, *, away: bool = False) -> None:
        self.server = server
        self.machines = machines
        self.random = random.Random(seed)
        self.away = away
        self.done: Counter[str] = Counter()

    def blow(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.random.uniform(0.4, 1.2))
            deeds = [self.kill_node] * 4 + [self.kill_machine] * 3 + [self.stop_database] * 2 + [self.freeze_node] * 2
            self.random.choice(deeds)()

    def kill_node(self) -> None:
        """What it has begun lives on, and is adopted."""
        self._kill(machine=False)

    def kill_machine(self) -> None:
        self._kill(machine=True)

    def _kill(self, *, machine: bool) -> None:
        name = self.random.choice(NODES)
        self.machines.kill(name, machine=machine)
        time.sleep(self.random.uniform(0.1, 1.0) + (LEASE + GRACE) * (self.away and self.random.random() < 0.2))
        self.machines.start(name)
        self.done["machine kills" if machine else "node kills"] += 1

    def stop_database(self) -> None:
        self.server.stop(signal.SIGQUIT)
        time.sleep(self.random.uniform(0.2, 1.0))
        self.server.start()
        self.done["database stops"] += 1

    def freeze_node(self) -> None:
        node = self.machines.nodes[self.random.choice(NODES)]
        node.send_signal(signal.SIGSTOP)
        time.sleep(LEASE + GRACE + 1 if self.away and self.random.random() < 0.3 else self.random.uniform(0.2, 1.5))
        node.send_signal(signal.SIGCONT)
        self.done["freezes"] += 1


def stormed(
    seed: int, seconds: float, runs: int, patience: float, *, away: bool = False
) -> tuple[Verdict, Counter[str]]:
    """Raises AssertionError where runs are not done in time."""
    server = Server(durable=True)
    with tempfile.TemporaryDirectory(prefix="wmd-storm-") as folder:
        machines = None
        try:
            server.start()
            address = server.fresh()
            shorten_leases(server, address, LEASE, GRACE, MARGIN)
            machines = Machines(Path(folder), address, jobs=3)
            for name in NODES:
                machines.start(name)
            submit_all(machines, runs, 0.3)
            storm = Storm(server, machines, seed, away=away)
            storm.blow(seconds)
            done = wait_until_done(server, address, patience)
            machines.close()
            verdict = Verdict(server, machines, runs)
            if not done:
                print("".join((Path(folder) / f"{name}.log").read_text()[-1500:] for name in NODES))
            return verdict, storm.done
        finally:
            if machines is not None:
                machines.close()
            server.close()


def main(seconds: float = 120, first: int = 1, seeds: int = 10) -> int:
    if not binaries():
        print(WHY_NOT)
        return 2
    wrong = 0
    for seed in range(first, first + seeds):
        away = seed % 3 == 0
        verdict, deeds = stormed(seed, seconds, int(seconds * 5), 300, away=away)
        faults = verdict.faults(repeats=away)
        print(
            f"seed {seed}{' (away longer than the lease)' * away}: {dict(deeds)}; {vars(verdict)}; wrong: {faults}",
            flush=True,
        )
        wrong += bool(faults)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
