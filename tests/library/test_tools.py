"""A contract as a tool: the agents of each framework decide to call it, and the worker carries it out within its bounds."""

import asyncio
import json
from pathlib import Path

import pytest

import workermd
from tests.conftest import ROOT
from workermd.testing import Call, Server, Text, ToolCalls

PAGE = (ROOT / "docs" / "workers-as-tools.md").read_text()


def parts(language):
    """The blocks of the page in a language, by the name in their first line."""
    blocks = [block.partition("```")[0] for block in PAGE.split(f"```{language}\n")[1:]]
    return {block.splitlines()[0].lstrip("# "): block for block in blocks}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """What the page's tool needs: the contract and the function of docs/batch.md, a session."""
    page = (ROOT / "docs" / "batch.md").read_text()
    (tmp_path / "count.worker.md").write_text(page.split("~~~markdown\n")[1].partition("~~~")[0])
    (tmp_path / "words.py").write_text(page.split("```python\n")[1].partition("```")[0])
    monkeypatch.chdir(tmp_path)
    with workermd.Session(ledger="ledger.db", config=False, folder=Path.cwd()) as session:
        names = {"session": session, "__name__": __name__}
        exec(parts("python")["the tool"], names)
        yield names


# AG2 and Agent Framework leave the connections of their clients to the end of the process.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("framework", ["AutoGen", "AG2", "Agent Framework", "a plain loop"])
def test_an_agent_calls_a_worker_as_its_tool(tool, framework):
    script = [ToolCalls((Call("count", {"text": "one two three"}),)), Text("It has three words.")]
    with Server(script, key="a-key") as server:
        tool |= {"url": server.url, "key": "a-key"}
        exec(parts("python")[framework], tool)
        said = asyncio.run(tool["ask"]("How many words has: one two three?"))
        assert said == "It has three words."
        first, second = server.requests
        offered = first.body["tools"][0]["function"]
        assert offered["name"] == "count"
        assert "text" in offered["parameters"]["properties"]
        told = next(each["content"] for each in second.body["messages"] if each["role"] == "tool")
        assert json.loads(told if isinstance(told, str) else told[0]["text"]) == {"words": 3}
    run = tool["session"].run("count.worker.md", {"text": "one two three"}, run_id_from="input", **tool["BINDING"])
    assert run.replayed, "what the agent had done is in the ledger"


def test_what_a_worker_refuses_is_told_to_the_model_in_a_sentence(tool):
    told = asyncio.run(tool["count"]("x" * 10001))
    assert told.startswith("error: The input does not match its schema")
