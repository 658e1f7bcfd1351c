"""Whole processes: starting up, a replay, a run on either kind of backend, a large file of records."""

import csv
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests.benchmarks.measure import BrokenError, Scene, in_turns
from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "registry" / "autogen.worker.md"
PASS = "python -c pass"
NOTHING = ("--backend", "command", "--", "/bin/sh", "-c", """echo '{"result":{}}'""")
UNCACHED = {"WORKERMD_CACHE": "off"}
RECORDS = 100_000


def start_up(folder: Path, rounds: int) -> list[Row]:
    scene = Scene(folder)
    script, module = "workermd --version", "python -m workermd --version"
    found = in_turns(
        {
            PASS: lambda: scene.python("-c", "pass"),
            script: lambda: scene.workermd("--version"),
            module: lambda: scene.python("-m", "workermd", "--version"),
        },
        rounds,
    )
    return [Row(found[name], found[PASS], most_ratio=3) for name in (script, module)]


def run(folder: Path, rounds: int) -> list[Row]:
    """A replay and a run of a program that does next to nothing; the ledger is there, with runs in it."""
    scene = Scene(folder)
    given = _given(folder)
    fresh = _ids("command")

    def replay(**options: str) -> float:
        return scene.workermd("run", CONTRACT, given, "--run-id", "replayed", *NOTHING, **options)

    def attempt(**options: str) -> float:
        return scene.workermd("run", CONTRACT, given, "--run-id", next(fresh), *NOTHING, **options)

    replay(output=str(folder / "first"))
    replay(output=str(folder / "again"), **UNCACHED)
    _expect(folder / "first", {"run_id": "replayed", "status": "ok", "result": {}})
    if (folder / "first").read_bytes() != (folder / "again").read_bytes():
        raise BrokenError("a replay printed other bytes than the run")
    with_cache, without = ("replay", "run, sh -c echo"), ("replay, no contract cache", "run, no contract cache")
    found = in_turns(
        {
            PASS: lambda: scene.python("-c", "pass"),
            with_cache[0]: replay,
            with_cache[1]: attempt,
            without[0]: lambda: replay(**UNCACHED),
            without[1]: lambda: attempt(**UNCACHED),
        },
        rounds,
    )
    return [
        *(Row(found[name], found[PASS], most_ratio=8) for name in with_cache),
        *(Row(found[name], found[PASS]) for name in without),
    ]


def cold(folder: Path, rounds: int) -> list[Row]:
    """A run whose attempt needs the core runtime, which is imported anew by every process."""
    scene = Scene(folder)
    given = _given(folder)
    fresh = _ids("function")
    (folder / "next_to_nothing.py").write_text("def answer(task):\n    return {'result': {}}\n")

    def attempt(**options: str) -> float:
        function = ("--backend", "function", "--function", "next_to_nothing:answer")
        return scene.workermd("run", CONTRACT, given, "--run-id", next(fresh), *function, **options)

    attempt(output=str(folder / "first"))
    _expect(folder / "first", {"run_id": "function-0", "status": "ok", "result": {}})
    runtime, what = "python -c 'import autogen_core'", "run, a trivial function on the core runtime"
    found = in_turns({runtime: lambda: scene.python("-c", "import autogen_core"), what: attempt}, rounds)
    return [Row(found[what], found[runtime], most_ratio=1.35)]


def records(folder: Path, rounds: int) -> list[Row]:
    """The shipped worker data-validation on a CSV file, held to its contract's own time limit."""
    scene = Scene(folder)
    _write_records(folder / "orders.csv")
    fresh = _ids("records")
    contract = ROOT / "contracts" / "data-validation.worker.md"
    example = json.loads((ROOT / "contracts" / "examples" / "data-validation.input.json").read_text())

    def validate(**options: str) -> float:
        document = {
            "run_id": next(fresh),
            "file": {"path": "orders.csv", "format": "csv"},
            "record_schema": example["record_schema"],
            "rules": example["rules"],
        }
        (folder / "input.json").write_text(json.dumps(document))
        return scene.workermd("run", contract, folder / "input.json", **options)

    validate(output=str(folder / "first"))
    said = json.loads((folder / "first").read_bytes())["result"]
    if (said["rows"], said["invalid_rows"]) != (RECORDS, RECORDS // 1000):
        raise BrokenError(f"data-validation found {said['invalid_rows']} wrong rows in {said['rows']}")
    read = "import csv; print(sum(1 for row in csv.DictReader(open('orders.csv', newline=''))))"
    what, baseline = f"data-validation, {RECORDS:,} CSV rows", "csv.DictReader alone"
    found = in_turns({baseline: lambda: scene.python("-c", read), what: validate}, rounds)
    return [Row(found[what], found[baseline], most_ms=30_000)]


def _write_records(path: Path) -> None:
    """Orders of which one in a thousand ends before it begins."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["order", "country", "start", "end", "amount", "vat_id"])
        for number in range(1, RECORDS + 1):
            end = "2025-12-31" if number % 1000 == 0 else "2026-01-31"
            country = "DE" if number % 3 == 0 else "FR"
            rows.writerow([number, country, "2026-01-01", end, f"{number % 9000}.5", f"X{number}"])


def _given(folder: Path) -> Path:
    path = folder / "input.json"
    path.write_text(json.dumps({"task": "do next to nothing", "context": {}}))
    return path


def _ids(prefix: str) -> Iterator[str]:
    return (f"{prefix}-{number}" for number in count())


def _expect(printed: Path, document: object) -> None:
    found = json.loads(printed.read_bytes())
    if found != document:
        raise BrokenError(f"expected {document}, found {found}")
