"""A worker's bounds: tightened to their edge and no further, and what earlier attempts have left of them."""

import pytest

from tests.conftest import FOUR, contract_text
from workermd.contract.reader import read
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.runner.worker import Worker
from workermd.task.binding import Binding, Model
from workermd.task.task import Budget

PRICED = Model("m", "http://127.0.0.1:1/v1", input_price=1.0, output_price=2.0)


def worker(binding=None, statuses=FOUR, *, timeout=None, max_attempts=None, **constraints):
    contract = read(contract_text(statuses=statuses, constraints=constraints).encode(), "a.worker.md").contract
    assert contract is not None
    bound = binding or Binding("command", "the test", command=("true",))
    return Worker(contract, bound, timeout=timeout, max_attempts=max_attempts)


@pytest.mark.rule("S3.7")
@pytest.mark.parametrize(("timeout", "taken"), [(20, True), (20.001, False), (0.001, True), (0, False), (-1, False)])
def test_a_deadline_is_tightened_down_to_nothing(timeout, taken):
    if taken:
        assert worker(timeout=timeout).bounds.timeout == timeout
        return
    with pytest.raises(UsageError, match="--timeout"):
        worker(timeout=timeout)


@pytest.mark.rule("S3.7")
@pytest.mark.parametrize(("starts", "taken"), [(2, True), (3, False), (1, True), (0, False)])
def test_starts_are_tightened_down_to_one(starts, taken):
    if taken:
        assert worker(max_attempts=starts).bounds.max_attempts == starts
        return
    with pytest.raises(UsageError, match="--max-attempts"):
        worker(max_attempts=starts)


def chat(**changes):
    return Binding("chat", "the test", model=PRICED, **changes)


@pytest.mark.rule("S3.6")
def test_what_earlier_attempts_used_is_gone():
    """Tokens read and written alike; what went beyond a bound leaves nothing, and no debt."""
    bound = worker(chat(), max_tokens=100, max_cost_usd=1, max_tool_calls=5, max_turns=9)
    used = {"input_tokens": 60, "output_tokens": 30, "cost_usd": 0.25, "tool_calls": 4, "turns": 7}
    assert bound.budget_after(used) == Budget(10, 0.75, 1, 2)
    beyond = {"input_tokens": 90, "output_tokens": 30, "cost_usd": 2, "tool_calls": 6, "turns": 10}
    assert bound.budget_after(beyond) == Budget(0, 0, 0, 0)
    assert worker(chat()).budget_after(used) == Budget()


@pytest.mark.rule("S3.7")
@pytest.mark.parametrize(("contract", "operator", "left"), [(9, 4, 3), (4, 9, 3), (None, 4, 3), (4, None, 3)])
def test_of_two_bounds_of_turns_the_tighter_one_holds(contract, operator, left):
    bound = worker(chat(max_turns=operator), max_turns=contract)
    assert bound.budget_after({"turns": 1}).max_turns == left


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("price", [{"input_price": None}, {"output_price": None}])
def test_a_cost_is_bounded_where_both_prices_are_known(price):
    worker(chat(), max_cost_usd=1)
    with pytest.raises(ConfigurationError, match="the price of model 'm' is not known"):
        worker(chat()._replace(model=PRICED._replace(**price)), max_cost_usd=1)
    with pytest.raises(ConfigurationError, match="the price of model 'm' is not known"):
        worker(chat(models={"other": PRICED._replace(**price)}), max_cost_usd=1)


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("bound", ["max_tokens", "max_cost_usd", "max_tool_calls", "max_turns"])
def test_a_program_holds_no_bound_on_models(bound):
    with pytest.raises(ConfigurationError, match=f"cannot enforce the contract's {bound}"):
        worker(**{bound: 1})
    worker(max_output_bytes=100)
