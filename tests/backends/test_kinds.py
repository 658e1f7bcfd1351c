"""One kit that every kind of backend passes: the same behaviours, each in the kind's own words.

A new kind that runs a person's code adds a row to `KINDS` and its words here; one with a model behind it adds
itself to `tests/backends/agents/kinds.py`, whose kit is `tests/backends/agents/test_conformance.py`.
"""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.attempt_process import a_task, run_attempt
from tests.backends.agents.kinds import KINDS_UNDER_TEST
from tests.conftest import ROOT
from workermd.contract.model import Constraints
from workermd.protocol.envelope import ERROR_CODES
from workermd.task.binding import Binding
from workermd.task.task import KINDS, Limits, Result

FUNCTION = {
    "answer": "return {'status': 'ok', 'task': task.input['task']}",
    "answer without status": "return {'result': {}}",
    "feedback": "return {'seen': task.feedback[0]['pointer'], 'decided': task.decisions[0]['choice']}",
    "retry": "raise Retryable('not now', after=2)",
    "unavailable": "raise ConnectionError('hunter2')",
    "reject": "raise InvalidRequest('not this')",
    "ask": "raise NeedsHuman('May I?', ('yes', 'no'))",
    "fail": "raise ValueError('hunter2')",
    "nothing": "return None",
    "too large": "return {'a': 'x' * 5000}",
    "NaN": "return {'a': float('nan')}",
    "never": "time.sleep(120)",
    "late": "time.sleep(0.7); return {}",
    "noise": "print('a line for the log', file=sys.stderr); return {}",
}

SHELL = {
    "answer": """printf '{"status": "ok", "task": "do"}'""",
    "answer without status": """printf '{"result": {}}'""",
    "feedback": """python3 -c 'import json, sys; t = json.load(sys.stdin)
print(json.dumps({"seen": t["feedback"][0]["pointer"], "decided": t["decisions"][0]["choice"]}))'""",
    "retry": """echo '{"error": {"message": "not now", "after": 2}}'; exit 75""",
    "unavailable": "echo hunter2 >&2; exit 69",
    "reject": """echo '{"error": {"message": "not this"}}'; exit 65""",
    "ask": """echo '{"error": {"message": "May I?", "options": ["yes", "no"]}}'; exit 77""",
    "fail": "echo hunter2 >&2; exit 1",
    "nothing": "true",
    "too large": "head -c 5000 /dev/zero | tr '\\0' x",
    "NaN": """printf '{"a": NaN}'""",
    "never": "sleep 120",
    "late": "sleep 0.7; echo '{}'",
    "noise": "echo 'a line for the log' >&2; echo '{}'",
}


def function_binding(folder: Path, behaviour: str) -> Binding:
    source = "import sys, time\nfrom workermd import InvalidRequest, NeedsHuman, Retryable\n"
    (folder / "kit_worker.py").write_text(f"{source}def run(task):\n    {FUNCTION[behaviour]}\n", encoding="utf-8")
    return Binding("function", "kit", function="kit_worker:run")


def command_binding(_folder: Path, behaviour: str) -> Binding:
    return Binding("command", "kit", command=("/bin/sh", "-c", SHELL[behaviour]))


WORDS = {"function": function_binding, "command": command_binding}


@pytest.fixture(params=sorted(WORDS))
def perform(request, tmp_path, monkeypatch):
    """Perform a behaviour in this process: `perform(behaviour, seconds=, **task fields) -> Result`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    backend = importlib.import_module(KINDS[request.param].module)

    def performed(behaviour, *, seconds=20.0, **changes) -> Result:
        sys.modules.pop("kit_worker", None)
        binding = WORDS[request.param](tmp_path, behaviour)
        return backend.perform(a_task(tmp_path, **changes), binding, Limits(time.monotonic() + seconds, 4096))

    yield performed
    sys.modules.pop("kit_worker", None)


ELSEWHERE = {
    "mcp": "backends/agents/test_mcp.py",
    "replay": "backends/agents/test_recording.py",
    "program": "backends/test_program.py",
    "http": "backends/test_http.py",
    "factory": "backends/agents/test_factory.py",
}
"""Kinds of which an attempt is neither a worker's code nor a conversation with a model."""


def test_every_kind_is_in_a_kit():
    assert {*WORDS, *(kind.name for kind in KINDS_UNDER_TEST), *ELSEWHERE} == set(KINDS)
    assert all((ROOT / "tests" / file).is_file() for file in ELSEWHERE.values())


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("kind", sorted(WORDS))
def test_a_kind_has_the_protocols_names(kind):
    assert KINDS[kind].enforces.issubset(Constraints._fields)
    assert callable(importlib.import_module(KINDS[kind].module).perform)


@pytest.mark.rule("S8.2")
def test_an_answer_is_json_text(perform):
    assert json.loads(perform("answer").output) == {"status": "ok", "task": "do"}
    assert json.loads(perform("answer without status").output) == {"result": {}}


@pytest.mark.rule("S2.5", "S8.1")
def test_a_task_carries_feedback_and_decisions(perform):
    result = perform("feedback", feedback=({"pointer": "/a"},), decisions=({"choice": "yes"},))
    assert json.loads(result.output) == {"seen": "/a", "decided": "yes"}


@pytest.mark.rule("S5.5", "S5.6", "S8.3", "S8.4")
@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("retry", {"kind": "retryable", "code": "backend_unavailable", "message": "not now", "after": 2}),
        ("unavailable", {"kind": "retryable", "code": "backend_unavailable"}),
        ("reject", {"kind": "invalid_request", "code": "input_rejected", "message": "not this"}),
        (
            "ask",
            {
                "kind": "needs_human",
                "code": "approval_required",
                "message": "May I?",
                "question": "May I?",
                "options": ["yes", "no"],
            },
        ),
        ("fail", {"kind": "refused", "code": "backend_failed"}),
        ("nothing", {"kind": "invalid_output", "code": "output_not_json"}),
        ("too large", {"kind": "invalid_output", "code": "output_too_large"}),
    ],
)
def test_the_ways_to_fail(perform, behaviour, expected):
    result = perform(behaviour)
    assert expected.items() <= result.failure.items()
    assert result.failure["code"] in ERROR_CODES
    assert result.output is None
    assert "hunter2" not in result.failure["message"]
    assert "\n" not in result.failure["message"]
    assert Result.from_json(result.to_json()) == result


@pytest.mark.rule("S2.5")
def test_what_only_the_strict_check_can_judge_is_passed_on(perform):
    assert perform("NaN").output == '{"a": NaN}'


@pytest.mark.rule("S3.3")
def test_a_late_answer_is_a_timeout(perform):
    failure = perform("late", seconds=0.4).failure
    assert (failure["kind"], failure["code"]) == ("timeout", "timeout")


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("kind", sorted(WORDS))
def test_what_never_ends_is_ended_at_the_deadline(kind, tmp_path):
    outcome = run_attempt(tmp_path, a_task(tmp_path), WORDS[kind](tmp_path, "never"), seconds=0.6)
    assert outcome.result is None or outcome.result.failure["kind"] == "timeout"
    assert outcome.seconds < 20


@pytest.mark.rule("S5.1")
@pytest.mark.parametrize("kind", sorted(WORDS))
def test_noise_goes_to_the_log_and_not_into_the_answer(kind, tmp_path):
    outcome = run_attempt(tmp_path, a_task(tmp_path), WORDS[kind](tmp_path, "noise"))
    assert json.loads(outcome.result.output) == {}
    assert "a line for the log" in outcome.log


@pytest.mark.rule("S6.1")
@pytest.mark.parametrize("kind", sorted(WORDS))
def test_importing_a_kind_imports_nothing_of_the_current_folder(kind, tmp_path):
    """The module is imported before the task is known, perhaps in a folder that is not to be trusted."""
    source = (
        f"import sys, {KINDS[kind].module}; print(*(getattr(m, '__file__', None) or '' for m in sys.modules.values()))"
    )
    (tmp_path / "workermd.py").write_text("raise SystemExit(3)")
    done = subprocess.run(
        [sys.executable, "-P", "-c", source],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(tmp_path) not in done.stdout
