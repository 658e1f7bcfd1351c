"""The studio in this process: a real ledger, real attempts, and a browser's client with its cookie."""

import asyncio
import contextlib
import html
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.conftest import contract_text, patience
from tests.serve.serving import ADDRESS, access_of
from workermd.config import configuration
from workermd.serve.application import application
from workermd.serve.desk import Capacity, Desk
from workermd.studio.entrance import Entrance
from workermd.studio.frame import StartFailures, StudioRoom
from workermd.studio.guest import Studio
from workermd.studio.shelf import Shelf

OUTPUT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run_id", "status", "result"],
    "properties": {
        "run_id": {"type": "string"},
        "status": {
            "type": "string",
            "enum": ["ok", "retryable_error", "invalid_request", "invalid_output", "needs_human"],
        },
        "result": {
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["mood"],
                    "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}},
                },
                {"type": "object", "required": ["error"]},
            ]
        },
    },
}
STATUSES = OUTPUT["properties"]["status"]["enum"]  # type: ignore[index]


class Opened(NamedTuple):
    """`browser` came in by the link; every form of it bears its session's mark."""

    browser: httpx.AsyncClient
    desk: Desk
    room: StudioRoom
    studio: Studio

    async def page(self, address: str) -> str:
        response = await self.browser.get(f"/studio/{address}")
        assert response.status_code == 200, response.text
        return response.text

    async def send(self, form: str, **fields: str) -> httpx.Response:
        """A form as the page has it, with the mark of its session and the Origin that a browser adds."""
        (session,) = self.room.entrance._sessions.values()
        return await self.browser.post(
            f"/studio/{form}", data={"csrf": session.csrf, **fields}, headers={"Origin": ADDRESS}
        )

    async def until(self, worker: str, run: str, condition: Callable[[Any], object]) -> Any:
        """The run once something is true of it; fails when it does not become so."""
        async with asyncio.timeout(patience(20)):
            while not condition(found := await self.desk.look((worker, run))):  # noqa: ASYNC110 - a ledger knows no events
                await asyncio.sleep(0.02)
            return found

    async def settled(self, worker: str, run: str) -> Any:
        return await self.until(
            worker,
            run,
            lambda found: found is not None and found.state == "done" and (worker, run) not in self.desk.jobs,
        )


def folder_with(folder: Path, body: str, **parts: Any) -> Path:
    """A folder with the contract `echo` and a configuration that binds a Python program to it."""
    standard = {"statuses": STATUSES, "output_schema": OUTPUT}
    (folder / "echo.worker.md").write_text(contract_text(**(standard | parts)))
    (folder / "task.py").write_text(
        "import json, os, sys, time\n"
        "def reply(document): print(json.dumps(document), flush=True)\n"
        f"def wait():\n    while not os.path.exists({str(folder / 'go')!r}): time.sleep(0.01)\n"
        f"task = json.load(sys.stdin)\n{body}\n"
    )
    words = ", ".join(f'"{word}"' for word in (sys.executable, "-S", str(folder / "task.py")))
    (folder / "workermd.toml").write_text(
        f'ledger = "ledger.db"\nsandbox = "off"\n[workers.echo]\nbackend = "command"\ncommand = [{words}]\n'
    )
    return folder


@contextlib.asynccontextmanager
async def opened(folder: Path, *, edit: bool = False) -> AsyncIterator[Opened]:
    flags = configuration.Flags(config=str(folder / "workermd.toml"))
    settings = configuration.load(flags)
    shelf = Shelf(lambda: sorted(map(str, folder.glob("*.worker.md"))))
    room = StudioRoom(
        settings.ledger,
        shelf,
        lambda: configuration.load(flags),
        Entrance(),
        StartFailures(),
        edit=str(folder) if edit else "",
    )
    studio = Studio(room, "ada")
    desk = Desk({}, settings.ledger, Capacity(2, 4, 1 << 20))
    try:
        transport = httpx.ASGITransport(application(desk, access_of(), studio.addition(desk)))
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as browser:
            link = re.search(r"http\S+", studio.greeting(ADDRESS))
            assert link is not None
            assert (await browser.get(link[0])).status_code == 303
            yield Opened(browser, desk, room, studio)
    finally:
        await desk.close()


def plain(page: str) -> str:
    """What a reader sees of a page: no tags, one blank between words."""
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
