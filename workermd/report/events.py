"""What agents do, as it happens: one line for people, one JSON object a line for machines."""

import json
import os
import select
import time

from workermd.protocol.envelope import Document
from workermd.protocol.errors import OutputUnwritable
from workermd.runner.events import AgentActed, AttemptEnded, AttemptStarted, Event, RunFinished
from workermd.system.text import folded, shortened

_LONGEST = 300
"""Characters of a text that a line for people shows."""


def told(event: Document) -> str:
    """An event as one line, or nothing for what says no more than its successor."""
    line = _LINES.get(event["event"])
    return line(event) if line is not None else ""


def _message(event: Document) -> str:
    return f"{event.get('agent')}: {shortened(folded(event.get('text', '')), _LONGEST)}"


def _tool(event: Document) -> str:
    arguments = json.dumps(event.get("arguments"), ensure_ascii=False)
    return f"{event.get('agent')} calls {event.get('tool')} {shortened(folded(arguments), _LONGEST)}"


def _tool_result(event: Document) -> str:
    failed = " failed" if event.get("failed") else ""
    return f"{event.get('tool')}{failed}: {shortened(folded(event.get('text', '')), _LONGEST)} ({_seconds(event)})"


def _given_again(event: Document) -> str:
    return f"{event.get('tool')} was approved and called before, and is not called again"


def _denied(event: Document) -> str:
    return f"{event.get('agent')} may not call {event.get('tool')}: {event.get('reason')}"


def _fallback(event: Document) -> str:
    who, asked, instead = (event.get(name) for name in ("agent", "asked", "instead"))
    if event.get("reason"):
        return f"{who}: {asked} gave no answer ({event['reason']}); asking {instead} instead"
    return f"{who}: the endpoint cannot do {asked}; asking for {instead} instead"


def _reply(event: Document) -> str:
    who = event.get("agent")
    status = event.get("status", 200)
    if status == 0:
        return f"{who}: the endpoint cannot be reached ({_seconds(event)})"
    if status != 200 or event.get("error"):
        told = f", which is no answer: {event['error']}" if status == 200 else ""
        return f"{who}: the endpoint answered {status}{told} ({_seconds(event)})"
    said = [shortened(folded(event["text"]), _LONGEST)] if event.get("text") else []
    said += [f"[calls {', '.join(event['tools'])}]"] if event.get("tools") else []
    usage = event.get("usage", {})
    tokens = f", {usage['input_tokens']}+{usage['output_tokens']} tokens so far" if "input_tokens" in usage else ""
    return f"{who}: {' '.join(said) or '(nothing)'} ({_seconds(event)}{tokens})"


def _seconds(event: Document) -> str:
    return f"{event.get('duration_ms', 0) / 1000:.2f} s"


_LINES = {
    "reply": _reply,
    "message": _message,
    "tool": _tool,
    "tool_result": _tool_result,
    "given_again": _given_again,
    "denied": _denied,
    "fallback": _fallback,
}


PATIENCE = 0.04
"""Seconds that a run waits for whoever reads events from a pipe. Who reads nothing for so long gets nothing further."""


_OF_THE_END = ("worker_id", "version", "run_id", "status", "exit_code", "usage", "replayed")


class EventDocuments:
    """Events as documents, each with the attempt that it belongs to: what a file has a line of, and a stream a message."""

    def __init__(self) -> None:
        self._n = 0

    def of(self, event: Event) -> Document | None:
        """None for what is no news to a program."""
        match event:
            case AttemptStarted(n, most, _):
                self._n = n
                return self._placed({"at": time.time_ns() // 1000, "event": "attempt", "max_attempts": most})
            case AgentActed(document):
                return self._placed(document)
            case AttemptEnded(outcome, code):
                ended = {"at": time.time_ns() // 1000, "event": "attempt_ended", "outcome": outcome}
                return self._placed(ended | ({"code": code} if code else {}))
            case RunFinished(envelope):
                self._n = 0
                return {"at": time.time_ns() // 1000, "event": "run"} | {
                    each: envelope.get(each) for each in _OF_THE_END
                }
        return None

    def _placed(self, document: Document) -> Document:
        return {**document, "attempt": self._n} if self._n else document


class EventFile:
    """Appends every event to a file, with the attempt it belongs to, and the run's end.

    Raises OutputUnwritable when it is made; a disk that fills up later, or a pipe that nobody empties, ends no run and
    holds none up.
    """

    def __init__(self, path: str) -> None:
        self._documents = EventDocuments()
        self._given_up = False
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise OutputUnwritable(
                f"{path}: events cannot be written ({error.strerror})", "name another file with --events"
            ) from None

    def __call__(self, event: Event) -> None:
        document = self._documents.of(event)
        if document is not None:
            self._write(document)
        if isinstance(event, RunFinished):
            os.close(self._file)

    def _write(self, event: Document) -> None:
        if self._given_up:
            return
        left = memoryview((json.dumps(event, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        until = time.monotonic() + PATIENCE
        while left:
            try:
                left = left[os.write(self._file, left) :]
            except BlockingIOError:
                if not _writable(self._file, until - time.monotonic()):
                    self._given_up = True
                    return
            except OSError:
                return


def _writable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return seconds > 0 and bool(poll.poll(seconds * 1000))
