"""A recorded attempt replays offline, with no key and no tool; what differs is named; no secret is kept."""

import json
from pathlib import Path

import pytest

from tests.backends.agents.conftest import ANSWER
from tests.backends.agents.test_conformance import SUMS, TOOLS
from workermd.testing import Call, Problem, Text, ToolCalls


def kept(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((folder / "tape").glob("*.recording.json"))]


@pytest.mark.every_kind
def test_a_conversation_with_a_tool_is_recorded_and_replayed(bound, tmp_path):
    (tmp_path / "sums.py").write_text(SUMS)
    options = {"config": TOOLS, "worker": {"tools": ["add"]}, "run_id": "taped"}
    key = {"model": {"api_key_env": "MY_KEY"}, "serve": {"key": "sk-secret-4711"}}
    script = [ToolCalls((Call("add", {"a": 1, "b": 2}),)), Text('{"status": "ok", "result": {"k": "sk-secret-4711"}}')]
    first = bound(script, "--record", "tape", env={"MY_KEY": "sk-secret-4711"}, **options, **key)
    assert first.envelope["status"] == "ok", first.done.err
    (recording,) = kept(tmp_path)
    assert "sk-secret" not in json.dumps(recording)
    assert [len(recording[part]) for part in ("tools", "exchanges", "calls")] == [1, 2, 1]
    (tmp_path / "called.txt").unlink()
    again = bound([], "--replay", "tape", "--ledger", "second.db", **options, model={"api_key_env": "MY_KEY"})
    assert again.envelope["outputs"] == first.envelope["outputs"], again.done.err
    assert again.envelope["usage"] == first.envelope["usage"]
    assert again.envelope["backend"] == bound.kind.name
    assert not (tmp_path / "called.txt").exists()
    assert not again.server.requests


def test_a_failed_attempt_is_recorded_too(bound):
    first = bound([Problem(500), Text("no")], "--record", "tape", run_id="taped")
    again = bound([], "--replay", "tape", "--ledger", "second.db", run_id="taped")
    for envelope in (first.envelope, again.envelope):
        assert envelope["error"]["code"] == "output_not_json"
        assert [attempt["outcome"] for attempt in envelope["attempts"]] == ["retryable_error", "invalid_output"]


def test_what_differs_from_the_recording_is_named(bound):
    bound([Text(ANSWER)], "--record", "tape", run_id="taped")
    other = bound([], "--replay", "tape", run_id="other")
    assert (other.envelope["status"], other.envelope["error"]["code"]) == ("invalid_output", "backend_failed")
    assert "/run_id" in other.envelope["error"]["message"]


def test_a_conversation_that_takes_another_turn_is_named(bound):
    bound([Text(ANSWER)], "--record", "tape", run_id="taped")
    worker = {"model": "other"}
    other = bound([], "--replay", "tape", "--ledger", "b.db", run_id="taped", worker=worker,
                  config='[models.other]\nmodel = "other-1"\nbase_url = "http://127.0.0.1:9"\n')  # fmt: skip
    assert "/model" in other.envelope["error"]["message"]


def test_the_kind_replay_needs_no_framework(bound, cli, contract, tmp_path):
    first = bound([Text(ANSWER)], "--record", "tape", run_id="taped")
    done = cli("run", tmp_path / "echo.worker.md", tmp_path / "input.json", "--envelope", "--no-config",
               "--backend", "replay", "--replay", "tape", "--ledger", "second.db")  # fmt: skip
    assert done.document["outputs"] == first.envelope["outputs"], done.err
    assert (done.document["backend"], done.document["usage"]) == ("replay", first.envelope["usage"])


def test_a_program_is_recorded_and_replayed(cli, contract, given, tmp_path):
    spec, file = contract(), given("taped")
    program = ("--backend", "command", "--", "sh", "-c", 'echo >>ran; echo \'{"result": {"n": 1}}\'')
    first = cli("run", spec, file, "--record", "tape", *program)
    again = cli("run", spec, file, "--replay", "tape", "--ledger", "second.db", *program)
    assert (first.code, again.code) == (0, 0), again.err
    assert again.out == first.out
    assert (tmp_path / "ran").read_text() == "\n"


@pytest.mark.parametrize("content", ["{", "[]", '{"workermd_recording": 99}', '{"workermd_recording": 1, "x": 2}'])
def test_a_damaged_recording_is_named(cli, contract, given, tmp_path, content):
    (tmp_path / "tape").mkdir()
    (tmp_path / "tape" / "bad.recording.json").write_text(content)
    done = cli("run", contract(), given("a"), "--replay", "tape", "--envelope")
    assert "bad.recording.json" in done.document["error"]["message"]
    assert "Traceback" not in done.err


def test_no_folder_uses_no_attempt_up(cli, contract, given):
    done = cli("run", contract(), given("a"), "--replay", "nowhere")
    assert (done.code, "--replay DIR" in done.err) == (2, True)


def test_an_answer_is_worth_more_than_its_recording(bound, cli, contract, given, tmp_path):
    (tmp_path / "tape").write_text("a file stands in the way")
    ran = bound([Text(ANSWER)], "--record", "tape")
    assert ran.envelope["status"] == "ok"
    assert "the attempt is not recorded" in ran.done.err
    done = cli(
        "run", contract(), given("a"), "--record", "tape", "--backend", "command", "--", "echo", '{"result": {}}'
    )
    assert (done.code, "the attempt is not recorded" in done.err) == (0, True)
