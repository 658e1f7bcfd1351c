"""A run from the command line to its document: order, statuses, bounds, idempotency, documents."""

import json
import os
import re
import signal
import time
import uuid

import pytest

from tests.conftest import FOUR, patience, wait_for

ALL = [*FOUR, "needs_human"]
OK = "reply({'status': 'ok', 'result': {'attempt': task['attempt']}})"


# --- the order of a run ---------------------------------------------------------------------------------


@pytest.mark.rule("S2.3", "S2.4", "S4.4")
def test_a_run_prints_its_output_and_is_replayed_byte_for_byte(cli, contract, given, program, evidence):
    """One start, the same bytes for ever, `replayed` said on standard error."""
    spec, document, backend = contract(), given(), program(f"evidence('start'); {OK}")
    first = cli("run", spec, document, *backend)
    assert (first.code, first.document) == (0, {"run_id": "r1", "status": "ok", "result": {"attempt": 1}})
    second = cli("run", spec, document, *backend)
    assert (second.code, second.out) == (0, first.out)
    assert "replayed" in second.err
    assert "replayed" not in first.err
    assert evidence() == ["start"]


@pytest.mark.rule("S2.2")
def test_an_input_against_the_schema_binds_nothing(cli, contract, given, program, evidence):
    """No attempt, no row; the same run_id can be used with a good input; it is noted as a rejection."""
    spec, backend = contract(), program(f"evidence('start'); {OK}")
    bad = cli("run", spec, given(task=7), *backend)
    assert (bad.code, bad.document["status"]) == (3, "invalid_request")
    assert bad.document["result"]["error"]["code"] == "input_schema_mismatch"
    assert evidence() == []
    assert b"no runs" in cli("runs", "list").out
    assert cli("run", spec, given(task="seven"), *backend).code == 0


@pytest.mark.rule("S2.2")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"run_id": "a", "run_id": "b"}', "twice"),
        ('{"run_id": NaN}', "NaN"),
        ('{"run_id": "a",}', ""),
        ("", ""),
        ("[1]", "object"),
        ('{"run_id": "\\ud800"}', "surrogate"),
        (b'{"run_id": "\xff"}', "UTF-8"),
    ],
)
def test_the_input_is_read_strictly(cli, contract, program, text, found):
    """The same JSON rules as everywhere."""
    done = cli("run", contract(), "-", *program(OK), given=text)
    assert (done.code, done.document["status"]) == (3, "invalid_request")
    assert found.lower() in done.document["result"]["error"]["message"].lower()


@pytest.mark.rule("S2.2")
def test_the_run_id_can_come_from_the_command_line(cli, contract, given, program):
    """Put where the key is absent; a contradiction is a usage error."""
    spec, backend = contract(), program(OK)
    done = cli("run", spec, given(None, task="x"), "--run-id", "from-flag", *backend)
    assert done.document["run_id"] == "from-flag"
    assert cli("run", spec, given("other"), "--run-id", "from-flag", *backend).code == 2
    fresh = cli("run", spec, given(None, task="x"), "--new-run-id", *backend).document["run_id"]
    assert uuid.UUID(fresh).version == 7
    missing = cli("run", spec, given(None, task="x"), *backend)
    assert (missing.code, missing.document["run_id"]) == (3, "")


@pytest.mark.rule("S4.1")
@pytest.mark.parametrize("run_id", ["", "a\nb", "x" * 513, "a\u0000b"])
def test_an_unusable_key_is_refused(cli, contract, given, program, run_id):
    """The key names rows, folders and variables."""
    assert cli("run", contract(), given(run_id), *program(OK)).code == 3


@pytest.mark.rule("S2.3")
def test_the_same_key_with_another_input_is_a_conflict(cli, contract, given, program, evidence):
    """Refused, nothing changed; how the input is written does not matter."""
    spec, backend = contract(), program(f"evidence('start'); {OK}")
    first = cli("run", spec, given(task="x"), *backend)
    other = cli("run", spec, given(task="y"), *backend)
    assert (other.code, other.document["result"]["error"]["code"]) == (3, "idempotency_conflict")
    same = cli("run", spec, "-", *backend, given='{ "task":"\\u0078",\n"run_id":"r1" }')
    assert same.out == first.out
    assert evidence() == ["start"]


@pytest.mark.rule("S2.1", "S5.1")
def test_a_contract_that_cannot_be_used_is_refused_before_anything_else(cli, tmp_path, given, program):
    """Exit 2, every finding with its place, one JSON document on standard output."""
    spec = tmp_path / "bad.worker.md"
    spec.write_text("---\nid: a b\nid: c\n---\n# x\n")
    done = cli("run", spec, given(), *program(OK))
    assert done.code == 2
    assert done.document["error"]["code"] == "contract_unusable"
    assert len(re.findall(r"^.*bad\.worker\.md:\d+:\d+: error", done.err, re.MULTILINE)) >= 4
    assert not cli.ledger.exists()


def test_a_dry_run_starts_and_stores_nothing(cli, contract, given, program, evidence):
    spec, backend = contract(), program(f"evidence('start'); {OK}")
    plan = cli("run", spec, given(), "--dry-run", *backend)
    assert (plan.code, plan.document["would"], plan.document["attempts_left"]) == (0, "attempt", 2)
    assert not cli.ledger.exists()
    cli("run", spec, given(), *backend)
    assert cli("run", spec, given(), "--dry-run", *backend).document["would"] == "replay"
    conflict = cli("run", spec, given(task="y"), "--dry-run", *backend)
    assert (conflict.code, conflict.document["code"]) == (3, "idempotency_conflict")
    assert cli("run", spec, given("r2", task=7), "--dry-run", *backend).code == 3
    assert evidence() == ["start"]


# --- statuses, exits and documents ----------------------------------------------------------------------


@pytest.mark.rule("S1.1", "S1.5")
@pytest.mark.parametrize(
    ("status", "code"),
    [("ok", 0), ("invalid_request", 3), ("invalid_output", 4), ("retryable_error", 5), ("needs_human", 6)],
)
@pytest.mark.cold
def test_every_status_has_its_exit_code(cli, contract, given, program, status, code):
    """The document is one that the contract's own schema accepts."""
    spec = contract(statuses=ALL, constraints={"max_attempts": 1})
    done = cli("run", spec, given(), "--envelope", *program(f"reply({{'status': {status!r}, 'result': {{}}}})"))
    envelope = done.document
    assert (done.code, envelope["status"], envelope["exit_code"], envelope["output_valid"]) == (
        code,
        status,
        code,
        True,
    )
    assert cli("run", spec, given(), "--exit-zero", *program(OK)).code == 0


@pytest.mark.rule("S1.6")
def test_a_status_of_the_contracts_own_is_final(cli, contract, given, program, evidence):
    """Exit 7, or 0 where success_statuses lists it, or where the caller wants 0 for every answer."""
    backend = program("evidence('start'); reply({'status': 'draft', 'result': {}})")
    plain = contract("a.worker.md", id="a", statuses=[*FOUR, "draft"])
    assert cli("run", plain, given(), *backend).code == 7
    assert cli("run", plain, given(), "--exit-zero", *backend).code == 0
    listed = contract("b.worker.md", id="b", statuses=[*FOUR, "draft"], constraints={"success_statuses": "[ok, draft]"})
    assert cli("run", listed, given(), *backend).code == 0
    assert evidence() == ["start", "start"]


@pytest.mark.rule("S1.3")
def test_a_status_outside_the_enum_is_invalid_output(cli, contract, given, program):
    spec = contract(constraints={"max_attempts": 1})
    done = cli("run", spec, given(), *program("reply({'status': 'needs_human', 'result': {}})"))
    assert (done.code, done.document["result"]["error"]["code"]) == (4, "status_not_allowed")


@pytest.mark.rule("S1.4")
@pytest.mark.parametrize(("statuses", "status", "code"), [(FOUR, "invalid_output", 4), (ALL, "needs_human", 6)])
def test_a_permanent_failure_is_not_retried(cli, contract, given, program, evidence, statuses, status, code):
    done = cli("run", contract(statuses=statuses), given(), *program("evidence('start'); sys.exit(3)"))
    assert (done.code, done.document["status"]) == (code, status)
    assert done.document["result"]["error"] == {
        "code": "backend_failed",
        "message": done.document["result"]["error"]["message"],
        "retryable": False,
    }
    assert evidence() == ["start"]


@pytest.mark.rule("S1.6")
def test_an_enum_without_a_failures_status_still_gets_it(cli, contract, given, program):
    """Printed with our status all the same, and the envelope says so."""
    spec = contract(statuses=["ok"], constraints={"max_attempts": 1})
    done = cli("run", spec, given(), "--envelope", *program("sys.exit(3)"))
    assert (done.code, done.document["status"], done.document["output_valid"]) == (4, "invalid_output", False)


@pytest.mark.rule("S5.3")
def test_a_site_contract_answers_with_its_outputs_or_the_envelope(cli, contract, given, program):
    outputs = {"type": "object", "required": ["summary"], "properties": {"summary": {"type": "string"}}}
    spec = contract(output_schema=outputs, constraints={"status_enum": None, "max_attempts": 1})
    fine = cli("run", spec, given(), *program("reply({'summary': 's'})"))
    assert (fine.code, fine.document) == (0, {"summary": "s"})
    failed = cli("run", spec, given("r2"), *program("reply({'summary': 1})"))
    assert (failed.code, failed.document["status"], failed.document["outputs"]) == (4, "invalid_output", None)
    assert failed.document["error"]["code"] == "output_schema_mismatch"
    again = cli("run", spec, given("r2"), *program("reply({'summary': 1})"))
    assert again.out == failed.out


@pytest.mark.rule("S5.4")
def test_the_envelope_matches_its_schema(cli, contract, given, program):
    """Judged by another engine than ours."""
    from jsonschema import Draft202012Validator

    schema = cli("schema", "envelope").document
    Draft202012Validator.check_schema(schema)
    spec = contract(statuses=ALL, constraints={"max_attempts": 1})
    bodies = [OK, "sys.exit(3)", "sys.exit(75)", "reply({'status': 'needs_human', 'result': {}})", "os.abort()"]
    for number, body in enumerate(bodies):
        for _ in range(2):
            envelope = cli("run", spec, given(f"r{number}"), "--envelope", *program(body)).document
            Draft202012Validator(schema).validate(envelope)
    Draft202012Validator(schema).validate(cli("run", spec, given("r", task=7), "--envelope", *program(OK)).document)


@pytest.mark.rule("S5.1")
def test_standard_output_carries_one_document_and_nothing_else(cli, contract, given, program):
    """What a task says goes to standard error as log lines, without control characters."""
    body = f"print('\\x1b[31mred', file=sys.stderr); {OK}"
    done = cli("run", contract(), given(), *program(body))
    assert json.loads(done.out)["status"] == "ok"
    assert "red" in done.err
    assert "\x1b" not in done.err
    quiet = cli("run", contract(), given("r2"), "-q", *program(body))
    assert quiet.err == ""


@pytest.mark.rule("S5.6")
def test_messages_quote_no_value(cli, contract, given, program):
    secret = "hunter2-hunter2"
    bad_input = cli("run", contract(), given(task=[secret]), *program(OK))
    bad_output = cli("run", contract(), given(), *program(f"reply({{'status': 'ok', 'result': {secret!r}}})"))
    for done in (bad_input, bad_output):
        assert secret not in done.out.decode() + done.err
        assert done.document["result"]["error"]["message"]


# --- the output check -----------------------------------------------------------------------------------


@pytest.mark.rule("S2.5", "S2.6")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("print('no json')", "output_not_json"),
        ("print('[1]')", "output_not_json"),
        ("print('{\"status\": NaN}')", "output_not_json"),
        ('print(\'{"status": "ok", "status": "ok"}\')', "output_not_json"),
        ("pass", "output_not_json"),
        ("reply({'status': 'ok', 'result': []})", "output_schema_mismatch"),
        ("reply({'status': 'ok', 'result': {}, 'more': 1})", "output_schema_mismatch"),
        ("reply({'status': 'ok', 'result': {}, 'run_id': 'another'})", "run_id_mismatch"),
        ("reply({'status': 'fine', 'result': {}})", "status_not_allowed"),
        ("reply({'status': 'ok', 'result': {'x': 'y' * (2 << 20)}})", "output_too_large"),
    ],
)
def test_a_bad_output_is_never_accepted(cli, contract, given, program, body, code):
    done = cli("run", contract(constraints={"max_attempts": 1}), given(), *program(body))
    assert (done.code, done.document["status"]) == (4, "invalid_output")
    assert done.document["result"]["error"]["code"] == code


@pytest.mark.rule("S2.5")
def test_a_bad_output_is_repaired_by_the_next_attempt(cli, contract, given, program):
    """Which is told what was wrong."""
    body = (
        "if task['attempt'] == 1: reply({'status': 'ok', 'result': 'text'})\n"
        "else: reply({'status': 'ok', 'result': {'told': task['feedback']}})"
    )
    done = cli("run", contract(), given(), "--envelope", *program(body))
    told = done.document["outputs"]["result"]["told"]
    assert (done.code, told[0]["pointer"], told[0]["keyword"]) == (0, "/result", "type")
    assert [each["outcome"] for each in done.document["attempts"]] == ["invalid_output", "ok"]


# --- bounds ---------------------------------------------------------------------------------------------


@pytest.mark.rule("S3.2")
def test_attempts_count_over_the_life_of_a_run(cli, contract, given, program, evidence):
    """A later invocation uses what is left; then the stored answer comes back; reopen grants more."""
    spec = contract(constraints={"max_attempts": 3, "timeout_seconds": 1})
    backend = program("evidence('start'); time.sleep(30)")
    first = cli("run", spec, given(), *backend)
    assert (first.code, first.document["result"]["error"]["code"]) == (5, "timeout")
    assert first.document["result"]["error"]["retryable"] is True
    assert evidence() == ["start"]
    cli("run", spec, given(), *backend)
    third = cli("run", spec, given(), *backend)
    assert third.document["result"]["error"]["retryable"] is False
    again = cli("run", spec, given(), *backend)
    assert (again.out, evidence()) == (third.out, ["start"] * 3)
    reopened = cli("runs", "reopen", "r1", "--by", "ann", "--reason", "the service is back")
    assert reopened.code == 0, reopened.err
    assert cli("run", spec, given(), *program(OK)).code == 0
    shown = cli("runs", "show", "r1").out.decode()
    assert "reopened by ann: 1 further (the service is back)" in shown
    assert cli("runs", "reopen", "r1", "--by", "ann").code == 2  # it is ok now


@pytest.mark.unhurried
@pytest.mark.rule("S3.1", "S3.4")
def test_one_deadline_over_attempts_and_back_off(cli, contract, given, program):
    """Transient failures are retried inside it, and it ends the whole invocation."""
    spec = contract(constraints={"max_attempts": 50, "timeout_seconds": 6})
    began = time.monotonic()
    done = cli("run", spec, given(), "--envelope", *program("sys.exit(75)"))
    assert time.monotonic() - began < 30
    assert done.code == 5
    assert 2 <= len(done.document["attempts"]) < 50
    assert done.document["error"]["retryable"] is True


@pytest.mark.rule("S3.4")
def test_a_program_that_asks_to_wait_beyond_the_deadline_is_not_started_again(cli, contract, given, program, evidence):
    body = "evidence('start'); reply({'error': {'message': 'slow down', 'after': 3600}}); sys.exit(75)"
    done = cli("run", contract(), given(), *program(body))
    assert (done.code, evidence()) == (5, ["start"])
    assert done.document["result"]["error"]["retryable"] is True


@pytest.mark.rule("S3.1")
def test_an_attempt_can_have_a_bound_of_its_own(cli, contract, given, program):
    """`attempt_timeout_seconds`: the run goes on with the next attempt."""
    spec = contract(constraints={"attempt_timeout_seconds": 4})
    body = "if task['attempt'] == 1: time.sleep(60)\n" + OK
    done = cli("run", spec, given(), "--envelope", *program(body))
    assert (done.code, [each["outcome"] for each in done.document["attempts"]]) == (0, ["timeout", "ok"])


@pytest.mark.rule("S3.1")
def test_a_bound_of_an_attempt_never_reaches_beyond_the_run(cli, contract, given, program):
    """Where a flag tightens the run below it, the run's deadline is the attempt's."""
    spec = contract(constraints={"attempt_timeout_seconds": 15})
    body = "reply({'status': 'ok', 'result': {'left': task['seconds_left']}})"
    done = cli("run", spec, given(), "--timeout", "9", *program(body))
    assert done.code == 0
    assert 0 < done.document["result"]["left"] <= 9


@pytest.mark.rule("S3.7")
@pytest.mark.parametrize(
    "flags", [["--timeout", "21"], ["--timeout", "0"], ["--max-attempts", "3"], ["--max-attempts", "0"]]
)
def test_a_flag_may_tighten_a_bound_not_loosen_it(cli, contract, given, program, flags):
    done = cli("run", contract(), given(), *flags, *program(OK))
    assert done.code == 2
    assert "tighten" in done.err


@pytest.mark.rule("S3.7")
def test_tightened_bounds_hold(cli, contract, given, program):
    slow = cli("run", contract(), given(), "--timeout", "0.5", *program("time.sleep(60)"))
    assert slow.document["result"]["error"]["code"] == "timeout"
    once = cli("run", contract(), given("r2"), "--max-attempts", "1", "--envelope", *program("sys.exit(75)"))
    assert len(once.document["attempts"]) == 1


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("bound", ["max_tokens: 5", "max_cost_usd: 1", "tools_allowed: [a]", "rate_limit: when asked"])
def test_a_bound_that_the_backend_cannot_hold_is_refused(cli, contract, given, program, bound):
    name, _, value = bound.partition(": ")
    done = cli("run", contract(constraints={name: value}), given(), *program(OK))
    assert done.code == 2
    assert name in done.err


@pytest.mark.rule("S3.6")
def test_max_output_bytes_is_held(cli, contract, given, program):
    spec = contract(constraints={"max_output_bytes": 200, "max_attempts": 1})
    done = cli("run", spec, given(), *program("reply({'status': 'ok', 'result': {'x': 'y' * 300}})"))
    assert done.document["result"]["error"]["code"] == "output_too_large"
    assert cli("run", spec, given("r2"), *program(OK)).code == 0


# --- idempotency under concurrency and change -----------------------------------------------------------


@pytest.mark.rule("S2.3", "S4.4")
def test_concurrent_duplicates_get_one_execution(cli, contract, given, program, evidence):
    """The others wait and get the same bytes; another input is refused at once."""
    spec, document = contract(), given()
    backend = program(f"evidence('start'); time.sleep(4); {OK}")
    crowd = [cli.start("run", spec, document, *backend) for _ in range(5)]
    wait_for(evidence)
    other = cli("run", spec, given(task="other", name="other.json"), *backend)
    assert (other.code, other.document["result"]["error"]["code"]) == (3, "idempotency_conflict")
    hurried = cli("run", spec, document, "--no-wait", *backend)
    assert (hurried.code, hurried.document["result"]["error"]["code"]) == (5, "run_in_progress")
    answers = {process.communicate(timeout=patience(60))[0] for process in crowd}
    assert len(answers) == 1
    assert evidence() == ["start"]


def test_a_task_that_asks_for_its_own_run_is_refused(cli, contract, given, program):
    """A run cannot wait for itself."""
    spec, document = contract(), given()
    inner = [str(each) for each in ("run", spec, document, "--backend", "command", "--", "true")]
    body = (
        "import subprocess\n"
        f"env = {cli.environment!r} | {{'WORKERMD_ACTIVE': os.environ['WORKERMD_ACTIVE']}}\n"
        f"done = subprocess.run([sys.executable, '-m', 'workermd', *{inner!r}], env=env, capture_output=True)\n"
        "reply({'status': 'ok', 'result': {'code': done.returncode, 'out': json.loads(done.stdout)}})"
    )
    done = cli("run", "--sandbox", "off", spec, document, *program(body))  # else the ledger is out of its reach
    assert done.document["result"]["code"] == 5
    assert done.document["result"]["out"]["result"]["error"]["code"] == "run_in_progress"


@pytest.mark.rule("S4.5")
def test_a_changed_contract_replays_finished_runs_and_refuses_unfinished_ones(cli, contract, given, program):
    cli("run", contract(), given("done"), *program(OK))
    cli("run", contract(), given("open"), "--timeout", "0.5", *program("time.sleep(60)"))
    changed = contract(purpose="Another purpose.")
    replay = cli("run", changed, given("done"), "--envelope", *program(OK))
    assert (replay.code, replay.document["replayed"]) == (0, True)
    assert "meaning changed" in replay.document["notes"][0]
    refused = cli("run", changed, given("open"), *program(OK))
    assert (refused.code, refused.document["result"]["error"]["code"]) == (3, "contract_changed")
    assert cli("run", contract(), given("open"), *program(OK)).code == 0


@pytest.mark.rule("S2.3", "S4.5")
def test_a_settled_run_skips_the_schema_check_under_its_own_contract_only(cli, contract, given, program):
    """The stored answer says that this input passed this contract's schema, not another's."""
    assert cli("run", contract(), given(), *program(OK)).code == 0
    narrower = {"type": "object", "required": ["run_id", "task"], "properties": {"run_id": {"type": "string"}}}
    done = cli("run", contract(input_schema=narrower), given(), *program(OK))
    assert (done.code, done.document["result"]["error"]["code"]) == (3, "input_schema_mismatch")


@pytest.mark.rule("S4.7", "S8.5")
def test_a_crashed_attempt_is_used_up_and_the_last_one_is_unknown(cli, contract, given, program):
    """What a killed program wrote before is no answer."""
    body = f"{OK}\nsys.stdout.flush(); os.kill(os.getpid(), 9)"
    done = cli("run", contract(), given(), "--envelope", *program(body))
    assert [each["outcome"] for each in done.document["attempts"]] == ["crashed", "crashed"]
    assert (done.code, done.document["status"]) == (5, "retryable_error")
    assert (done.document["error"]["code"], done.document["error"]["retryable"]) == ("attempts_exhausted", False)
    human = cli("run", contract("h.worker.md", id="h", statuses=ALL), given(), *program(body))
    assert (human.code, human.document["status"]) == (6, "needs_human")


@pytest.mark.rule("S4.6")
def test_prune_removes_finished_runs_only(cli, contract, given, program):
    """Its key is free again; an unfinished run stays."""
    cli("run", contract(), given("done"), *program(OK))
    cli("run", contract(), given("open"), "--timeout", "0.5", *program("time.sleep(60)"))
    assert cli("runs", "prune").code == 2
    assert cli("runs", "prune", "--all", "--dry-run", "--format", "json").document == {
        "schema_version": 1, "ledger": str(cli.ledger), "finished": 1, "removed": 0,
    }  # fmt: skip
    assert cli("runs", "prune", "--older-than", "1").out == b"0 finished runs removed\n"
    assert cli("runs", "prune", "--all").out == b"1 finished run removed\n"
    left = cli("runs", "list", "--format", "json").document["runs"]
    assert [(row["run_id"], row["state"]) for row in left] == [("open", "waiting")]
    assert cli("runs", "show", "done").code == 2


# --- interrupts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_attempt_and_leaves_the_run_resumable(cli, contract, given, program, evidence, number):
    """Exit 130, one document, no process left, the attempt counted."""
    body = f"evidence(str(os.getpid()))\nif task['attempt'] == 1: time.sleep(60)\n{OK}"
    process = cli.start("run", contract(), given(), *program(body))
    wait_for(evidence)
    process.send_signal(number)
    out, err = process.communicate(timeout=patience(20))
    assert process.returncode == 130, err
    assert json.loads(out)["result"]["error"]["code"] == "cancelled"
    pid = int(evidence()[0])
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    done = cli("run", contract(), given(), *program(body))
    assert (done.code, done.document["result"]["attempt"]) == (0, 2)


@pytest.mark.rule("S4.7")
def test_an_interrupt_on_the_last_attempt_is_settled(cli, contract, given, program, evidence):
    """Its outcome is unknown."""
    spec = contract(constraints={"max_attempts": 1})
    process = cli.start("run", spec, given(), *program("evidence('start'); time.sleep(60)"))
    wait_for(evidence)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=patience(20))
    assert process.returncode == 130
    assert json.loads(out)["result"]["error"]["code"] == "attempts_exhausted"
    assert cli("run", spec, given(), *program(OK)).out == out


# --- trust ----------------------------------------------------------------------------------------------


@pytest.mark.rule("S6.3", "S8.4")
def test_a_task_sees_an_environment_from_an_allow_list(cli, contract, given, program):
    body = "reply({'status': 'ok', 'result': dict(os.environ)})"
    secret = {"API_KEY": "s3cret-value", "OTHER": "x"}
    spec = contract()
    plain = cli("run", spec, given("a"), *program(body), env=secret).document["result"]
    assert "API_KEY" not in plain
    assert "OTHER" not in plain
    assert (plain["WORKERMD_RUN_ID"], plain["WORKERMD_ATTEMPT"]) == ("a", "1")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", plain["TRACEPARENT"])
    assert os.path.basename(os.path.dirname(plain["WORKERMD_ARTIFACTS"])) == "ledger.db.artifacts"
    listed = cli("run", spec, given("b"), "--env", "OTHER", *program(body), env=secret).document["result"]
    assert listed["OTHER"] == "x"
    masked = cli("run", spec, given("c"), "--secret-env", "API_KEY", *program(body), env=secret)
    assert masked.document["result"]["API_KEY"] == "***"


@pytest.mark.rule("S6.3")
def test_secrets_are_masked_in_logs_errors_and_the_ledger(cli, contract, given, program):
    body = "print(os.environ['API_KEY'], file=sys.stderr); reply({'error': {'code': 'x', 'message': os.environ['API_KEY']}}); sys.exit(3)"
    done = cli("run", contract(), given(), "--secret-env", "API_KEY", *program(body), env={"API_KEY": "s3cret-value"})
    assert "***" in done.err
    assert "s3cret" not in done.err + done.out.decode()
    stored = b"".join(path.read_bytes() for path in cli.ledger.parent.rglob("*") if path.is_file())
    assert b"s3cret" not in stored


@pytest.mark.rule("S6.3")
@pytest.mark.parametrize("secret", ['with "quotes" and \\', "two\nlines", "schlüssel", "output", "null"])
def test_a_secret_is_masked_however_it_is_written(cli, contract, given, program, secret):
    """Escaped in JSON in any way; and a secret that looks like a word of ours breaks nothing."""
    body = (
        "key = os.environ['API_KEY']\n"
        "escaped = ''.join(f'\\\\u{ord(c):04x}' for c in key)\n"
        'print(\'{"status": "ok", "result": {"a": \' + json.dumps(key) + \', "b": \' +'
        " json.dumps(key, ensure_ascii=False) + ', \"c\": \"' + escaped + '\"}}')"
    )
    done = cli("run", contract(), given(), "--secret-env", "API_KEY", *program(body), env={"API_KEY": secret})
    assert done.code == 0, done.err
    assert done.document["result"] == {"a": "***", "b": "***", "c": "***"}
    assert cli("run", contract(), given(), "--secret-env", "API_KEY", *program(body), env={"API_KEY": secret}).code == 0


@pytest.mark.rule("S6.3")
def test_a_secret_that_is_written_in_two_pieces_is_masked(cli, contract, given, program):
    """The log is handed on in whole lines."""
    body = (
        "key = os.environ['API_KEY']\n"
        "for piece in (key[:6], key[6:], '\\n'): print(piece, end='', file=sys.stderr, flush=True); time.sleep(0.3)\n"
    )
    done = cli(
        "run", contract(), given(), "--secret-env", "API_KEY", *program(body + OK), env={"API_KEY": "s3cret-value"}
    )
    assert (done.code, "| ***\n" in done.err) == (0, True)
    assert "s3cret" not in done.err
    assert "value" not in done.err


def test_the_callers_trace_goes_on(cli, contract, given, program):
    trace = "0af7651916cd43dd8448eb211c80319c"
    env = {"TRACEPARENT": f"00-{trace}-b7ad6b7169203331-01"}
    done = cli("run", contract(), given(), "--envelope", *program(OK), env=env)
    assert done.document["observability"]["trace_id"] == trace
