"""A suite over a contract that echoes, and its document after a bench, in the process of the test."""

import json

import pytest


@pytest.fixture
def bench(cli, contract, tmp_path):
    """Writes a suite and runs it; `code` becomes the module `tasks` beside it. What it returned, with its result."""
    contract()

    def run(suite, *arguments, code="", verb=("bench",)):
        if code:
            (tmp_path / "tasks.py").write_text(code)
        document = {"suite": 1, "contract": "echo.worker.md", **suite}
        (tmp_path / "x.bench.yaml").write_text(json.dumps(document))
        done = cli(*verb, "x.bench.yaml", "--report", "json=out.json", *arguments)
        path = tmp_path / "out.json"
        result = json.loads(path.read_text()) if path.exists() else None
        return done, result

    return run


CODE = """
import os

def echo(task):
    with open("evidence", "a") as file:
        file.write(task.run_id + "\\n")
    return {"status": "ok", "result": {"said": task.input["task"], "length": len(task.input["task"])}}
"""


@pytest.fixture
def starts(tmp_path):
    def count():
        path = tmp_path / "evidence"
        return len(path.read_text().splitlines()) if path.exists() else 0

    return count
