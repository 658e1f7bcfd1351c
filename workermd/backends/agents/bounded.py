"""Run one program bounded: `python -I -S bounded.py SECONDS BYTES PROGRAM ARGUMENT…`.

A script of its own, started between AutoGen's executor and the code: it ends the code's whole group and everything
that left the group when the time is over or the program has ended, and lets so many bytes of each of its outputs
through. Exit code: the program's; 124 when the time was over; 128 + N when signal N ended it.
"""

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
    left = {process.stdout.fileno(): (1, most), process.stderr.fileno(): (2, most)}
    watched = os.pidfd_open(process.pid)
    over = not _relayed(left, watched, until)
    _end_all(process.pid)
    code = process.wait()
    _relayed(left, None, time.monotonic() + 0.2)  # what stood in the pipes at its end
    if over:
        return TIME_OVER
    return 128 - code if code < 0 else code


def _relayed(left: "dict[int, tuple[int, int]]", process: "int | None", until: float) -> bool:
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


def _passed_on(left: "dict[int, tuple[int, int]]", source: int) -> bool:
    target, most = left[source]
    chunk = os.read(source, _CHUNK)
    if not chunk:
        del left[source]
        return False
    if most > 0:
        rest = memoryview(chunk[:most])
        while rest:
            rest = rest[os.write(target, rest) :]
        if len(chunk) > most:
            os.write(target, b"\n[what follows was dropped: too much was printed]\n")
    left[source] = (target, most - len(chunk))
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
