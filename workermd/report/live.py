"""What a person sees while a run goes on: log lines of the task, and on a terminal one live line."""

import os
import sys
import time
from typing import Protocol

from workermd.protocol.envelope import Document
from workermd.runner.events import AgentActed, AttemptEnded, AttemptStarted, Event, Logged, Ticked, Waiting
from workermd.system.text import printable

_CLEAR = "\r\x1b[K"
_REFRESH = 0.1
_MAX_LOG_BYTES = 1 << 20
_MAX_LINE_BYTES = 1 << 16
"""A line of the log that is longer is shown in pieces, so that one without an end is never held as a whole."""


class Sink(Protocol):
    """What lines for people are written to."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...

    def fileno(self) -> int: ...


class Live:
    """A subscriber that writes to standard error. The live line stays off a pipe and away from `-q`.

    It is drawn by hand: a library for it would load while a deadline runs.
    """

    def __init__(
        self,
        *,
        quiet: bool,
        verbose: bool = False,
        drawn: bool = True,
        stream: "Sink | None" = None,
    ) -> None:
        self._stream: Sink = stream or sys.stderr
        self._quiet = quiet
        self._verbose = verbose
        self._line = drawn and not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._color = self._line and not os.environ.get("NO_COLOR")
        self._shown = False
        self._what = ""
        self._attempt = ""
        self._until = 0.0
        self._drawn_at = 0.0
        self._partial = b""
        self._logged = 0

    def __call__(self, event: Event) -> None:
        match event:
            case AttemptStarted(n, most, until):
                self._attempt = f"attempt {n}/{most}"
                self._say(self._attempt, until)
            case Waiting(what, until):
                self._say(f"waiting for {what}", until)
            case Logged(data):
                self.log(data)
            case AgentActed(document):
                self.agent_acted(document)
            case AttemptEnded(_, code):
                self.ended(code)
            case Ticked():
                self.tick()

    def _say(self, what: str, until: float) -> None:
        self._what, self._until = what, until
        self._draw()

    def log(self, data: bytes) -> None:
        """The task's own words, line by line, without control characters: they are data (S6.5)."""
        if self._quiet or self._logged > _MAX_LOG_BYTES:
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > _MAX_LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._write_log(line)

    def agent_acted(self, event: Document) -> None:
        """What agents do, where that was asked for."""
        if not self._verbose:
            return
        from workermd.report.events import told

        if line := told(event):
            self._tell(line)

    def ended(self, code: str) -> None:
        """Between the words of two attempts, where that was asked for: why there is another."""
        if self._verbose and code:
            self._tell(f"{self._attempt} ended: {code}")

    def _tell(self, line: str) -> None:
        self._erase()
        self._stream.write(printable(line) + "\n")
        self._stream.flush()

    def _write_log(self, line: bytes) -> None:
        if self._logged > _MAX_LOG_BYTES:
            return
        self._logged += len(line) + 1
        self._erase()
        text = printable(line.decode("utf-8", "replace").rstrip("\r"), keep="\t")
        self._stream.write(f"| {text}\n")
        if self._logged > _MAX_LOG_BYTES:
            self._stream.write("| … further log lines are not shown\n")
        self._stream.flush()

    def tick(self) -> None:
        if self._line and self._what and time.monotonic() - self._drawn_at >= _REFRESH:
            self._draw()

    def _draw(self) -> None:
        if not self._line:
            return
        left = max(0.0, self._until - time.monotonic())
        text = f"{self._what}, {left:.1f} s left"[: self._room()]
        self._stream.write(_CLEAR + (f"\x1b[2m{text}\x1b[0m" if self._color else text))
        self._stream.flush()
        self._shown = True
        self._drawn_at = time.monotonic()

    def _room(self) -> int:
        """Columns for the live line: a line that wraps could not be cleared. A terminal of no size says nothing."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            columns = 0
        return max(1, (columns or 80) - 1)

    def _erase(self) -> None:
        if self._shown:
            self._stream.write(_CLEAR)
            self._shown = False

    def close(self) -> None:
        """Leave nothing of the live line behind; a last line of the log without its end is shown."""
        if self._partial and not self._quiet:
            self._write_log(self._partial)
            self._partial = b""
        self._erase()
        self._stream.flush()
