"""What an attempt left behind becomes one verdict: to the last byte of a bound, by the contract's own statuses."""

import pytest

from tests.conftest import FOUR, contract_text
from workermd.contract.reader import read
from workermd.contract.schema import checker
from workermd.runner import verdict
from workermd.task.task import Result, failed

ALL = [*FOUR, "needs_human"]


def contract_of(**parts):
    contract = read(contract_text(**parts).encode(), "a.worker.md").contract
    assert contract is not None
    return contract


def judge(result, **parts):
    contract = contract_of(**parts)
    return verdict.judge(contract, checker(contract.output_schema, contract.output_draft), "r1", result)


def judged(output, **constraints):
    return judge(Result(output=output), constraints=constraints)


@pytest.mark.rule("S2.5", "S3.6")
@pytest.mark.parametrize("text", ["x", "ü", "\U0001f600"], ids=["one byte", "two bytes", "four bytes"])
@pytest.mark.parametrize(
    "constraints", [{"max_output_bytes": 2000}, {}], ids=["a bound of the contract", "the default"]
)
def test_an_output_one_byte_over_its_bound_is_refused(text, constraints):
    """Bytes of UTF-8 are counted, not characters; the bound itself is allowed."""
    most = constraints.get("max_output_bytes", 1 << 20)
    whole = f'{{"status": "ok", "result": {{"a": "{text}"}}}}'
    exactly = whole + " " * (most - len(whole.encode()))
    assert judged(exactly, **constraints).outcome == "ok"
    over = judged(exactly + " ", **constraints)
    assert (over.outcome, over.failure.code) == ("invalid_output", "output_too_large")
    assert str(most) in over.failure.message


OK = '{"status": "ok", "result": {}}'


@pytest.mark.rule("S8.2")
def test_a_reply_that_was_cut_off_is_none():
    """Though what there is of it is valid."""
    assert judge(Result(output=OK, finish_reason="stop")).outcome == "ok"
    assert judge(Result(output=OK, finish_reason="length")).failure.code == "output_truncated"


@pytest.mark.rule("S8.2")
def test_what_a_reply_may_leave_out_is_filled_in_and_nothing_else():
    assert judge(Result(output='{"result": {}}')).document == {"run_id": "r1", "status": "ok", "result": {}}
    assert judge(Result(output='{"run_id": "r1", "result": {}}')).outcome == "ok"
    assert judge(Result(output='{"run_id": "r2", "result": {}}')).failure.code == "run_id_mismatch"
    assert judge(Result(output='{"run_id": null, "result": {}}')).failure.code == "run_id_mismatch"


@pytest.mark.rule("S2.5")
def test_the_next_attempt_is_told_of_twenty_mismatches_at_most():
    output = '{"result": {}, ' + ", ".join(f'"x{number}": 1' for number in range(30)) + "}"
    found = judge(Result(output=output))
    assert (found.failure.code, len(found.feedback)) == ("output_schema_mismatch", 20)
    assert set(found.feedback[0]) == {"pointer", "keyword", "message"}


@pytest.mark.rule("S1.3", "S1.6")
@pytest.mark.parametrize(
    ("status", "statuses", "success", "outcome"),
    [
        ("partial", [*FOUR, "partial"], None, "ok"),
        ("partial", FOUR, None, "invalid_output"),
        ("needs_human", ALL, None, "needs_human"),
        ("needs_human", ALL, "[ok, needs_human]", "ok"),
        ("retryable_error", FOUR, None, "retryable_error"),
    ],
)
def test_the_contract_says_what_a_status_means(status, statuses, success, outcome):
    constraints = {"success_statuses": success}
    found = judge(Result(output=OK.replace("ok", status)), statuses=statuses, constraints=constraints)
    assert found.outcome == outcome
    if status not in statuses:
        assert found.failure.code == "status_not_allowed"


@pytest.mark.rule("S1.4", "S3.4")
@pytest.mark.parametrize(
    ("kind", "statuses", "status", "transient"),
    [
        ("retryable", FOUR, "retryable_error", True),
        ("invalid_output", FOUR, "invalid_output", True),
        ("invalid_request", FOUR, "invalid_request", False),
        ("refused", FOUR, "invalid_output", False),
        ("refused", ALL, "needs_human", False),
        ("timeout", FOUR, "retryable_error", True),
    ],
)
def test_each_kind_of_failure_has_its_status(kind, statuses, status, transient):
    found = judge(failed(kind, "backend_failed", "said"), statuses=statuses)
    assert (found.status, found.transient) == (status, transient)
    assert found.failure.retryable is transient


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize("details", [{"after": 3.5}, {"after": 0}, {}])
def test_how_long_to_wait_reaches_the_back_off(details):
    assert judge(failed("retryable", "rate_limited", "said", **details)).after == details.get("after")


@pytest.mark.rule("S4.7")
@pytest.mark.parametrize(("statuses", "status"), [(FOUR, "retryable_error"), (ALL, "needs_human")])
@pytest.mark.parametrize("last", [verdict.crashed("was lost"), verdict.cancelled()], ids=["crashed", "cancelled"])
def test_an_unknown_outcome_of_the_last_attempt_asks_for_a_person(last, statuses, status):
    found = verdict.last_word(contract_of(statuses=statuses), last)
    assert (found.status, found.transient) == (status, False)
    assert (found.failure.code, found.failure.retryable) == ("attempts_exhausted", False)


@pytest.mark.rule("S3.2")
def test_nothing_is_retryable_when_no_attempt_is_left():
    found = verdict.last_word(contract_of(statuses=ALL), verdict.timed_out(whole_run=True))
    assert (found.status, found.failure.code, found.failure.retryable) == ("retryable_error", "timeout", False)
