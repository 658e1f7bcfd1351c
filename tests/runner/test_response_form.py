"""A failure beside the outputs is that failure, and the response form is unwrapped (S5.3)."""

import json

import pytest

from tests.runner.test_published_examples import contract_of
from workermd.contract.schema import checker
from workermd.runner.verdict import judge
from workermd.task.task import Result

GOOD = {"merged": {"a": 1}, "conflicts": [], "completeness": 1}


def judged(document, name="aggregator-worker"):
    contract = contract_of(name)
    return judge(
        contract, checker(contract.output_schema, contract.output_draft), "r1", Result(output=json.dumps(document))
    )


@pytest.mark.rule("S5.3")
@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        {"status": "ok", "outputs": GOOD},
        {"status": "ok", "outputs": GOOD, "observability": {"attempt": 1}, "artifacts": [], "logs": []},
    ],
)
def test_the_outputs_are_the_answer(reply):
    found = judged(reply)
    assert (found.status, found.document) == ("ok", GOOD)


@pytest.mark.rule("S5.3")
def test_the_outputs_of_a_response_are_checked():
    found = judged({"status": "ok", "outputs": {"merged": 7}})
    assert (found.status, found.failure.code) == ("invalid_output", "output_schema_mismatch")


@pytest.mark.rule("S5.3", "S1.4")
@pytest.mark.parametrize(
    ("reply", "status", "code", "transient"),
    [
        ({"status": "retryable_error"}, "retryable_error", "task_reported", True),
        (
            {"status": "invalid_request", "error": {"code": "input_rejected"}},
            "invalid_request",
            "input_rejected",
            False,
        ),
        (
            {"status": "invalid_output", "error_code": "merge_conflict", "retryable": False},
            "invalid_output",
            "task_reported",
            False,
        ),
        (
            {"status": "retryable_error", "outputs": GOOD, "error": {"code": "rate_limited", "retryable": True}},
            "retryable_error",
            "rate_limited",
            True,
        ),
        ({"status": "needs_human", "outputs": {}}, "needs_human", "approval_required", False),
        (GOOD | {"status": "retryable_error"}, "retryable_error", "task_reported", True),
    ],
)
def test_a_failure_is_never_a_settled_ok(reply, status, code, transient):
    found = judged(reply)
    assert (found.status, found.failure.code, found.transient, found.document) == (status, code, transient, None)
    if reply.get("error_code"):
        assert reply["error_code"] in found.failure.message


@pytest.mark.parametrize("reply", [GOOD | {"status": "ok"}, GOOD | {"status": "merged"}, GOOD | {"outputs": {}}])
def test_another_document_stays_what_it_is(reply):
    assert judged(reply).document == reply


@pytest.mark.rule("S5.2")
def test_a_contract_that_declares_its_status_reads_it_where_it_stands():
    reply = {"status": "ok", "outputs": {"a": 1}}
    assert judged(reply, "queue-based-worker").document == reply
    assert judged({"status": "retryable_error", "outputs": {}}, "queue-based-worker").status == "retryable_error"
