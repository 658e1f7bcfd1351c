"""The language server as a process that has been asked before: from a change to its diagnostics, and a hover."""

import subprocess
import time
from pathlib import Path

from tests.benchmarks.measure import BrokenError, Measured, Scene, command, in_turns
from tests.benchmarks.processes import CONTRACT
from tests.benchmarks.table import Row
from tests.editor.client import Client, uri_of

MOST_MS = 20
LARGEST = CONTRACT.parents[1] / "contracts" / "data-validation.worker.md"


def editor(folder: Path, rounds: int) -> list[Row]:
    """The registry's contract and the largest that is shipped, their texts changed by one character each time."""
    scene = Scene(folder)
    process = subprocess.Popen(
        [command(), "lsp"],
        env=scene.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with Client(process) as client:
        client.start()
        cases: dict[str, Measured] = {}
        for path in (CONTRACT, LARGEST):
            size = f"{path.stat().st_size / 1024:.1f} KiB"
            cases[f"change to diagnostics, {size}"] = _changes(client, path)
        cases["change, then hover, 3.4 KiB"] = _hovers(client, CONTRACT)
        found = in_turns(cases, rounds)
        code, said = client.stop()
    if (code, said) != (0, ""):
        raise BrokenError(f"the server ended with {code}: {said}")
    return [Row(found[name], most_median_ms=MOST_MS) for name in cases]


def _changes(client: Client, path: Path) -> Measured:
    text, uri = path.read_text(), uri_of(path)
    expected = len(client.open(uri, text))
    turn = 0

    def measured() -> float:
        nonlocal turn
        turn += 1
        began = time.perf_counter()
        client.change(uri, text + "x" * (turn % 2))
        found = client.diagnostics(uri)
        seconds = time.perf_counter() - began
        if len(found) != expected:
            raise BrokenError(f"{path.name}: {len(found)} diagnostics, {expected} before")
        return seconds

    return measured


def _hovers(client: Client, path: Path) -> Measured:
    """A request that finds the text changed waits for its reading."""
    text, uri = path.read_text(), "untitled:hover"
    client.open(uri, text)
    line = text.split("\n").index("- timeout_seconds: 30")
    turn = 0

    def measured() -> float:
        nonlocal turn
        turn += 1
        client.change(uri, text + "x" * (turn % 2))
        began = time.perf_counter()
        shown = client.ask("hover", uri, line, 4)
        seconds = time.perf_counter() - began
        if "Limit of the whole run" not in str(shown):
            raise BrokenError(f"the hover says {shown}")
        return seconds

    return measured
