"""`python -m tests.benchmarks [NAME…] [--rounds N] [--markdown]`: see docs/benchmarks.md.

Exits with 0 however slow the results are, and with 1 when something that was to be measured does not work.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import (
    agents,
    attempts,
    bookkeeping,
    deriving,
    editor,
    linting,
    processes,
    reading,
    table,
)
from tests.benchmarks.measure import BrokenError, command
from tests.benchmarks.table import Row


class Benchmark(NamedTuple):
    """`rounds` is how many samples it takes unless --rounds says otherwise."""

    measure: Callable[[Path, int], list[Row]]
    rounds: int = 15


BENCHMARKS = {
    "start-up": Benchmark(processes.start_up, 25),
    "run": Benchmark(processes.run, 25),
    "cold": Benchmark(processes.cold, 25),
    "contract": Benchmark(reading.contract),
    "check": Benchmark(reading.check),
    "deadline": Benchmark(attempts.deadline, 20),
    "ledger": Benchmark(bookkeeping.ledger),
    "records": Benchmark(processes.records, 10),
    "dispatch": Benchmark(attempts.dispatching),
    "agents": Benchmark(agents.agents, 40),
    "hanging-agents": Benchmark(agents.hanging_agents, 20),
    "cold-agents": Benchmark(agents.cold_agents, 10),
    "derive": Benchmark(deriving.hosted),
    "clone": Benchmark(deriving.cloned, 5),
    "diff": Benchmark(reading.diff, 5),
    "lint": Benchmark(linting.linting, 5),
    "editor": Benchmark(editor.editor, 50),
}


def main() -> int:
    asked = _arguments()
    sys.stdout.write(f"{table.machine()}\n\n")
    rows: list[Row] = []
    broken = False
    for name in asked.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        try:
            command()
            with tempfile.TemporaryDirectory(prefix=f"workermd-bench-{name}-") as folder:
                rows += benchmark.measure(Path(folder), asked.rounds or benchmark.rounds)
        except BrokenError as error:
            sys.stderr.write(f"{name}: broken: {error}\n")
            broken = True
    sys.stdout.write((table.markdown(rows) if asked.markdown else table.text(rows)) + "\n")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--rounds", type=int, help="samples of each, after one warm-up round that is thrown away")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    if asked.rounds is not None and asked.rounds < 1:
        parser.error("--rounds takes 1 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
