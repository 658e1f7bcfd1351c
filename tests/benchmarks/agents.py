"""Kinds of agents: what an attempt costs beyond its framework's own call, and what a cold run costs beyond its import."""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from tests.attempt_process import a_task, run_attempt
from tests.benchmarks.attempts import LIMIT, OVER
from tests.benchmarks.measure import BrokenError, Scene, Series, in_turns, once
from tests.benchmarks.table import Row
from workermd.task.binding import Binding, Model
from workermd.task.task import KINDS, Limits
from workermd.testing import Hang, Server, Text

ANSWER = '{"status": "ok", "result": {"a": 1}}'
OWN = 15.0


class Bare(NamedTuple):
    """A framework asked once, as its documentation does: `call(url)`; `imports` is the statement that loads it."""

    imports: str
    call: Callable[[str], Awaitable[str]]


async def _agentchat(url: str) -> str:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    info = {
        "vision": False,
        "function_calling": True,
        "json_output": True,
        "family": "unknown",
        "structured_output": True,
    }
    client = OpenAIChatCompletionClient(
        model="scripted-1", base_url=url, api_key="none", max_retries=0, model_info=info, timeout=60
    )
    result = await AssistantAgent("assistant", client, system_message="Answer.").run(task="Add one and one.")
    await client.close()
    return result.messages[-1].content


async def _ag2(url: str) -> str:
    import httpx2
    from ag2 import Agent
    from ag2.config import OpenAIConfig

    async with httpx2.AsyncClient() as client:  # its own is never closed
        config = OpenAIConfig(model="scripted-1", base_url=url, api_key="none", max_retries=0, http_client=client)
        reply = await Agent("assistant", "Answer.", config=config).ask("Add one and one.")
        return reply.body or ""


async def _agent_framework(url: str) -> str:
    from agent_framework import Agent
    from agent_framework.openai import OpenAIChatCompletionClient
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        agent = Agent(OpenAIChatCompletionClient("scripted-1", async_client=client), "Answer.", name="assistant")
        return (await agent.run("Add one and one.")).text


BARE = {
    "chat": Bare(
        "from autogen_agentchat.agents import AssistantAgent; "
        "from autogen_ext.models.openai import OpenAIChatCompletionClient",
        _agentchat,
    ),
    "ag2": Bare("from ag2 import Agent; from ag2.config import OpenAIConfig", _ag2),
    "agent-framework": Bare(
        "from agent_framework import Agent; from agent_framework.openai import OpenAIChatCompletionClient",
        _agent_framework,
    ),
}


def agents(folder: Path, rounds: int) -> list[Row]:
    """Both in this process, in turns, against a server that answers at once; and the difference, round by round."""
    from importlib import import_module

    rows: list[Row] = []
    task = a_task(folder)
    with Server(lambda _: Text(ANSWER)) as server:
        for kind, bare in BARE.items():
            backend = import_module(KINDS[kind].module)
            binding = Binding(kind, "the benchmark", model=Model("scripted-1", server.url))

            def attempted(backend=backend, binding=binding) -> None:
                result = backend.perform(
                    task, binding, Limits(time.monotonic() + 60, 4096, journal=str(folder / "journal"))
                )
                if result.output != ANSWER:
                    raise BrokenError(f"the attempt answered {result}")

            def asked(bare=bare) -> None:
                if asyncio.run(bare.call(server.url)) != ANSWER:
                    raise BrokenError("the bare call answered something else")

            called, what = f"{kind}: the framework's call alone", f"{kind}: an attempt, imports aside"
            found = in_turns({called: once(asked), what: once(attempted)}, rounds)
            pairs = zip(found[what].samples, found[called].samples, strict=True)
            own = Series(
                f"{kind}: an attempt's own time, the goal is {OWN:g} ms", tuple(whole - alone for whole, alone in pairs)
            )
            rows += [Row(found[what], found[called]), Row(own)]
    return rows


def hanging_agents(folder: Path, rounds: int) -> list[Row]:
    """Milliseconds from the deadline until the attempt's processes are dead, with an endpoint that never answers."""
    rows: list[Row] = []
    for kind in BARE:

        def trial(kind=kind) -> float:
            with Server([Hang()]) as server, tempfile.TemporaryDirectory(dir=folder) as place:
                binding = Binding(kind, "the benchmark", model=Model("scripted-1", server.url))
                outcome = run_attempt(Path(place), a_task(Path(place)), binding, LIMIT)
                if outcome.survivors or not outcome.killed or not server.requests:
                    raise BrokenError(f"{kind}: {outcome.survivors} survive; ended by us: {outcome.killed}")
                if not server.wait(lambda server: not server.open_connections, 1.0):
                    raise BrokenError(f"{kind}: a socket stayed open")
            return outcome.over

        what = f"over {LIMIT} s: {kind}, an endpoint that never answers"
        rows.append(Row(in_turns({what: trial}, rounds)[what], most_ms=OVER))
    return rows


def cold_agents(folder: Path, rounds: int) -> list[Row]:
    """A run from start to exit against importing its framework bare."""
    scene = Scene(folder)
    contract = Path(__file__).parents[2] / "registry" / "autogen.worker.md"
    given = folder / "input.json"
    rows: list[Row] = []
    with Server(lambda _: Text(ANSWER)) as server:
        for kind, bare in BARE.items():
            number = iter(range(10**6))

            def run(kind=kind, number=number) -> float:
                given.write_text(json.dumps({"run_id": f"{kind}-{next(number)}", "task": "t", "context": {}}))
                flags = ("--backend", kind, "--model", "scripted-1", "--base-url", server.url)
                return scene.workermd("run", contract, given, *flags)

            what, baseline = f"run, {kind}, cold", f"python -c '{bare.imports}'"
            found = in_turns({baseline: lambda bare=bare: scene.python("-c", bare.imports), what: run}, rounds)
            rows.append(
                Row(
                    found[what], found[baseline]._replace(name=f"its framework imported bare ({kind})"), most_ratio=1.35
                )
            )
    return rows
