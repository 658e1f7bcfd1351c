"""The W3C trace context of a run: the caller's, or one of our own, and the span ids hung below it."""

import os
import re
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.system import environment
from workermd.system.digest import sha256

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """Ids as hexadecimal digits. `parent` is the caller's span, or empty; `run` is the span of this invocation. `name`
    is what the caller calls the trace, where it is of another form."""

    trace_id: str
    parent: str
    run: str
    flags: str
    name: str = ""

    @property
    def shown(self) -> str:
        """The id that answers bear: the caller's own."""
        return self.name or self.trace_id

    def attempt(self, n: int) -> str:
        """The span of attempt `n`: known to whoever knows the run's."""
        return sha256(f"{self.run}/{n}".encode()).hex()[:16]

    def document(self, n: int) -> Document:
        """What the task of attempt `n` is told."""
        return {"trace_id": self.shown, "traceparent": f"00-{self.trace_id}-{self.attempt(n)}-{self.flags}"}


def of_environment() -> Trace:
    """From `TRACEPARENT` where it is one (W3C Trace Context), else a fresh one, sampled."""
    return of_traceparent(environment.variables().get("TRACEPARENT", ""))


def of_traceparent(text: str) -> Trace:
    """From a caller's `traceparent` where it is one, else a fresh one, sampled."""
    given = _TRACEPARENT.fullmatch(text)
    run = os.urandom(8).hex()
    if given is not None and set(given[1]) != {"0"}:
        return Trace(given[1], given[2], run, given[3])
    return Trace(os.urandom(16).hex(), "", run, "01")


def named(trace_id: str, trace: Trace) -> Trace:
    """The trace under the id that a request gives it. One of another form stands for the digits of its hash."""
    plain = trace_id.replace("-", "").lower()
    is_w3c = re.fullmatch("[0-9a-f]{32}", plain) is not None and set(plain) != {"0"}
    digits = plain if is_w3c else sha256(trace_id.encode()).hex()[:32]
    return Trace(digits, "", trace.run, trace.flags, trace_id)
