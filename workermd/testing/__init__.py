"""An OpenAI-compatible server on loopback that plays scripts, to test workers, bindings and clients without a model.

    from workermd.testing import Problem, Server, Text

    with Server([Problem(429, retry_after=1), Text('{"a": 1}')]) as server:
        ...  # point a client at server.url
        assert len(server.requests) == 2

`docs/testing.md` has every kind of turn by example. The standard library is all it needs.
"""

from workermd.testing.demands import DIALECTS, FEATURES
from workermd.testing.script import load
from workermd.testing.server import Server
from workermd.testing.turns import (
    Call,
    Compressed,
    ContentFilter,
    ContentParts,
    Drop,
    Empty,
    FunctionCall,
    Garbage,
    Hang,
    Problem,
    Received,
    Refusal,
    Script,
    Slow,
    Streamed,
    Text,
    ToolCalls,
    Truncated,
    Turn,
    Usage,
)

__all__ = [
    "DIALECTS",
    "FEATURES",
    "Call",
    "Compressed",
    "ContentFilter",
    "ContentParts",
    "Drop",
    "Empty",
    "FunctionCall",
    "Garbage",
    "Hang",
    "Problem",
    "Received",
    "Refusal",
    "Script",
    "Server",
    "Slow",
    "Streamed",
    "Text",
    "ToolCalls",
    "Truncated",
    "Turn",
    "Usage",
    "load",
]
