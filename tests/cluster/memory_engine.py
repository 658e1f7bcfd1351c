"""An engine in memory that is as bad as an engine may be: it loses, doubles, delays, and hands keys to every node at once.

The broker lives in the test's process. Nodes reach it by the address in MEMORY_BROKER: `--engine tests.cluster.memory_engine:MemoryEngine`.
"""

import contextlib
import json
import os
import random
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from workermd.batch.cluster.engine import Execute
from workermd.ledger.postgres.dispatches import Dispatch

NAME = "tests.cluster.memory_engine:MemoryEngine"


class Badness(NamedTuple):
    """Shares of keys that are lost and doubled, the longest delay, and whether every node is handed every key."""

    lost: float = 0.1
    doubled: float = 0.3
    delay_seconds: float = 1.0
    to_all: bool = True


class Broker:
    def __init__(self, seed: int, badness: Badness, host: str = "127.0.0.1") -> None:
        self.random = random.Random(seed)
        self.badness = badness
        self.lost = self.doubled = self.handed = 0
        self.workers: list[socket.socket] = []
        self.life = 0
        self.turn = threading.Lock()
        broker = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                order = json.loads(self.rfile.readline())
                if order["op"] == "submit":
                    for key in order["keys"]:
                        broker.take(key)
                    self.wfile.write(b"taken\n")
                    return
                with broker.turn:
                    broker.workers.append(self.request)
                with contextlib.suppress(OSError):
                    self.rfile.read()  # until the node is gone
                with broker.turn:
                    broker.workers.remove(self.request)

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Threads((host, 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def address(self) -> str:
        host, port = self.server.server_address[:2]
        return f"{host!s}:{port}"

    def take(self, key: str) -> None:
        with self.turn:
            if self.random.random() < self.badness.lost:
                self.lost += 1
                return
            times = 1 + (self.random.random() < self.badness.doubled)
            self.doubled += times - 1
            delays = [self.random.uniform(0, self.badness.delay_seconds) for _ in range(times)]
        for delay in delays:
            timer = threading.Timer(delay, self.hand, (key, self.life))
            timer.daemon = True
            timer.start()

    def forget(self) -> None:
        """It is killed, and comes back without what it had."""
        self.life += 1

    def hand(self, key: str, life: int) -> None:
        with self.turn:
            if life != self.life:
                return
            chosen = (
                self.workers if self.badness.to_all else self.random.sample(self.workers, min(1, len(self.workers)))
            )
            for worker in chosen:
                try:
                    worker.sendall(f"{key}\n".encode())
                    self.handed += 1
                except OSError:
                    continue  # the node is gone

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class MemoryEngine:
    def __init__(self, address: str) -> None:
        del address
        host, _, port = os.environ["MEMORY_BROKER"].partition(":")
        self._broker = (host, int(port))

    def prepare(self) -> None: ...

    def submit(self, runs: Sequence[Dispatch]) -> None:
        with socket.create_connection(self._broker, 10) as broker:
            broker.sendall(json.dumps({"op": "submit", "keys": [run.key for run in runs]}).encode() + b"\n")
            broker.recv(100)

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        del queues
        with ThreadPoolExecutor(4 * jobs) as pool, socket.create_connection(self._broker) as broker:
            broker.sendall(b'{"op": "work"}\n')
            broker.settimeout(0.2)
            rest = b""
            while not stop():
                try:
                    data = broker.recv(1 << 16)
                except TimeoutError:
                    continue
                if not data:
                    time.sleep(0.2)
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    pool.submit(execute, line.decode())

    def cancel(self, key: str) -> None: ...

    def health(self) -> dict[str, object]:
        return {}
