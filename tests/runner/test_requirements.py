"""What a contract asks of the backend that is to run it: a purpose, bounds that it holds."""

import pytest

from workermd.protocol.bounds import COUNTED, KINDS_THAT_COUNT, USED
from workermd.task.task import KINDS

OK = "reply({'status': 'ok', 'result': {'purpose': task['purpose']}})"
CHAT = ("--backend", "chat", "--model", "m", "--base-url", "http://127.0.0.1:1/v1")


@pytest.mark.rule("S8.6")
def test_a_model_is_not_asked_without_a_purpose_and_a_program_is_with_a_warning(
    cli, contract, given, program, evidence
):
    spec, document, backend = contract(purpose=""), given(), program(f"evidence('start'); {OK}")
    for more in ((), ("--dry-run",)):
        refused = cli("run", spec, document, *CHAT, *more)
        assert (refused.code, refused.document["error"]["code"]) == (2, "configuration")
        assert "without a purpose" in refused.document["error"]["message"]
    done = cli("run", spec, document, "--envelope", *backend)
    assert (done.code, done.document["outputs"]["result"]) == (0, {"purpose": ""})
    assert ["no purpose" in note for note in done.document["notes"]] == [True]
    assert "no purpose" in done.err
    replayed = cli("run", spec, document, *CHAT)
    assert (replayed.code, "replayed" in replayed.err) == (0, True)
    assert evidence() == ["start"]


@pytest.mark.rule("S8.6")
@pytest.mark.parametrize("written", ["**Purpose:** Answer.", "### Purpose\n\nAnswer."])
def test_a_purpose_in_another_form_reaches_the_task(cli, contract, given, program, written):
    spec = contract(purpose="Answer.")
    spec.write_text(spec.read_text().replace("Purpose: Answer.", written))
    done = cli("run", spec, given(), "--envelope", *program(OK))
    assert (done.document["outputs"]["result"], done.document["notes"]) == ({"purpose": "Answer."}, [])


def test_the_kinds_that_count_are_those_of_the_table():
    assert {kind for kind, row in KINDS.items() if row.enforces >= set(COUNTED)} == {*KINDS_THAT_COUNT, "replay"}
    assert {kind for kind, row in KINDS.items() if row.reports == set(USED)} == {"function", "command"}
