"""The kind `command` (S8.4): a program reads the task from stdin and prints the document to stdout.

Started without a shell and, because an attempt's start-up is most of its cost, without asyncio or subprocess.
"""

import errno
import fcntl
import json
import math
import os
import select
import signal
import time
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from workermd.backends.fence import unfenced
from workermd.backends.reported_usage import held
from workermd.protocol.envelope import ERROR_CODES, Document
from workermd.sandbox import hold
from workermd.system import programs
from workermd.task.binding import Binding
from workermd.task.question import asked
from workermd.task.task import Limits, Result, Task, failed, timed_out

if TYPE_CHECKING:
    from workermd.sandbox.container import Container

EXITS: dict[int, tuple[str, str]] = {
    64: ("invalid_request", "input_rejected"),
    65: ("invalid_request", "input_rejected"),
    69: ("retryable", "backend_unavailable"),
    75: ("retryable", "backend_unavailable"),
    77: ("needs_human", "approval_required"),
}
"""Exit code to kind of failure and error code. 0 is the document; every other code is permanent, unless the
binding lists it in `retry_exit_codes`."""

SIGNALLED = ("retryable", "attempt_crashed")
LISTED = ("retryable", "backend_unavailable")
OTHER = ("refused", "backend_failed")

CHUNK = 65536
KEPT_STDERR = 65536
_ABOVE_STANDARD = 10


class ProgramEnding(NamedTuple):
    """How a program ended. `wait_status` is waitpid's; `stopped` says why we killed it, or is empty."""

    wait_status: int
    stdout: bytes
    stopped: str
    stderr: bytes = b""


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    """Run the program, give it the task, and turn its ending into a `Result`. Never raises for what it did."""
    if not binding.command or not binding.command[0]:
        return failed(*OTHER, f"the command is empty ({binding.origin}); name a program and its arguments")
    if time.monotonic() >= limits.deadline:
        return timed_out()
    # ASCII only: a program may read its stdin under any locale.
    order = json.dumps({key: value for key, value in task._asdict().items() if key != "call"}).encode("ascii") + b"\n"
    contained = _contained(task, binding)
    try:
        program = RunningProgram(contained[1] if contained else binding.command)
    except (OSError, ValueError) as error:
        return not_started(binding, error)
    try:
        ending = program.ended(order, limits)
    finally:
        program.close()
        if contained:
            contained[0].end()
    return held(_result(ending, binding, limits), binding, limits)


def _contained(task: Task, binding: Binding) -> tuple["Container", tuple[str, ...]] | None:
    """The container of an attempt, and the engine's command line; None where the binding has no image."""
    if not (image := binding.arrangement.get("image")):
        return None
    from workermd.sandbox import container

    made = container.Container(container.engine(), image, task.artifacts_dir)
    given = container.variables_of((*binding.env, *binding.secret_env))
    return made, tuple(container.words(made, binding.command, task.reach, given, task.seconds_left))


def unusable(binding: Binding) -> str:
    """Why there is no such program, or no engine for its image."""
    if binding.arrangement.get("image"):
        from workermd.sandbox import container

        return container.why_missing()
    return programs.why_missing(binding.command[0] if binding.command else "")


class RunningProgram:
    """A running program: its process, the pipes to it, and the ways to end it."""

    def __init__(self, command: tuple[str, ...], *, keeps_stderr: bool = False) -> None:
        """Start it. It inherits stderr, the attempt's log, and nothing else of ours. Raises OSError.

        With `keeps_stderr` what it says there is part of its ending, as far as KEPT_STDERR, and not of the log.
        """
        self._open: set[int] = set()
        self._printed = bytearray()
        self._said = bytearray()
        self._log = -1
        self._running = False
        try:
            stdin, self._order = self._pipe()
            self._answer, stdout = self._pipe()
            stderr = 2
            if keeps_stderr:
                self._log, stderr = self._pipe()
                os.set_blocking(self._log, False)
            self._pid = _spawn(command, stdin, stdout, stderr)
            self._running = True
            self._process = os.pidfd_open(self._pid)
        except BaseException:
            self.close()
            raise
        self._open.add(self._process)
        self._close(stdin)
        self._close(stdout)
        if keeps_stderr:
            self._close(stderr)
        os.set_blocking(self._order, False)
        os.set_blocking(self._answer, False)

    def ended(self, order: bytes, limits: Limits) -> ProgramEnding:
        """Write the order and read the answer until the process ends, is late, or prints too much.

        The process is waited for, not the end of its output: a grandchild may keep the pipe open.
        """
        unwritten = memoryview(order)
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        poll.register(self._answer, select.POLLIN)
        poll.register(self._order, select.POLLOUT)
        if self._log >= 0:
            poll.register(self._log, select.POLLIN)
        stopped = ""
        while not stopped:
            left = limits.deadline - time.monotonic()
            ready = [descriptor for descriptor, _ in poll.poll(_milliseconds(left))]
            if self._order in ready:
                unwritten = self._write(unwritten)
                if not unwritten:
                    poll.unregister(self._order)
                    self._close(self._order)
            if self._log in ready and self._hear() == 0:
                poll.unregister(self._log)
                self._close(self._log)
            if self._answer in ready and self._read() == 0:
                poll.unregister(self._answer)
                self._close(self._answer)
            if len(self._printed) > limits.max_output_bytes:
                stopped = "too large"
            elif left <= 0:
                stopped = "late"
            elif self._process in ready:
                break
        return self._reaped(stopped, limits)

    def _reaped(self, stopped: str, limits: Limits) -> ProgramEnding:
        if stopped:
            self._kill()
        _, wait_status = os.waitpid(self._pid, 0)
        self._running = False
        # What a process wrote before its end is in the pipe; what a grandchild adds later is not waited for.
        while not stopped and self._answer in self._open and self._read():
            if len(self._printed) > limits.max_output_bytes:
                stopped = "too large"
        while self._log in self._open and self._hear():
            pass
        if time.monotonic() >= limits.deadline:
            stopped = "late"
        return ProgramEnding(wait_status, bytes(self._printed), stopped, bytes(self._said))

    def _write(self, unwritten: memoryview) -> memoryview:
        """What is still to be written; nothing once the program has closed its stdin or gone."""
        try:
            return unwritten[os.write(self._order, unwritten[:CHUNK]) :]
        except BlockingIOError:
            return unwritten
        except BrokenPipeError:
            return unwritten[:0]

    def _read(self) -> int | None:
        """Read what is there: how many bytes it was, 0 at the end of the output, None for nothing now."""
        try:
            chunk = os.read(self._answer, CHUNK)
        except BlockingIOError:
            return None
        self._printed += chunk
        return len(chunk)

    def _hear(self) -> int | None:
        """Read what it says on stderr; the beginning is kept, the rest is read and dropped."""
        try:
            chunk = os.read(self._log, CHUNK)
        except BlockingIOError:
            return None
        self._said += chunk[: max(KEPT_STDERR - len(self._said), 0)]
        return len(chunk)

    def _kill(self) -> None:
        """End the program's group. What left the group is found by the supervisor, as our descendant."""
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:  # it moved to another group
            os.kill(self._pid, signal.SIGKILL)

    def _pipe(self) -> tuple[int, int]:
        """A pipe that is not inheritable: the program gets its ends by being moved to 0 and 1."""
        ends = os.pipe()
        self._open.update(ends)
        return ends

    def _close(self, descriptor: int) -> None:
        os.close(descriptor)
        self._open.remove(descriptor)

    def close(self) -> None:
        """End the program if it still runs, and let go of everything."""
        if self._running:
            self._kill()
            os.waitpid(self._pid, 0)
            self._running = False
        while self._open:
            os.close(self._open.pop())


def _spawn(command: tuple[str, ...], stdin: int, stdout: int, stderr: int) -> int:
    """Start a program and return its process id. Raises OSError.

    It leads a group of its own, so that what it starts can be ended with it, and ends with us. It is forked and not
    spawned: between the two it enters a domain of its own, out of which it reaches neither us nor our memory.
    """
    if any("\0" in each for each in command):
        raise ValueError("an argument holds a null character")
    told, telling = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _become(command, (stdin, stdout, stderr), telling)
        os.close(telling)
        telling = -1
        number = os.read(told, 4)
    finally:
        os.close(told)
        if telling >= 0:
            os.close(telling)
    if number:
        os.waitpid(pid, 0)
        code = int.from_bytes(number)
        raise OSError(code, os.strerror(code))
    return pid


def _become(command: tuple[str, ...], streams: tuple[int, int, int], telling: int) -> NoReturn:
    """In the fork: be the program. The pipe closes when that worked, and says why when it did not."""
    try:
        os.setpgid(0, 0)
        # Away from 0 to 2 first: where the caller had closed those, one of the pipes may be among them.
        telling, stdin, stdout, stderr = (
            fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD) for fd in (telling, *streams)
        )
        for place, stream in enumerate((stdin, stdout, stderr)):
            os.dup2(stream, place)
        # Python ignores these two, and what is ignored stays so across exec: no program expects that.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        hold.around_program()
        os.execvp(command[0], command)  # noqa: S606 - started without a shell, on purpose
    except OSError as error:
        os.write(telling, (error.errno or errno.EINVAL).to_bytes(4))
    finally:
        os._exit(127)


def _milliseconds(seconds: float) -> int:
    """For poll: rounded up, never negative (which would wait without end), at most an hour."""
    return math.ceil(min(max(seconds, 0), 3600) * 1000)


def not_started(binding: Binding, error: OSError | ValueError) -> Result:
    place = f"program {binding.command[0]} ({binding.origin})"
    number = error.errno if isinstance(error, OSError) else None
    if number in programs.PASSING:
        return failed(*LISTED, f"{place}: it could not be started now ({os.strerror(number)})")
    reason = programs.REASONS.get(number or 0) or (
        os.strerror(number) if number else "its arguments cannot be passed on"
    )
    return failed(*OTHER, f"{place}: {reason}")


def _result(ending: ProgramEnding, binding: Binding, limits: Limits) -> Result:
    name = f"program {binding.command[0]}"
    if ending.stopped == "late":
        return timed_out()
    if ending.stopped:
        message = f"{name} printed more than the {limits.max_output_bytes} bytes allowed and was ended"
        return failed("invalid_output", "output_too_large", message)
    if os.WIFSIGNALED(ending.wait_status):
        return failed(*SIGNALLED, f"{name} was ended by signal {os.WTERMSIG(ending.wait_status)}")
    exit_code = os.waitstatus_to_exitcode(ending.wait_status)
    return _document(ending.stdout, name) if exit_code == 0 else _failure(exit_code, ending.stdout, binding)


def _document(printed: bytes, name: str) -> Result:
    if not printed.strip():
        message = f"{name} ended with exit code 0 and printed nothing; print the document to stdout"
        return failed("invalid_output", "output_not_json", message)
    try:
        return Result(output=unfenced(printed.decode("utf-8")))
    except UnicodeDecodeError as error:
        message = f"{name} printed bytes that are not UTF-8 (at byte {error.start})"
        return failed("invalid_output", "output_not_json", message)


def _failure(exit_code: int, printed: bytes, binding: Binding) -> Result:
    listed = exit_code in binding.retry_exit_codes
    kind, code = EXITS.get(exit_code) or (LISTED if listed else OTHER)
    said = _said(printed)
    message = said.get("message") or _explained(exit_code, binding)
    code = said.get("code", code)
    if kind == "needs_human":
        return asked(message, said.get("options"), said.get("kind", "question"), said.get("proposed"), code)
    details = {"after": said["after"]} if kind == "retryable" and "after" in said else {}
    return failed(kind, code, message, **details)


def _explained(exit_code: int, binding: Binding) -> str:
    hint = "; 127 commonly means that a program it calls was not found" if exit_code == 127 else ""
    return f"program {binding.command[0]} ended with exit code {exit_code}{hint}; its stderr is in the attempt's log"


def _said(printed: bytes) -> Document:
    """The usable part of `{"error": {"code", "message", "options", "kind", "proposed", "after"}}`, or nothing.

    What a person is asked is checked where it is put together, in `asking`.
    """
    try:
        document = json.loads(printed)
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return {}
    said: Document = {name: error[name] for name in ("options", "kind", "proposed") if error.get(name) is not None}
    code, message, after = (error.get(name) for name in ("code", "message", "after"))
    if isinstance(code, str) and code in ERROR_CODES:
        said["code"] = code
    if isinstance(message, str) and message.strip():
        said["message"] = message[:2000]
    if isinstance(after, int | float) and not isinstance(after, bool) and 0 <= after < math.inf:
        said["after"] = after
    return said
