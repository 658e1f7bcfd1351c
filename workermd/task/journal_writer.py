"""What agents do, noted as it happens: one JSON object a line, in the file that the supervisor reads.

An event is `{"at", "event", …}`: `at` in Unix microseconds, `event` one of `EVENTS`, `usage` what the attempt has used
so far wherever that changed. Texts are cut to `MAX_TEXT` characters. The supervisor masks secrets.
"""

import json
import os
import time
from typing import Any

from workermd.protocol.envelope import Document

EVENTS = {
    "request": "A request to a model was sent: agent, model, server, port, turn, span.",
    "reply": "A model answered: agent, model, status, text, tools, call_ids, finish_reason, response_model, response_id, error, "
    "used, duration_ms, span, usage. Status 0: there was no answer.",
    "fallback": "The endpoint cannot do what was asked for, and is asked again for less; or, with a reason, another model "
    "is asked instead: asked, instead, reason.",
    "tool": "A tool was called: agent, tool, arguments, span.",
    "tool_result": "A tool answered: agent, tool, text, failed, duration_ms, span, usage.",
    "given_again": "An approved call was made in an earlier attempt; its answer is given again: agent, tool, arguments, text.",
    "resumed": "An earlier attempt was resumed, and goes on live from here: agent, attempt, requests, tool_calls.",
    "reply_given_again": "A model's answer to an earlier attempt is given again: agent, model, text, tools.",
    "denied": "A tool call was refused: agent, tool, reason, usage.",
    "message": "An agent said something to the others: agent, text.",
}
"""Every event with its sentence and its fields."""

MAX_TEXT = 16384


class JournalWriter:
    """Appends events to a file, made at the first one. Without a path nothing is kept."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def note(self, event: str, **fields: Any) -> None:
        """Append an event. A full disk ends no attempt: its result is what counts."""
        if not self._path:
            return
        entry: Document = {"at": time.time_ns() // 1000, "event": event}
        entry |= {name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in fields.items()}
        line = json.dumps(entry, default=str).encode() + b"\n"
        try:
            if self._file < 0:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
            os.write(self._file, line)
        except OSError:
            return


def new_span() -> str:
    """Eight random bytes as hexadecimal digits: names an event's beginning and its end."""
    return os.urandom(8).hex()
