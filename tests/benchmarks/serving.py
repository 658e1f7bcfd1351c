"""What a server costs: `python -m tests.benchmarks.serving [--runs N] [--seconds S]`, or `make bench-serve`.

Requests a second and latency of a trivial run, beside a bare echo of the same web server, a path of ours that does nothing,
a replay, and the command line, all in the same rounds; 200 open streams of events; memory after many runs; 10,000
connections; kill -9 under load, after which nothing that was accepted may be lost. The exit code is 1 where something was.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT, contract_text

TOKEN = "b" * 40
AT_A_TIME = 4
ECHO = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", lifespan="off")
"""


class Connection:
    """One kept connection: a client that costs less than what it measures."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def ask(self, method, path, body=b"", **headers):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{named}\r\n"
        )
        self.writer.write(head.encode() + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        data = await self.reader.readexactly(int(length[1])) if length else b""
        return int(head.split(b" ", 2)[1]), data

    def close(self):
        if self.writer is not None:
            self.writer.close()


class Server:
    """`workermd serve` in a folder; the same folder again goes on."""

    def __init__(self, folder, *arguments):
        self.folder, self.arguments = folder, arguments

    def start(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        command = [sys.executable, "-m", "workermd", "serve", "noop.worker.md", "slow.worker.md", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--tokens", "tokens", "--ledger", "ledger.db", "--rate", "100000000", *self.arguments],
            cwd=self.folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not (said := re.search(r"http://127.0.0.1:(\d+)", line := self.process.stderr.readline())):
            assert line, "the server did not start"
        self.port = int(said[1])
        return self

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait()
        self.process.stderr.close()

    @property
    def megabytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def prepared(folder):
    token = folder / "tokens"
    token.write_text(f"bench:{TOKEN}\n")
    token.chmod(0o600)
    (folder / "noop.worker.md").write_text(contract_text(id="noop"))
    (folder / "slow.worker.md").write_text(contract_text(id="slow", constraints={"timeout_seconds": 600}))
    answer = "printf '{\"result\": {}}'"
    waits = f"while [ ! -e {folder}/go ]; do sleep 0.05; done; {answer}"
    lines = [
        f'[workers.{name}]\nbackend = "command"\ncommand = {json.dumps(["/bin/sh", "-c", line])}\n'
        for name, line in (("noop", answer), ("slow", waits))
    ]
    (folder / "workermd.toml").write_text("".join(lines))
    return folder


async def timed(port, asks, seconds):
    """As many as fit, AT_A_TIME at once: latencies in seconds, and requests a second. `asks` gives method, path, body."""
    found, until = [], time.perf_counter() + seconds

    async def one():
        connection = Connection(port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            status, _ = await connection.ask(*next(asks))
            found.append(time.perf_counter() - began)
            assert status == 200, status
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(AT_A_TIME)))
    return found, len(found) / (time.perf_counter() - began)


def fresh(prefix):
    number = 0
    while True:
        number += 1
        yield "POST", "/workers/noop/runs", json.dumps({"run_id": f"{prefix}-{number}"}).encode()


def always(method, path, body=b""):
    while True:
        yield method, path, body


def by_command_line(folder, prefix, seconds):
    found, until, environment = [], time.perf_counter() + seconds, {"PATH": os.environ["PATH"], "HOME": str(folder)}
    workermd = [sys.executable, "-m", "workermd", "run", "noop.worker.md", "-", "-q", "--ledger", "ledger.db"]
    while time.perf_counter() < until:
        began = time.perf_counter()
        subprocess.run(
            workermd,
            input=json.dumps({"run_id": f"{prefix}-{len(found)}"}).encode(),
            cwd=folder,
            check=True,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        found.append(time.perf_counter() - began)
    return found, len(found) / sum(found)


def begun_echo():
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    echo = subprocess.Popen([sys.executable, "-c", ECHO, str(port)])
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return echo, port
        time.sleep(0.05)


async def rates(server, folder, seconds, rounds=3):
    echo, port = begun_echo()
    try:
        rows = {name: ([], []) for name in ("bare echo", "GET /healthz", "replay", "run", "workermd run")}
        await Connection(server.port).ask("POST", "/workers/noop/runs", b'{"run_id": "replayed"}')
        for number in range(rounds):
            ways = {
                "bare echo": lambda: timed(port, always("POST", "/", b'{"run_id": "x"}'), seconds),
                "GET /healthz": lambda: timed(server.port, always("GET", "/healthz"), seconds),
                "replay": lambda: timed(
                    server.port, always("POST", "/workers/noop/runs", b'{"run_id": "replayed"}'), seconds
                ),
                "run": lambda number=number: timed(server.port, fresh(f"h{number}"), seconds),
                "workermd run": lambda number=number: asyncio.to_thread(by_command_line, folder, f"c{number}", seconds),
            }
            for name, way in ways.items():
                latencies, rate = await way()
                rows[name][0].extend(latencies)
                rows[name][1].append(rate)
    finally:
        echo.terminate()
        echo.wait()
    base = statistics.median(rows["bare echo"][1])
    print(f"\n| what, {AT_A_TIME} at a time (the command line: one) | a second | median, ms | 95 %, ms | of the echo |")
    print("|---|---|---|---|---|")
    for name, (latencies, rate) in rows.items():
        ordered = sorted(latencies)
        median, late = (1000 * ordered[int(len(ordered) * part)] for part in (0.5, 0.95))
        print(
            f"| {name} | {statistics.median(rate):.1f} | {median:.1f} | {late:.1f} | {statistics.median(rate) / base:.3f} |"
        )


async def streams(server, folder, count=200):
    (folder / "go").unlink(missing_ok=True)
    ask = Connection(server.port)
    status, _ = await ask.ask("POST", "/workers/slow/runs", b'{"run_id": "watched"}', Prefer="respond-async")
    assert status == 202
    head = (
        f"GET /workers/slow/runs/watched/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n"
    ).encode()

    async def watch():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        await reader.readuntil(b'"event": "attempt"')
        opened.append(1)
        await reader.readuntil(b"event: end")
        ended.append(time.perf_counter())
        writer.close()

    opened, ended = [], []
    watching = [asyncio.create_task(watch()) for _ in range(count)]
    while len(opened) < count:  # noqa: ASYNC110 - what is looked at knows no events
        await asyncio.sleep(0.02)
    began = time.perf_counter()
    await ask.ask("GET", "/healthz")
    healthy = time.perf_counter() - began
    megabytes = server.megabytes
    (folder / "go").touch()
    await asyncio.gather(*watching)
    print(
        f"\n{count} streams of events: a request beside them took {1000 * healthy:.1f} ms; from the first told the end to "
        f"the last {1000 * (max(ended) - min(ended)):.0f} ms; the server had {megabytes:.0f} MB"
    )


async def memory(server, runs):
    asks, sizes, each = fresh("m"), [], 1000
    for _ in range(max(1, runs // each)):

        async def some():
            connection = Connection(server.port)
            for _ in range(each // AT_A_TIME):
                await connection.ask(*next(asks))
            connection.close()

        await asyncio.gather(*(some() for _ in range(AT_A_TIME)))
        sizes.append(server.megabytes)
    print(
        f"\nmemory: {sizes[0]:.0f} MB after {each} runs, {sizes[-1]:.0f} MB after {each * len(sizes)} ({' '.join(f'{size:.0f}' for size in sizes)})"
    )


async def connections(server, wanted=10_000):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, wanted + 500), hard))
    kept = Connection(server.port)
    await kept.ask("GET", "/healthz")
    opened, refused = [], 0
    for number in range(wanted):
        try:
            opened.append(await asyncio.open_connection("127.0.0.1", server.port))
        except OSError:
            refused += 1
        if number % 250 == 0:
            await kept.ask("GET", "/healthz")
    began = time.perf_counter()
    status, _ = await kept.ask("POST", "/workers/noop/runs", b'{"run_id": "beside"}')
    took = time.perf_counter() - began
    megabytes = server.megabytes
    for _, writer in opened:
        writer.close()
    await asyncio.sleep(1)
    after, _ = await Connection(server.port).ask("GET", "/healthz")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(
        f"\n{wanted} connections that ask nothing ({refused} not even made): a run on one that was there before got "
        f"{status} in {1000 * took:.0f} ms, the server had {megabytes:.0f} MB; a new one after they left got {after}"
    )


async def kills(folder, rounds=5):
    """Whatever got 202 has its answer in the end, and no run had more attempts than its contract allows."""
    accepted, lost, chance = [], [], random.Random(7)
    for number in range(rounds):
        server = Server(folder, "--queue", "100000").start()

        async def load(lane, server=server, number=number):
            connection = Connection(server.port)
            for turn in range(100_000):
                name = f"k{number}-{lane}-{turn}"
                body = json.dumps({"run_id": name}).encode()
                try:
                    status, _ = await connection.ask("POST", "/workers/noop/runs", body, Prefer="respond-async")
                except (OSError, asyncio.IncompleteReadError):
                    return
                assert status == 202, status
                accepted.append(name)

        loads = [asyncio.create_task(load(lane)) for lane in range(8)]
        await asyncio.sleep(chance.uniform(1, 3))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.process.stderr.close()
        await asyncio.gather(*loads)
    server = Server(folder).start()
    connection = Connection(server.port)
    until = time.monotonic() + 30 + len(accepted)
    for name in accepted:
        while (status := (await connection.ask("GET", f"/workers/noop/runs/{name}"))[0]) != 200:
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.05)
        if status != 200:
            lost.append(name)
    server.end()
    print(f"\nkill -9 under load, {rounds} times: {len(accepted)} runs were accepted, {len(lost)} are lost")
    return not lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = prepared(Path(name))
        server = Server(folder).start()
        try:
            asyncio.run(rates(server, folder, options.seconds))
            asyncio.run(streams(server, folder))
            asyncio.run(connections(server))
            asyncio.run(memory(server, options.runs))
        finally:
            server.end()
        sys.exit(0 if asyncio.run(kills(folder)) else 1)


if __name__ == "__main__":
    main()
