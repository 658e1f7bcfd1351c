"""Run one program bounded: `python -I -S bounded.py SECONDS BYTES PROGRAM ARGUMENT…`.

A script of its own, started between AutoGen's executor and the code: it ends the code's whole group and everything
that left the group when the time is over or the program has ended, and lets so many bytes of each of its outputs
through, as UTF-8 whatever they are: AutoGen's executor would lose all of an output over one byte that is none. Exit code: the program's; 124 when the time was over; 128 + N when signal N ended it.
"""

import codecs
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

TIME_OVER = 124
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 65536


def main(arguments: list[str]) -> int:
    seconds, most, command = float(arguments[0]), int(arguments[1]), arguments[2:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    until = time.monotonic() + seconds
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    assert process.stdout is not None
    assert process.stderr is not None
    left = {source.fileno(): _Output(target, most) for target, source in ((1, process.stdout), (2, process.stderr))}
    watched = os.pidfd_open(process.pid)
    over = not _relayed(left, watched, until)
    _end_all(process.pid)
    code = process.wait()
    _relayed(left, None, time.monotonic() + 0.2)  # what stood in the pipes at its end
    if over:
        return TIME_OVER
    return 128 - code if code < 0 else code


class _Output:
    """Where an output goes, how many bytes of it still may, and its last character as far as it has come."""

    def __init__(self, target: int, most: int) -> None:
        self.target = target
        self.most = most
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, chunk: bytes, *, final: bool = False) -> None:
        rest = memoryview(self.decoder.decode(chunk, final).encode())
        while rest:
            rest = rest[os.write(self.target, rest) :]


def _relayed(left: "dict[int, _Output]", process: "int | None", until: float) -> bool:
    """Pass on what is printed until the process has ended (or nothing is left to read). False when time was over."""
    poll = select.poll()
    for source in (*left, *(() if process is None else (process,))):
        poll.register(source, select.POLLIN)
    while (seconds := until - time.monotonic()) > 0:
        ready = [descriptor for descriptor, _ in poll.poll(seconds * 1000 + 1)]
        if process in ready:
            return True
        for source in ready:
            if not _passed_on(left, source):
                poll.unregister(source)
        if not left and process is None:
            return True
    return process is None


def _passed_on(left: "dict[int, _Output]", source: int) -> bool:
    output = left[source]
    chunk = os.read(source, _CHUNK)
    if not chunk:
        del left[source]
        if output.most > 0:
            output.write(b"", final=True)
        return False
    if output.most > 0:
        output.write(chunk[: output.most])
        if len(chunk) > output.most:
            output.write(b"\n[what follows was dropped: too much was printed]\n", final=True)
    output.most -= len(chunk)
    return True


def _end_all(leader: int) -> None:
    """The group, then whatever is still a descendant: orphans come to us."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(100):
        children = _children()
        if not children:
            return
        for child in children:
            if child != leader:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        if children == [leader]:
            return


def _children() -> "list[int]":
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
