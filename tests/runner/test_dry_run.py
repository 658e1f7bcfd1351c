"""`run --dry-run` says what would happen, refusals included, and leaves no trace."""

import os

import pytest

OK = "reply({'status': 'ok', 'result': {}})"


@pytest.mark.rule("S2.2", "S2.3", "S4.5")
def test_a_plan_names_the_refusal(cli, contract, given, program):
    """With the exit code that the run would have."""
    spec, backend = contract(), program("time.sleep(60)")
    broken = cli("run", spec, "-", "--dry-run", *backend, given="{")
    assert (broken.code, broken.document["would"], broken.document["code"]) == (3, "refuse", "input_schema_mismatch")
    mismatch = cli("run", spec, given(task=7), "--dry-run", *backend)
    assert mismatch.document["problems"] == ["/task: is an integer, allowed: string"]
    unusable = cli("run", spec, given("a\nb"), "--dry-run", *backend)
    assert unusable.code == 3
    assert "1 to 512 printable characters" in unusable.document["problems"][0]
    assert not cli.ledger.exists()
    cli("run", spec, given(), "--timeout", "0.5", *backend)
    open_run = cli("run", spec, given(), "--dry-run", *backend)
    assert (open_run.code, open_run.document["would"], open_run.document["attempts_left"]) == (0, "attempt", 1)
    changed = cli("run", contract(purpose="Another."), given(), "--dry-run", *backend)
    assert (changed.code, changed.document["code"]) == (3, "contract_changed")


@pytest.mark.rule("S5.6")
def test_a_plan_says_who_chose_the_backend_and_quotes_no_argument(cli, contract, given):
    """An argument of a program may be a secret."""
    done = cli("run", contract(), given(), "--dry-run", "--backend", "command", "--", "true", "--token=hunter2")
    assert done.document["backend"] == {
        "kind": "command",
        "chosen_by": "the command line",
        "module": "workermd.backends.command",
        "program": "true",
        "arguments": 1,
    }
    assert "hunter2" not in done.out.decode()
    assert done.document["bounds"] == {"timeout": 20.0, "attempt_timeout": None, "max_attempts": 2}


def test_a_ledger_whose_path_is_no_utf8_can_be_named(cli, contract, given, program):
    path = os.fsdecode(b"\xff.db")
    planned = cli("run", contract(), given(), "--dry-run", "--ledger", path, *program(OK))
    assert (planned.code, planned.document["would"]) == (0, "attempt")
    assert cli("runs", "list", "--format", "json", "--ledger", path).document["runs"] == []
