"""A contract's rate is held by the ledger, over all processes that share it (S3.9)."""

import json
import time

import pytest

from workermd.contract.rate_limit import RateLimit, rate_of
from workermd.ledger.sqlite.store import Ledger

OK = "reply({'result': {}})"
SCOPE = b"s" * 32


@pytest.mark.rule("S3.9")
@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/min", RateLimit(10, 60)),
        ("1/s", RateLimit(1, 1)),
        ("5/h per /tenant", RateLimit(5, 3600, "/tenant")),
        ("1000/d per /a/b", RateLimit(1000, 86400, "/a/b")),
        ("per-tenant (example: 10/min)", RateLimit(10, 60, is_exact=False)),
        ("at most 3 / hour", RateLimit(3, 3600, is_exact=False)),
        ("10/min per tenant", RateLimit(10, 60, is_exact=False)),
        ("per tenant", None),
        ("10/min, 100/h", None),
        ("0/min", None),
        ("10/fortnight", None),
        ("24/7", None),
        ("see docs/10/min.md", None),
    ],
)
def test_the_grammar(text, rate):
    assert rate_of(text) == rate
    if rate is not None:
        assert rate_of(str(rate)) == rate._replace(is_exact=True)


@pytest.mark.rule("S3.9")
def test_no_span_of_time_has_more_calls_than_the_limit(tmp_path):
    now = [10**15]
    with Ledger.open(str(tmp_path / "ledger.db"), now=lambda: now[0]) as ledger:

        def call(scope=SCOPE):
            with ledger.transaction(time.monotonic() + 10) as transaction:
                return transaction.take_call(scope, 2, 60, f"{now[0]:032x}")

        assert call() == 0
        now[0] += 20_000_000
        assert call() == 0
        assert call() == 40
        assert call(b"o" * 32) == 0
        now[0] += 39_999_999
        assert 0 < call() < 0.001
        now[0] += 1
        assert call() == 0
        assert call() == 20
        now[0] -= 10**13  # the clock was set back
        assert call() == 0


@pytest.mark.rule("S3.9")
def test_calls_are_counted_over_processes_and_a_replay_is_none(cli, contract, given, program, evidence):
    spec, backend = contract(constraints={"rate_limit": "1/min per /task"}), program(f"evidence('start'); {OK}")
    assert cli("run", spec, given("r1", task="a"), *backend).code == 0
    early = cli("run", spec, given("r2", task="a"), *backend)
    assert (early.code, early.document["status"]) == (5, "retryable_error")
    assert early.document["result"]["error"]["code"] == "rate_limited"
    assert early.document["result"]["error"]["retryable"] is True
    assert "ask again in" in early.err
    assert cli("run", spec, given("r1", task="a"), *backend).code == 0
    assert cli("run", spec, given("r3", task="b"), *backend).code == 0
    assert evidence() == ["start", "start"]
    listed = json.loads(cli("runs", "list", "--format", "json").out)
    assert "r2" not in json.dumps(listed)


@pytest.mark.rule("S3.9", "S3.1")
def test_a_call_waits_within_its_deadline(cli, contract, given, program):
    spec, backend = contract(constraints={"rate_limit": "1/s"}), program(OK)
    assert cli("run", spec, given("r1"), *backend).code == 0
    began = time.monotonic()
    codes = [cli("run", spec, given(f"r{number}"), *backend).code for number in (2, 3)]
    assert codes == [0, 0]
    assert time.monotonic() - began > 0.9
