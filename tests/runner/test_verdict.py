"""A reply is judged to the last byte of its bound."""

import pytest

from tests.conftest import contract_text
from workermd.contract.reader import read
from workermd.contract.schema import checker
from workermd.runner import verdict
from workermd.task.task import Result


def judged(output, **constraints):
    contract = read(contract_text(constraints=constraints).encode(), "a.worker.md").contract
    assert contract is not None
    return verdict.judge(contract, checker(contract.output_schema, contract.output_draft), "r1", Result(output=output))


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
