"""Bounds to the last unit: what reaches one exactly is allowed, and nothing is asked after it."""

import pytest

from workermd.backends.agents.meter import Exceeded, Meter
from workermd.task.binding import Model
from workermd.task.task import Budget

MODEL = Model("m", "http://127.0.0.1:1/v1", input_price=1.0, output_price=10.0)


def usage(read, written):
    """Tokens that were read and written."""
    return read, written


def budget(**bounds):
    return Budget(**{"max_tokens": None, "max_cost_usd": None, "max_tool_calls": None, "max_turns": None, **bounds})


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    ("bound", "exactly"),
    [({"max_tokens": 30}, usage(20, 10)), ({"max_cost_usd": 0.00012}, usage(20, 10)), ({"max_turns": 1}, usage(1, 1))],
    ids=["tokens", "cost", "turns"],
)
def test_a_bound_that_is_exactly_reached_is_kept_and_ends_the_asking(bound, exactly):
    meter = Meter(budget(**bound))
    meter.may_ask()
    meter.count_tokens(MODEL, exactly)
    with pytest.raises(Exceeded, match=next(iter(bound))):
        meter.may_ask()
    assert meter.usage["turns"] == 1


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    ("bound", "below"),
    [({"max_tokens": 31}, usage(20, 10)), ({"max_cost_usd": 0.000121}, usage(20, 10)), ({"max_turns": 2}, usage(9, 9))],
    ids=["tokens", "cost", "turns"],
)
def test_below_a_bound_one_more_is_asked(bound, below):
    meter = Meter(budget(**bound))
    meter.may_ask()
    meter.count_tokens(MODEL, below)
    meter.may_ask()


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("bound", [{"max_tokens": 29}, {"max_cost_usd": 0.000119}], ids=["tokens", "cost"])
def test_one_unit_over_a_bound_is_too_much(bound):
    meter = Meter(budget(**bound))
    meter.may_ask()
    with pytest.raises(Exceeded, match=next(iter(bound))):
        meter.count_tokens(MODEL, usage(20, 10))


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize("bound", [{"max_tokens": 0}, {"max_cost_usd": 0}, {"max_turns": 0}])
def test_nothing_is_asked_where_nothing_is_left(bound):
    """So the next attempt finds a bound that the ones before it have reached."""
    with pytest.raises(Exceeded, match=next(iter(bound))):
        Meter(budget(**bound)).may_ask()


@pytest.mark.rule("S3.6")
def test_the_last_tool_call_is_allowed_and_a_denied_one_counts():
    meter = Meter(budget(max_tool_calls=2))
    meter.may_call_tool()
    meter.count_denied()
    with pytest.raises(Exceeded, match="max_tool_calls"):
        meter.may_call_tool()
    with pytest.raises(Exceeded, match="max_tool_calls"):
        meter.count_denied()
    assert (meter.tool_calls, meter.denied) == (2, 1)


@pytest.mark.rule("S3.6")
def test_prices_are_for_a_million_tokens_of_each_kind():
    meter = Meter(budget())
    meter.count_tokens(MODEL, usage(2_000_000, 300_000))
    assert meter.usage["cost_usd"] == 5.0
