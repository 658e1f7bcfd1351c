"""The application in this process, with a real ledger and real attempts, and a client that calls it without a socket."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.conftest import contract_text, patience
from workermd.contract import cache
from workermd.runner.worker import Worker
from workermd.sandbox.policy import Sandbox
from workermd.serve import callers
from workermd.serve.application import Addition, application
from workermd.serve.catalogue import Offer, catalogue
from workermd.serve.desk import Capacity, Desk
from workermd.serve.guard import Access
from workermd.task.binding import Binding

TOKENS = {"ada": "a" * 30, "bob": "b" * 30}
ADDRESS = "http://127.0.0.1:8420"
JSON = {"Content-Type": "application/json"}


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true; fail when it does not become so."""
    async with asyncio.timeout(patience(20)):
        while not condition():  # noqa: ASYNC110 - what is looked at knows no events
            await asyncio.sleep(0.01)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


class Served(NamedTuple):
    """`client` calls as ada; it has no token where a test takes it out."""

    client: httpx.AsyncClient
    desk: Desk

    async def run(self, document: Any, worker: str = "echo", **headers: str) -> httpx.Response:
        body = json.dumps(document) if isinstance(document, dict | list) else document
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/workers/{worker}/runs", content=body, headers=JSON | named)


def offered(folder: Path, body: str, **parts: Any) -> Offer:
    """A contract whose task is a Python program: see the fixture `program`."""
    data = contract_text(**parts).encode()
    contract, _ = cache.load(data, "echo.worker.md")
    script = folder / f"{contract.id}.py"
    script.write_text(
        "import json, os, sys, time\n"
        "def reply(document): print(json.dumps(document), flush=True)\n"
        "def evidence(word):\n"
        f"    with open({str(folder / 'evidence')!r}, 'a') as file: file.write(word + '\\n')\n"
        f"def wait():\n    while not os.path.exists({str(folder / 'go')!r}): time.sleep(0.01)\n"
        "task = json.load(sys.stdin)\n" + body + "\n"
    )
    binding = Binding(
        kind="command", origin="the test", command=(sys.executable, "-S", str(script)), folder=str(folder)
    )
    return Offer(Worker(contract, binding, sandbox=Sandbox("off")), data, "echo.worker.md")


def access_of(**choices: Any) -> Access:
    known = callers.Callers(tuple(callers.Caller(name, callers._digest(token)) for name, token in TOKENS.items()))
    standard = {"hosts": frozenset({"127.0.0.1:8420"}), "origins": frozenset({ADDRESS}), "max_body_bytes": 1 << 20}
    return Access(known, **(standard | choices))


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    *offers: Offer,
    bounds: Capacity = Capacity(2, 4, 1 << 20),  # noqa: B008 - frozen
    access: Access | None = None,
    additions: Sequence[Addition] = (),
    ledger: str = "",
) -> AsyncIterator[Served]:
    desk = Desk(catalogue([*offers]), ledger or str(folder / "ledger.db"), bounds)
    try:
        transport = httpx.ASGITransport(application(desk, access or access_of(), *additions))
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=bearer("ada")) as client:
            yield Served(client, desk)
    finally:
        await desk.close()


@contextlib.asynccontextmanager
async def listening(
    folder: Path, *offers: Offer, most: int = 100, grace: float = 5.0, with_a2a: bool = False, **choices: Any
) -> AsyncIterator[Any]:
    """The same behind a real socket of this process: its port, its desk, and an address."""
    from workermd.serve import listen

    wanted = listen.Listening("127.0.0.1", 0, "", "", grace, most)
    with listen.listener(wanted) as made:
        port = made.getsockname()[1]
        desk = Desk(catalogue([*offers]), str(folder / "ledger.db"), Capacity(2, 4, 1 << 20))
        hosts = listen.hosts_of("127.0.0.1", port)
        access = access_of(**({"hosts": hosts, "origins": frozenset(f"http://{host}" for host in hosts)} | choices))
        begun = asyncio.Event()
        additions = []
        if with_a2a:
            from workermd.serve import a2a_server

            additions.append(a2a_server.addition(desk, f"http://127.0.0.1:{port}"))
        app = application(desk, access, *additions)
        serving = asyncio.create_task(listen.serve(app, desk, made, wanted, begun.set))
        await begun.wait()
        try:
            yield Listened(port, desk, f"http://127.0.0.1:{port}")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await serving


class Listened(NamedTuple):
    port: int
    desk: Desk
    address: str

    async def sent(self, data: bytes, seconds: float = 20.0) -> bytes:
        """What comes back on a connection of its own for these very bytes, until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(seconds):
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()
