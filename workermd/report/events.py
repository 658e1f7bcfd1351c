"""What agents do, as it happens: one line for people, one JSON object a line for machines."""

import json
import os
import time

from workermd.envelope import Document
from workermd.errors import OutputUnwritable

_LONGEST = 300
"""Characters of a text that a line for people shows."""


def told(event: Document) -> str:
    """An event as one line, or nothing for what says no more than its successor."""
    line = _LINES.get(event["event"])
    return line(event) if line is not None else ""


def _message(event: Document) -> str:
    return f"{event.get('agent')}: {_short(event.get('text', ''))}"


def _tool(event: Document) -> str:
    arguments = json.dumps(event.get("arguments"), ensure_ascii=False)
    return f"{event.get('agent')} calls {event.get('tool')} {_short(arguments)}"


def _tool_result(event: Document) -> str:
    failed = " failed" if event.get("failed") else ""
    return f"{event.get('tool')}{failed}: {_short(event.get('text', ''))} ({_seconds(event)})"


def _denied(event: Document) -> str:
    return f"{event.get('agent')} may not call {event.get('tool')}: {event.get('reason')}"


def _fallback(event: Document) -> str:
    return (
        f"{event.get('agent')}: the endpoint cannot do {event.get('asked')}; asking for {event.get('instead')} instead"
    )


def _reply(event: Document) -> str:
    who = event.get("agent")
    status = event.get("status", 200)
    if status != 200:
        return f"{who}: the endpoint answered {status} ({_seconds(event)})"
    said = [_short(event["text"])] if event.get("text") else []
    said += [f"[calls {', '.join(event['tools'])}]"] if event.get("tools") else []
    usage = event.get("usage", {})
    tokens = f", {usage['input_tokens']}+{usage['output_tokens']} tokens so far" if "input_tokens" in usage else ""
    return f"{who}: {' '.join(said) or '(nothing)'} ({_seconds(event)}{tokens})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _seconds(event: Document) -> str:
    return f"{event.get('duration_ms', 0) / 1000:.2f} s"


_LINES = {
    "reply": _reply,
    "message": _message,
    "tool": _tool,
    "tool_result": _tool_result,
    "denied": _denied,
    "fallback": _fallback,
}


class EventFile:
    """Appends every event to a file, with the attempt it belongs to, and the run's end.

    Raises OutputUnwritable when it is made; a disk that fills up later ends no run.
    """

    def __init__(self, path: str) -> None:
        self._n = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputUnwritable(
                f"{path}: events cannot be written ({error.strerror})", "name another file with --events"
            ) from None

    def attempt(self, n: int, most: int) -> None:
        self._n = n
        self._write({"at": time.time_ns() // 1000, "event": "attempt", "max_attempts": most})

    def event(self, event: Document) -> None:
        self._write(event)

    def ended(self, outcome: str, code: str) -> None:
        self._write(
            {"at": time.time_ns() // 1000, "event": "attempt_ended", "outcome": outcome}
            | ({"code": code} if code else {})
        )

    def finished(self, envelope: Document) -> None:
        kept = ("worker_id", "version", "run_id", "status", "exit_code", "usage", "replayed")
        self._n = 0
        self._write({"at": time.time_ns() // 1000, "event": "run"} | {name: envelope.get(name) for name in kept})
        os.close(self._file)

    def _write(self, event: Document) -> None:
        if self._n:
            event = {**event, "attempt": self._n}
        try:
            os.write(self._file, (json.dumps(event, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        except OSError:
            return
