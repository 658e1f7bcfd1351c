"""A run belongs to the caller's trace where there is one."""

import pytest

from workermd.runner.trace import of_environment

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (f"00-{TRACE}-{SPAN}-00", True),
        (f"cc-{TRACE}-{SPAN}-01-more", True),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f"00-{TRACE}-{SPAN}-01x", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        ("", False),
    ],
    ids=["not sampled", "a later version", "nothing but zeros", "no flags", "longer", "large letters", "none"],
)
def test_whose_trace_it_is(monkeypatch, given, taken):
    monkeypatch.setenv("TRACEPARENT", given)
    trace = of_environment()
    assert (trace.trace_id == TRACE, trace.parent == SPAN) == (taken, taken)
    assert trace.flags == (given.split("-")[3] if taken else "01")


def test_every_attempt_has_a_span_of_its_own(monkeypatch):
    """Known to whoever knows the run's, and another for each run."""
    trace = of_environment()
    spans = [trace.attempt(n) for n in (1, 2, 3)]
    assert len({*spans, trace.run}) == 4
    assert spans == [trace.attempt(n) for n in (1, 2, 3)]
    assert of_environment().attempt(1) != spans[0]
    assert trace.document(2)["traceparent"] == f"00-{trace.trace_id}-{spans[1]}-{trace.flags}"
