"""What a run of a batch costs: a trivial function, by each way to make its process, behind a fence and without one.

    python -m tests.benchmarks.batch_cost [--long N] [--short N] [--rounds N]

CPU of everything that a batch starts, as the difference of a long and a short one, so that what is done once drops out. The
ways take turns in every round; the medians are printed.
"""

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT, contract_text

PR_SET_CHILD_SUBREAPER = 36
WAYS = [(isolation, sandbox) for isolation in ("fork", "reuse") for sandbox in ("auto", "off")]


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def batch(folder: Path, inputs: str, isolation: str, sandbox: str) -> tuple[float, float, float]:
    """Seconds of CPU of the supervisor, of all processes, and of the clock."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        words = ["batch", "echo.worker.md", inputs, "-q", "-o", f"{place}/out.jsonl", "--ledger", f"{place}/ledger.db"]
        words += ["--jobs", "2", "--backend", "function", "--function", "trivial:answer"]
        words += ["--isolation", isolation, "--sandbox", sandbox]
        before, began = children_seconds(), time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "workermd", *words],
            cwd=folder, env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        own = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        assert process.wait() == 0
        took = time.monotonic() - began
        try:
            while True:
                os.wait()  # what outlived the supervisor for a moment
        except ChildProcessError:
            pass
        return own, children_seconds() - before, took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batch_cost")
    parser.add_argument("--long", type=int, default=600)
    parser.add_argument("--short", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "echo.worker.md").write_text(contract_text())
        (folder / "trivial.py").write_text('async def answer(task):\n    return {"result": {}}\n')
        for count in (options.long, options.short):
            lines = (json.dumps({"run_id": f"r{n}", "task": "x"}) + "\n" for n in range(count))
            (folder / f"{count}.jsonl").write_text("".join(lines))
        runs = options.long - options.short
        for _ in range(options.rounds):
            for way in WAYS:
                short, long = (batch(folder, f"{count}.jsonl", *way) for count in (options.short, options.long))
                found[way].append(tuple(more - less for more, less in zip(long, short, strict=True)))
    print("| isolation | sandbox | supervisor, ms of CPU a run | all processes, ms of CPU a run | runs a second |")
    print("|---|---|---|---|---|")
    for (isolation, sandbox), rows in found.items():
        own, all_of_it, took = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"| {isolation} | {sandbox} | {own / runs * 1000:.2f} | {all_of_it / runs * 1000:.2f} | {runs / took:.0f} |"
        )


if __name__ == "__main__":
    main()
