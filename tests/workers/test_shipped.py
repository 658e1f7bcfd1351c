"""The table of shipped workers, the contracts and the docs say the same."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from workermd.workers import SHIPPED

ROOT = Path(__file__).parents[2]


def test_every_shipped_worker_has_a_contract_an_example_and_a_section():
    contracts = {path.name.removesuffix(".worker.md") for path in (ROOT / "contracts").glob("*.worker.md")}
    assert set(SHIPPED) <= contracts
    sections = re.findall(r"^## (.*)$", (ROOT / "docs/workers.md").read_text("utf-8"), re.MULTILINE)
    assert set(sections) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_contract_and_function_belong_together(name):
    text = (ROOT / f"contracts/{name}.worker.md").read_text("utf-8")
    assert text.startswith(f"---\nid: {name}\n")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) == 2
    for schema in blocks:
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    enum = blocks[1]["properties"]["status"]["enum"]
    assert f"- status_enum: [{', '.join(enum)}]\n" in text
    module, _, function = SHIPPED[name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_docs_name_every_setting(name):
    docs = (ROOT / "docs/workers.md").read_text("utf-8")
    section = docs.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    module = importlib.import_module(SHIPPED[name].partition(":")[0])
    for setting in getattr(module, "DEFAULTS", {}):
        assert f"| `{setting}` |" in section, setting


@pytest.mark.rule("S5.2")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_failure_can_be_said_in_the_output_schema(name):
    text = (ROOT / f"contracts/{name}.worker.md").read_text("utf-8")
    schema = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[1])
    error = {"code": "timeout", "message": "too late", "retryable": True}
    jsonschema.validate({"run_id": "r", "status": "retryable_error", "result": {"error": error}}, schema)


def test_the_table_imports_nothing():
    probe = "import sys, workermd; before = set(sys.modules); import workermd.workers; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{'workermd.workers'}\n"


@pytest.mark.parametrize("name", ["data-validation", "aggregate", "output-gate"])
def test_the_base_dependencies_are_enough(name):
    """None of the packages of the extra is imported."""
    module = SHIPPED[name].partition(":")[0]
    probe = f"import sys; import {module}; print(sorted({{'httpx', 'selectolax', 'ruff'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
