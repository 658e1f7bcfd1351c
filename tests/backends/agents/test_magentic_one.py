"""Magentic-One's own agents out of a component file: what the operator has to allow, and what they do then."""

from __future__ import annotations

import importlib.util
import json
import warnings
from typing import Any

import pytest

from tests.backends.agents.conftest import ANSWER, Bound
from tests.backends.agents.kinds import KindUnderTest
from tests.backends.agents.test_components import client, dumped, refused, round_robin
from tests.backends.agents.test_team import DONE, FACTS, PLAN, ledger, messages, perform, said
from tests.late import LATE, needs
from workermd.task.task import Budget
from workermd.testing import Call, Problem, Text, ToolCalls

if LATE:
    from autogen_agentchat.agents import CodeExecutorAgent
    from autogen_ext.agents.magentic_one import MagenticOneCoderAgent
    from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor
    from autogen_ext.models.openai import OpenAIChatCompletionClient

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")

__all__ = ["perform", "refused"]

CODER = "autogen_ext.agents.magentic_one.MagenticOneCoderAgent"
FILES = "autogen_ext.agents.file_surfer.FileSurfer"
WEB = "autogen_ext.agents.web_surfer.MultimodalWebSurfer"
EXECUTOR = "autogen_agentchat.agents.CodeExecutorAgent"
LOCAL = "autogen_ext.code_executors.local.LocalCommandLineCodeExecutor"
ALL = [CODER, FILES, WEB, EXECUTOR, LOCAL]
SUM = Text("```python\nprint(6 * 7)\n```")

EXTRAS = {"file-surfer": "markitdown", "web-surfer": "playwright"}


def extra(name: str) -> pytest.MarkDecorator:
    """Skips a test of an agent whose extra of autogen-ext is not installed."""
    absent = importlib.util.find_spec(EXTRAS[name]) is None
    return pytest.mark.skipif(absent, reason=f"autogen-ext[{name}] is not installed")


def surfer(provider: str, name: str, **config: Any) -> dict[str, Any]:
    return {"provider": provider, "config": {"name": name, "model_client": client(), **config}}


def coder() -> dict[str, Any]:
    """As AutoGen writes it."""
    return dumped(MagenticOneCoderAgent("coder", OpenAIChatCompletionClient(model="gpt-4o", api_key="x")))


def executor(folder: Any) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore"):  # it warns of what it is for
        return dumped(CodeExecutorAgent("terminal", LocalCommandLineCodeExecutor(work_dir=folder)))


@pytest.fixture
def team(perform, tmp_path):
    """Performs an attempt with a team of a file; a reporter gives the answer."""

    def run(script: list[Any], document: dict[str, Any], **more: Any) -> Any:
        (tmp_path / "team.json").write_text(json.dumps(document))
        return perform([*script, said(DONE)], {"component": "team.json", "allow_providers": ALL}, **more)

    return run


@pytest.fixture
def run(cli, contract, tmp_path):
    """A run of a team of one agent, and a reporter."""
    bound = Bound(KindUnderTest("team", "autogen_agentchat"), cli, contract, tmp_path)

    def made(script: list[Any], agent: dict[str, Any], **more: Any) -> Any:
        (tmp_path / "team.json").write_text(json.dumps(round_robin(agent, max_turns=1)))
        worker = {"component": "team.json", "allow_providers": ALL, "env": ["PLAYWRIGHT_BROWSERS_PATH"]}
        return bound(script, worker=worker, **more)

    yield made
    bound.close()


def test_a_coder_writes_and_a_terminal_runs_it(team, tmp_path):
    ended = team([SUM], round_robin(coder(), executor(tmp_path), max_turns=2))
    assert ended.asked == ["coder", "reporter"]
    assert "terminal: 42" in messages(ended, 1)
    assert ended.output == DONE


@extra("file-surfer")
def test_a_file_surfer_reads_what_lies_where_the_run_began(run, cli):
    """In a run: it takes for its folder the one in which its module was imported."""
    (cli.folder / "notes.txt").write_text("the answer is 42")
    ran = run([ToolCalls((Call("open_path", {"path": "notes.txt"}),)), Text(ANSWER)], surfer(FILES, "files"))
    assert ran.envelope["status"] == "ok", ran.done.err
    assert ran.envelope["usage"]["turns"] == 2
    assert "the answer is 42" in json.dumps(ran.server.requests[1].body)


@extra("file-surfer")
@pytest.mark.parametrize(
    ("turn", "budget", "code"),
    [(Text("x"), Budget(max_turns=1), "budget_exceeded"), (Problem(500), None, "backend_unavailable")],
)
def test_an_agent_that_catches_everything_catches_no_ending(team, turn, budget, code):
    """A file surfer goes on after any exception."""
    ended = team([turn] * 2, round_robin(surfer(FILES, "a"), surfer(FILES, "b"), max_turns=2), budget=budget)
    assert ended.failure["code"] == code
    assert ended.asked == ["a"]


@extra("file-surfer")
@extra("web-surfer")
def test_all_four_under_their_leader(team, tmp_path):
    agents = [surfer(FILES, "files"), surfer(WEB, "web"), coder(), executor(tmp_path)]
    leader = {"participants": agents, "model_client": client(), "max_turns": 9}
    script = [FACTS, PLAN, ledger(speaker="coder"), SUM, ledger(speaker="terminal"), ledger(satisfied=True)]
    ended = team(script, {"provider": "autogen_agentchat.teams.MagenticOneGroupChat", "config": leader})
    assert ended.asked == ["orchestrator"] * 3 + ["coder"] + ["orchestrator"] * 3
    assert "42" in messages(ended, 5)
    assert ended.output == DONE


@extra("web-surfer")
def test_a_web_surfer_without_its_browser_says_so(run, tmp_path):
    """In a run: its driver is a process that only the end of the attempt ends."""
    ran = run([Text(ANSWER)], surfer(WEB, "web"), env={"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "none")})
    assert ran.envelope["status"] == "ok", ran.done.err
    assert "Web surfing error" in json.dumps(ran.server.requests[0].body)


def test_what_is_not_allowed_is_refused_with_the_keys_that_help(refused, tmp_path):
    document = round_robin(surfer(FILES, "files"), surfer(WEB, "web"), coder(), executor(tmp_path))
    said = refused(document)
    assert f"/config/participants/0/provider: found '{FILES}'" in said
    assert f"it loads with allow_providers = {json.dumps([FILES, WEB, CODER, EXECUTOR, LOCAL])} if you trust" in said
    assert f"found '{LOCAL}'" in refused(document, allow_providers=[FILES, WEB, CODER, EXECUTOR])
    assert refused(document, allow_providers=ALL) == ""


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        (
            "no_such_package.agents.Clerk",
            "needs the Python module no_such_package, which is not here; install it where",
        ),
        ("autogen_ext.agents.no_such.Clerk", "where attempts run: pip install 'autogen-ext[no-such]'"),
        ("autogen_agentchat.agents.Clerk", "there is no such class; allowed is MODULE.CLASS"),
        ("Clerk", "there is no such class; allowed is MODULE.CLASS"),
    ],
)
def test_a_class_that_is_not_there_is_named(perform, tmp_path, provider, told):
    (tmp_path / "team.json").write_text(json.dumps(round_robin(surfer(provider, "clerk"))))
    ended = perform([], {"component": "team.json", "allow_providers": [provider]})
    assert (ended.failure["kind"], ended.failure["code"]) == ("refused", "backend_failed")
    assert ended.failure["message"].startswith(provider)
    assert told in ended.failure["message"]
