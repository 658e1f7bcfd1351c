"""The conversation of a run's earlier attempts: each answered request and each tool call, kept before anybody acts on it.

An attempt that crashed, was killed or ran out of time leaves it to the next one, which is given the same answers to the
same requests and goes live where they end (S3.10). One file a run, one JSON object a line, appended by one attempt at a
time: the run's lock sees to that. Where masking would change a request or an answer, it is not kept.
"""

import json
import os
from collections import defaultdict
from typing import Literal, NamedTuple

from workermd.protocol.envelope import Document
from workermd.system.digest import sha256
from workermd.task.masking import Mask

MAX_BYTES = 64 << 20
"""Beyond that no further answer is kept, and what follows is asked anew. Calls are: none may be repeated unseen."""

_CHUNK = 1 << 20


class Sent(NamedTuple):
    """A request to a model: whose it is, and its body."""

    agent: str
    request: Document


class KeptAnswer(NamedTuple):
    """A model's answer to one request: its status is 200. `turn` is the number of the request in its attempt."""

    attempt: int
    turn: int
    headers: Document
    content: str


class KeptCall(NamedTuple):
    """A tool call of an earlier attempt. `begun`: it was made, and its answer is unknown; `ended`: it is `text`."""

    attempt: int
    state: Literal["begun", "ended"]
    text: str = ""


class KeptConversation:
    """What may be given again in this attempt, and where it keeps its own. `fd` is open for both; below 0: nothing is
    kept. Models' answers of attempts before `answers_since` are not given again."""

    def __init__(self, fd: int, mask: Mask, attempt: int, answers_since: int) -> None:
        self._fd = fd
        self._mask = mask
        self._attempt = attempt
        self._answers_since = answers_since
        self._answers: defaultdict[str, list[KeptAnswer]] = defaultdict(list)
        self._calls: defaultdict[str, list[KeptCall]] = defaultdict(list)
        self._size = 0
        self.answers_given = 0
        self.calls_given = 0
        self.from_attempt = 0
        """The latest attempt of which something was given again."""
        if fd >= 0:
            self._read()
        self.has_answers = bool(self._answers)
        """Whether there were answers, when the attempt began, that may be given again."""

    # --- what earlier attempts came to --------------------------------------------------------------------

    def answer(self, sent: Sent) -> KeptAnswer | None:
        """The answer to this very request, each given once; None where it has to be asked."""
        left = self._answers.get(self._key(*sent))
        if not left:
            return None
        found = left.pop(0)
        self.answers_given += 1
        self.from_attempt = max(self.from_attempt, found.attempt)
        return found

    def call(self, tool: str, arguments: Document, *, repeatable: bool) -> KeptCall | None:
        """What came of the n-th call of this tool with these arguments, asked for the n-th time; None where it has to be
        made. A call that may be repeated is, where its answer is unknown or the models are to answer anew."""
        left = self._calls.get(self._key(tool, arguments))
        if not left:
            return None
        found = left.pop(0)
        if repeatable and (found.state == "begun" or found.attempt < self._answers_since):
            return None
        self.calls_given += 1
        self.from_attempt = max(self.from_attempt, found.attempt)
        return found

    @property
    def resumed_from(self) -> Document | None:
        """For the envelope: what was given again, and of which attempt the latest of it was."""
        if not self.from_attempt:
            return None
        return {"attempt": self.from_attempt, "requests": self.answers_given, "tool_calls": self.calls_given}

    # --- what this one comes to -----------------------------------------------------------------------------

    def keep_answer(self, sent: Sent, turn: int, headers: Document, body: bytes) -> None:
        """Keep a completion before the framework sees it. Never raises: without it the request is made again."""
        try:
            content = body.decode()
        except UnicodeDecodeError:
            return
        if self._fd >= 0 and self._mask.value(sent.request) == sent.request and self._mask.text(content) == content:
            kept = KeptAnswer(self._attempt, turn, headers, content)
            self._append({"asked": self._key(*sent), **kept._asdict()})

    def begin_call(self, tool: str, arguments: Document) -> str:
        """Keep that a call begins, before it does. Its key, for `end_call`. Raises OSError: else it might be repeated."""
        key = self._key(tool, arguments)
        if self._fd >= 0 and not self._append({"called": key, "attempt": self._attempt}):
            raise OSError("a tool call that begins cannot be kept")
        return key

    def end_call(self, key: str, text: str) -> None:
        """Keep what a call answered, before anybody hears it. Never raises: without it the answer is unknown later."""
        if self._fd >= 0:
            self._append({"ended": key, "attempt": self._attempt, "text": self._mask.text(text)})

    def _key(self, *parts: object) -> str:
        text = json.dumps(self._mask.value(parts), sort_keys=True, ensure_ascii=False)
        return sha256(text.encode("utf-8", "surrogatepass")).hex()

    def _append(self, entry: Document) -> bool:
        line = json.dumps(entry).encode() + b"\n"
        if "asked" in entry and self._size + len(line) > MAX_BYTES:
            return False
        try:
            written = os.write(self._fd, line)
            os.fdatasync(self._fd)
        except OSError:
            return False
        self._size += written
        return written == len(line)

    # --- reading --------------------------------------------------------------------------------------------

    def _read(self) -> None:
        data = bytearray()
        while chunk := os.pread(self._fd, _CHUNK, len(data)):
            data += chunk
        self._size = len(data)
        if data and not data.endswith(b"\n"):
            os.write(self._fd, b"\n")  # the line that a kill cut in two stays apart from the next one
        for line in data.split(b"\n"):
            try:
                self._take(json.loads(line))
            except (ValueError, RecursionError, KeyError, TypeError):
                continue

    def _take(self, entry: Document) -> None:
        if "asked" in entry:
            key = entry.pop("asked")
            answer = KeptAnswer(**entry)
            if answer.attempt >= self._answers_since:
                self._answers[key].append(answer)
        elif "called" in entry:
            self._calls[entry["called"]].append(KeptCall(entry["attempt"], "begun"))
        else:
            self._end(entry["ended"], KeptCall(entry["attempt"], "ended", entry["text"]))

    def _end(self, key: str, ended: KeptCall) -> None:
        """The earliest of the same calls of that attempt that has not ended: they cannot be told apart, nor need they."""
        calls = self._calls[key]
        calls[next(n for n, one in enumerate(calls) if one == KeptCall(ended.attempt, "begun"))] = ended
