"""What the supervisor sends arrives whole or not at all."""

import os

import pytest

from tests.attempt_process import a_task
from workermd.attempt.order import Order, encode, encode_binding, receive, receive_binding
from workermd.task.binding import Binding
from workermd.task.task import Budget, Limits


def through_a_pipe(data, receive_it):
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        return receive_it(reading)
    finally:
        os.close(reading)


def test_an_order_arrives_as_it_was_sent(tmp_path):
    limits = Limits(12.5, 100, Budget(max_tokens=3, max_cost_usd=0.5), "journal")
    order = Order(a_task(tmp_path), limits, {"A": "ü"}, str(tmp_path), "a" * 32)
    assert through_a_pipe(encode(order), receive) == order
    binding = Binding("command", "here", command=("a", "b"), retry_exit_codes=(3,))
    assert through_a_pipe(encode_binding(binding), receive_binding) == binding


@pytest.mark.rule("S4.3")
@pytest.mark.parametrize(
    "kept", [0, 4, 8, 9, -1], ids=["nothing", "half a length", "a length", "a byte", "all but one"]
)
def test_an_order_that_was_cut_is_none(tmp_path, kept):
    """Its supervisor died while it wrote."""
    order = Order(a_task(tmp_path), Limits(12.5, 100), {}, str(tmp_path), "a" * 32)
    assert through_a_pipe(encode(order)[:kept], receive) is None
