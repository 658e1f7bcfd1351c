"""`workermd import`: what AutoGen itself writes of a team becomes a contract, a binding and tools that run as they stand."""

from __future__ import annotations

import json
import os
import tomllib
from typing import Any

import pytest

from tests.late import LATE, needs
from workermd.cli import main
from workermd.testing import Call, Server, Text, ToolCalls

if LATE:
    from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
    from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
    from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat
    from autogen_core.tools import FunctionTool
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    from workermd.backends.autogen import importing
    from workermd.backends.autogen import needs as needed

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")

DONE = {"status": "ok", "result": {"answer": "Seven."}}


def add(a: int, b: int) -> str:
    """Adds."""
    return f"the sum is {a + b}, by {os.environ.get('SUMS_KEY', 'nobody')}"


def dumped(made: Any, **more: Any) -> dict[str, Any]:
    return {**json.loads(made.dump_component().model_dump_json()), **more}


def client(model: str = "gpt-4o-mini", **more: Any) -> Any:
    return OpenAIChatCompletionClient(model=model, api_key="sk-secret-4711", **more)


def adder(name: str = "adder") -> Any:
    return FunctionTool(add, name=name, description="Adds two numbers.", global_imports=["os"])


def team_of(*agents: Any, **more: Any) -> dict[str, Any]:
    ending = TextMentionTermination("TERMINATE") | MaxMessageTermination(8)
    made = RoundRobinGroupChat(list(agents), termination_condition=more.pop("ending", ending))
    return dumped(made, label="Sums & more", description="Adds\nnumbers.", **more)


@pytest.fixture
def call(tmp_path, monkeypatch, capfdbinary):
    """`workermd` in this process: the exit code, and what both streams got."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")

    def answer(*words):
        code = main.answer(list(words))
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return answer


def test_a_team_runs_as_it_was_imported(cli, call, tmp_path):
    (tmp_path / "team.json").write_text(json.dumps(team_of(AssistantAgent("solver", client(), tools=[adder()]))))
    code, out, err = call("import", "team.json")
    assert (code, err) == (0, "")
    assert call("validate", "--strict")[0] == 0
    written = "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file() and path.name != "team.json")
    assert "4711" not in written
    assert tomllib.loads((tmp_path / "workermd.toml").read_text()) == {
        "models": {"gpt-4o-mini": {"model": "gpt-4o-mini"}},
        "tools": {"adder": {"function": "sums_more_adder:add"}},
        "workers": {
            "sums-more": {
                "backend": "team",
                "model": "gpt-4o-mini",
                "component": "team.json",
                "tools": ["adder"],
                "secret_env": ["SUMS_KEY"],
            }
        },
    }
    script = [ToolCalls((Call("adder", '{"a": 3, "b": 4}'),)), Text("TERMINATE"), Text(json.dumps(DONE))]
    with Server(script) as server:
        path = tmp_path / "workermd.toml"
        path.write_text(path.read_text().replace('"gpt-4o-mini"\n', f'"gpt-4o-mini"\nbase_url = "{server.url}"\n', 1))
        words = out.splitlines()[-1].rpartition("workermd ")[2].split()
        done = cli(*words, env={"SUMS_KEY": "k-12345678", "OPENAI_API_KEY": "sk-none", "PYTHONPATH": str(tmp_path)})
        assert (done.code, done.document["result"]) == (0, {"answer": "Seven."}), done.err
        assert "the sum is 7, by " in json.dumps(server.requests[1].body)
        assert len(server.requests[0].body["tools"]) == 1


def test_the_refusal_names_the_keys_that_help_and_nothing_else(call, tmp_path):
    person = UserProxyAgent("boss")
    documents = {
        "tool": (team_of(AssistantAgent("a", client(), tools=[adder()])), 'it loads with tools = ["adder"]; workermd'),
        "person": (team_of(AssistantAgent("a", client()), person), "it loads with ask_user = true; workermd"),
        "cap": (
            team_of(AssistantAgent("a", client()), ending=TextMentionTermination("X")),
            "it loads with rounds = 10; workermd",
        ),
        "all": (
            team_of(
                AssistantAgent("a", client(), tools=[adder()]), person, ending=TextMentionTermination("X"), version=1
            ),
            'it loads with tools = ["adder"], ask_user = true, rounds = 10; workermd import all.json writes all of it',
        ),
    }
    strange = team_of(AssistantAgent("a", client()), person)
    strange["config"]["participants"].append({"provider": "theirs.Agent", "config": {"name": "x"}})
    documents["strange"] = (
        strange,
        'ask_user = true, and allow_providers = ["theirs.Agent"] if you trust what that loads; workermd',
    )
    hopeless = team_of(AssistantAgent("a", client(), tools=[adder()]), colour="red")
    worker = 'backend = "team"\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\n'
    config = tmp_path / "workermd.toml"
    config.write_text("".join(f'[workers.{name}]\n{worker}component = "{name}.json"\n' for name in documents))
    for name, (document, _) in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    out = call("doctor", "--offline")[1].replace("\n  ", " ")
    assert [name for name, (_, told) in documents.items() if told not in out] == [], out
    config.write_text(f'[workers.echo]\n{worker}component = "team.json"\n')
    (tmp_path / "team.json").write_text(json.dumps(hopeless))
    out = call("doctor", "--offline")[1].replace("\n  ", " ")
    assert "/colour: found an unknown key" in out or "FunctionTool" in out
    assert "it loads with" not in out


def test_an_agent_has_its_own_tools_and_those_that_the_file_does_not_name():
    team = team_of(
        AssistantAgent("a", client(), tools=[adder("first")]), AssistantAgent("b", client(), tools=[adder()])
    )
    left = needed.with_tools_of_ours(team, frozenset({"first", "free"}))
    first, second = (each["config"]["workbench"] for each in left["config"]["participants"])
    assert [each["config"].get("names") for each in first] == [None, ["first", "free"]]
    assert first[0]["config"]["tools"] == []
    assert second[-1]["config"]["names"] == ["free"]
    assert needed.function_tools(left) == [second[0]["config"]["tools"][0]]
    assert needed.with_tools_of_ours(team, frozenset({"free"})) == team


def test_models_keep_their_addresses_and_lose_their_keys():
    info = {"vision": False, "function_calling": True, "json_output": True, "family": "x", "structured_output": True}
    agents = [
        AssistantAgent("a", client(base_url="http://127.0.0.1:8000/v1", model_info=info)),
        AssistantAgent("b", client()),
        AssistantAgent("c", client()),
    ]
    team = dumped(SelectorGroupChat(agents, client(), max_turns=3))
    team["config"]["model_client"] = {
        "provider": "AzureOpenAIChatCompletionClient",
        "config": {
            "model": "gpt-4o",
            "azure_endpoint": "https://ours.openai.azure.com/",
            "azure_deployment": "d1",
            "api_version": "2024-10-21",
            "api_key": "sk-secret-4711",
        },
    }
    bad = {"provider": "OllamaChatCompletionClient", "config": {"model": "qwen3:8b", "host": "http://u:p@host"}}
    team["config"]["participants"][2]["config"]["model_client"] = bad
    found = importing.imported(team, "x").models
    assert found == {
        "gpt-4o-mini": {
            "model": "gpt-4o-mini",
            "base_url": "http://127.0.0.1:8000/v1",
            "api_key_env": "OPENAI_API_KEY",
        },
        "gpt-4o-mini-2": {"model": "gpt-4o-mini"},
        "qwen3-8b": {"model": "qwen3:8b", "base_url": "http://127.0.0.1:11434/v1"},
        "gpt-4o": {
            "model": "gpt-4o",
            "base_url": "https://ours.openai.azure.com/openai/deployments/d1",
            "api_version": "2024-10-21",
            "api_key_env": "AZURE_OPENAI_API_KEY",
        },
    }


@pytest.mark.parametrize(
    ("config", "source", "noted"),
    [
        ({"global_imports": [{"module": "typing", "imports": ["Any", {"name": "cast", "alias": "c"}]}]}, "from typing import Any, cast as c\n", ""),
        ({"global_imports": [{"name": "numpy", "alias": "np"}]}, "import numpy as np\n", ""),
        ({"global_imports": ["os\nimport evil"]}, "", "an import of it could not be read"),
        ({"source_code": "    async def f(a: int) -> int:\n        return a\n"}, "async def f(a: int) -> int:\n    return a\n", ""),
        ({"source_code": "def f(:"}, "", "has no function that can be read"),
        ({"source_code": None}, "", "has no function that can be read"),
        ({"has_cancellation_support": True}, "", "takes a cancellation token"),
    ],
)  # fmt: skip
def test_the_code_of_a_tool_is_written_to_be_read_and_not_run(config, source, noted):
    team = team_of(AssistantAgent("a", client(), tools=[adder()]))
    tool = team["config"]["participants"][0]["config"]["workbench"][0]["config"]["tools"][0]
    tool["config"] = {**tool["config"], **config}
    found = importing.imported(team, "x")
    assert source in found.tools[0].source
    assert [note for note in found.notes if noted in note] if noted else not found.notes


def test_nothing_is_written_over_and_what_is_there_stays(call, tmp_path):
    (tmp_path / "workermd.toml").write_text("# ours\n[tools.adder]\nfunction = 'ours:add'\n")
    gallery = {
        "components": {
            "teams": [
                team_of(AssistantAgent("a", client(), tools=[adder()])),
                {**team_of(AssistantAgent("b", client()), UserProxyAgent("boss")), "label": "2nd"},
            ]
        }
    }
    (tmp_path / "g.json").write_text(json.dumps(gallery))
    code, _, err = call("import", "g.json")
    assert code == 2
    assert "found a gallery with the teams 'Sums & more', '2nd'; choose one" in err
    assert "--team LABEL" in err
    code, _, err = call("import", "g.json", "--team", "Sums & more", "--name", "sums")
    assert code == 0
    assert "has [tools.adder] already" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "g.json", "sums.input.json", "sums.worker.md", "workermd.toml",
    ]  # fmt: skip
    before = (tmp_path / "workermd.toml").read_text()
    assert before.startswith("# ours\n[tools.adder]\nfunction = 'ours:add'\n\n[models.gpt-4o-mini]")
    code, _, err = call("import", "g.json", "--team", "Sums & more", "--name", "sums")
    assert (code, "has [workers.sums] already" in err) == (2, True)
    (tmp_path / "2nd.worker.md").write_text("mine")
    code, _, err = call("import", "g.json", "--team", "2nd")
    assert (code, "2nd.worker.md: is there already" in err) == (2, True)
    assert (tmp_path / "workermd.toml").read_text() == before
    code, _, err = call("import", "g.json", "--team", "2nd", "--name", "-x")
    assert code == 2
    assert call("import", "g.json", "--team", "2nd", "--name", "second")[0] == 0
    assert "needs_human" in (tmp_path / "second.worker.md").read_text()
    assert call("validate", "second.worker.md", "sums.worker.md", "--strict")[0] == 0
    code, _, err = call("import", "nowhere.json")
    assert (code, "nowhere.json: the file cannot be read" in err) == (2, True)
