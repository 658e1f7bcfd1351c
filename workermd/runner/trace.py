"""The W3C trace context of a run: the caller's, or one of our own, and the span ids hung below it."""

import os
import re
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.system.digest import sha256

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """Ids as hexadecimal digits. `parent` is the caller's span, or empty; `run` is the span of this invocation."""

    trace_id: str
    parent: str
    run: str
    flags: str

    def attempt(self, n: int) -> str:
        """The span of attempt `n`: known to whoever knows the run's."""
        return sha256(f"{self.run}/{n}".encode()).hex()[:16]

    def document(self, n: int) -> Document:
        """What the task of attempt `n` is told."""
        return {"trace_id": self.trace_id, "traceparent": f"00-{self.trace_id}-{self.attempt(n)}-{self.flags}"}


def of_environment() -> Trace:
    """From `TRACEPARENT` where it is one (W3C Trace Context), else a fresh one, sampled."""
    given = _TRACEPARENT.fullmatch(os.environ.get("TRACEPARENT", ""))
    run = os.urandom(8).hex()
    if given is not None and set(given[1]) != {"0"}:
        return Trace(given[1], given[2], run, given[3])
    return Trace(os.urandom(16).hex(), "", run, "01")
