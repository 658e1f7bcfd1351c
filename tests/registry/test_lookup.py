"""The published registry contract of AutoGen: it validates, and answers with each of its four statuses."""

import json

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import ROOT
from workermd.contract.reader import read
from workermd.protocol.envelope import Status

SPEC = ROOT / "registry" / "autogen.worker.md"
READING = read(SPEC.read_bytes(), str(SPEC))

FUNCTION = """
from workermd import InvalidRequest, Refused, Retryable

def run(task):
    wanted = task.input["context"]["answer"]
    if wanted == "ok":
        return {"result": {"task": task.input["task"]}}
    if wanted == "retryable_error":
        raise Retryable("the service is away")
    if wanted == "invalid_request":
        raise InvalidRequest("no such task")
    raise Refused("not this one")
"""

PROGRAM = """
wanted = task["input"]["context"]["answer"]
if wanted == "ok":
    reply({"result": {"task": task["input"]["task"]}})
sys.exit({"ok": 0, "retryable_error": 75, "invalid_request": 65, "invalid_output": 1}[wanted])
"""


def test_it_validates_without_findings(cli):
    assert READING.findings == ()
    assert cli("validate", SPEC).code == 0


@pytest.mark.rule("S1.2", "S5.2")
@pytest.mark.parametrize("status", ["ok", "retryable_error", "invalid_request", "invalid_output"])
@pytest.mark.parametrize("kind", ["command", "function"])
def test_each_status_is_a_document_that_its_own_schema_accepts(cli, tmp_path, program, kind, status):
    """Judged by jsonschema, not by our own engine."""
    (tmp_path / "tasks.py").write_text(FUNCTION)
    (tmp_path / "input.json").write_text(json.dumps({"run_id": "r", "task": "t", "context": {"answer": status}}))
    backend = program(PROGRAM) if kind == "command" else ["--function", "tasks:run"]
    done = cli("run", SPEC, "input.json", *backend)
    assert READING.contract is not None
    Draft202012Validator(READING.contract.output_schema).validate(done.document)
    assert (done.document["status"], done.code) == (status, Status(status).exit_code)


@pytest.mark.rule("S5.2")
def test_an_input_that_it_does_not_allow_is_answered_in_its_own_shape(cli, program):
    """A missing run_id too."""
    done = cli("run", SPEC, "-", *program(PROGRAM), given='{"task": "t"}')
    assert READING.contract is not None
    Draft202012Validator(READING.contract.output_schema).validate(done.document)
    assert (done.code, done.document["run_id"]) == (3, "")
