"""Claims and look-ups in a large ledger beside a small one, in turns, so that a loaded minute burdens both alike.

    python -m tests.benchmarks.growth [--runs 10000000] [--small 10000] [--rounds 400] [--folder DIR]

Both ledgers are made row by row (`large_ledger.py`), the large one in minutes to hours; it is kept in --folder and used again.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.large_ledger import WORKERS, fill, run_id_of
from workermd.ledger import results
from workermd.ledger.records import Answer, Key, RunChoice
from workermd.ledger.sqlite.store import Ledger


class Deed(NamedTuple):
    name: str
    do: Callable[[Ledger, random.Random, int, int], None]


def look(ledger: Ledger, chance: random.Random, runs: int, _: int) -> None:
    n = chance.randrange(1, runs + 1)
    assert ledger.look(WORKERS[n % len(WORKERS)], run_id_of(n)) is not None


def open_and_look(ledger: Ledger, chance: random.Random, runs: int, number: int) -> None:
    """As every command does that answers from the ledger: nothing of the file is known yet."""
    with Ledger.open(ledger.path) as fresh:
        look(fresh, chance, runs, number)


def list_page(ledger: Ledger, chance: random.Random, _: int, __: int) -> None:
    assert len(ledger.runs(RunChoice(), limit=50)) == 50


def list_rare(ledger: Ledger, chance: random.Random, _: int, __: int) -> None:
    ledger.runs(RunChoice(status="running"), limit=50)


def show_by_id(ledger: Ledger, chance: random.Random, runs: int, _: int) -> None:
    assert ledger.find(run_id_of(chance.randrange(1, runs + 1)))


def claim_and_settle(ledger: Ledger, _: random.Random, __: int, ___: int) -> None:
    key = Key("bench", results.new_token(), bytes(32), b"{}", bytes(32), 1, 2)
    with ledger.transaction(time.monotonic() + 60) as t1:
        run = t1.start_attempt(t1.admit(key), results.new_token(), "bench")
    with ledger.transaction(time.monotonic() + 60) as t2:
        t2.close_attempt(run, "ok", {}, Answer("ok", b"{}", b"{}"))


DEEDS = (
    Deed("look-up by key, any of all, in an open ledger", look),
    Deed("open, look-up by key, close", open_and_look),
    Deed("show by run id", show_by_id),
    Deed("first page of the list", list_page),
    Deed("list --status running", list_rare),
    Deed("claim and settle, two commits", claim_and_settle),
)


class Sample(NamedTuple):
    wall: float
    cpu: float


def measured(ledgers: list[tuple[Ledger, int]], deed: Deed, rounds: int) -> list[list[Sample]]:
    """Samples in seconds by ledger; each round begins with another one."""
    samples: list[list[Sample]] = [[] for _ in ledgers]
    chance = random.Random(7)
    for turn in range(rounds):
        for at in [(turn + step) % len(ledgers) for step in range(len(ledgers))]:
            ledger, runs = ledgers[at]
            began, used = time.perf_counter(), time.process_time()
            deed.do(ledger, chance, runs, turn)
            samples[at].append(Sample(time.perf_counter() - began, time.process_time() - used))
    return [each[rounds // 10 :] for each in samples]  # what is read first warms the cache


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "workermd-growth")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    ledgers = []
    for runs in (options.small, options.runs):
        path = options.folder / f"{runs}.db"
        if not path.exists():
            fill(path, runs)
        ledgers.append((Ledger.open(str(path)), runs))
    print(
        f"| what | {options.small:,} runs, ms | {options.runs:,} runs, ms | ratio | by CPU |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for deed in DEEDS:
        small, large = measured(ledgers, deed, options.rounds)
        walls = [statistics.median(each.wall for each in samples) * 1000 for samples in (small, large)]
        cpu = [statistics.median(each.cpu for each in samples) * 1000 for samples in (small, large)]
        print(f"| {deed.name} | {walls[0]:.3f} | {walls[1]:.3f} | {walls[1] / walls[0]:.2f} | {cpu[1] / cpu[0]:.2f} |")
    for ledger, _ in ledgers:
        ledger.close()


if __name__ == "__main__":
    main()
