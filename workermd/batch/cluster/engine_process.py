"""The engine of a node, in a process of its own: what happens to it, and what it takes, is nothing of the node's.

engine ─▶ key, a line ─▶ node carries it out ─▶ key and what became of it, a line ─▶ engine
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from workermd.batch.cluster.engine import Dispatched, engine_named

_PAUSE_SECONDS = 1.0
"""Between the end of an engine's process and the start of the next."""

_END_SECONDS = 5.0

Enter = Callable[[str, Callable[[Dispatched], None]], None]


class EngineProcess:
    """Starts the engine's process, and starts it again when it ends."""

    def __init__(self, name: str, address: str, queues: Sequence[str], jobs: int, enter: Enter) -> None:
        self._order = json.dumps({"name": name, "address": address, "queues": list(queues), "jobs": jobs})
        self._enter = enter
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        process = self._process
        if process is not None:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()  # which tells it to leave
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.kill()
        self._thread.join(_END_SECONDS)

    def _keep(self) -> None:
        while not self._ended.is_set():
            process = subprocess.Popen(
                [sys.executable, "-m", "workermd.batch.cluster.engine_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            self._process = process
            with contextlib.suppress(OSError, ValueError):
                self._say(process.stdin, self._order)
                for line in process.stdout:
                    key = line.decode().strip()
                    self._enter(key, self._teller(process.stdin, key))
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()
            self._ended.wait(_PAUSE_SECONDS)

    def _teller(self, stdin: IO[bytes], key: str) -> Callable[[Dispatched], None]:
        def told(outcome: Dispatched) -> None:
            with contextlib.suppress(OSError, ValueError):  # this engine's process is gone: the next asks again
                self._say(stdin, json.dumps([key, outcome.done, outcome.seconds]))

        return told

    def _say(self, stdin: IO[bytes], line: str) -> None:
        with self._turn:
            stdin.write(line.encode() + b"\n")
            stdin.flush()


class _Asking:
    """In the engine's process: `execute` asks the node, and waits for what it says."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what an engine prints is no key
        self._turn = threading.Condition()
        self._outcomes: dict[str, Dispatched] = {}
        self._asked: dict[str, int] = {}
        self.ended = False

    def execute(self, key: str) -> Dispatched:
        with self._turn:
            first = not self._asked.get(key)
            self._asked[key] = self._asked.get(key, 0) + 1
            if first:
                self._outcomes.pop(key, None)
                self._out.write(f"{key}\n".encode())
                self._out.flush()
            self._turn.wait_for(lambda: key in self._outcomes or self.ended)
            self._asked[key] -= 1
            return self._outcomes.get(key, Dispatched(done=False, seconds=1.0))

    def listen(self) -> None:
        for line in sys.stdin:
            key, done, seconds = json.loads(line)
            with self._turn:
                self._outcomes[key] = Dispatched(done=done, seconds=seconds)
                self._turn.notify_all()
        with self._turn:
            self.ended = True
            self._turn.notify_all()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    asking = _Asking()
    engine = engine_named(order["name"], order["address"])
    assert engine is not None
    threading.Thread(target=asking.listen, name="node", daemon=True).start()
    engine.work(asking.execute, order["queues"], order["jobs"], lambda: asking.ended)
    while not asking.ended:
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
    os._exit(0)  # threads of an engine may go on for ever
