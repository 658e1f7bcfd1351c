"""A team of the configuration as a component file: AutoGen's own loader takes it, and nothing of ours is in it."""

import json

import pytest

from tests.late import LATE, needs
from workermd.task.binding import Binding, Model

needs("autogen_agentchat", "AutoGen's AgentChat is not installed")

if LATE:
    from autogen_agentchat.teams import BaseGroupChat

    from workermd.backends.autogen.components import nodes, provider_of
    from workermd.backends.autogen.exporting import exported

WRITERS = [{"name": "writer", "instructions": "Draft."}, {"name": "editor", "model": "big"}]
TABLES = {
    "pair": {},
    "round-robin": {"pattern": "round-robin", "agents": WRITERS, "until": "DONE", "rounds": 3},
    "selector": {"pattern": "selector", "agents": WRITERS, "selector_model": "big"},
    "swarm": {"pattern": "swarm", "agents": [{"name": "a", "handoffs": ["b"]}, {"name": "b"}]},
    "graph": {
        "pattern": "graph",
        "agents": WRITERS,
        "start": "writer",
        "edges": [{"from": "writer", "to": "editor", "when": "READY"}],
    },
    "magentic": {"pattern": "magentic", "agents": WRITERS},
    "nested": {
        "pattern": "round-robin",
        "agents": [{"name": "office", "team": {"pattern": "pair"}}, {"name": "editor"}],
    },
}
MODELS = {
    "small": Model("qwen3:8b", "http://127.0.0.1:1/v1", api_key_env="SMALL_KEY"),
    "big": Model("other", "http://127.0.0.1:2/v1", api_key_env="BIG_KEY", structured="text"),
}


def binding_of(table):
    return Binding(
        kind="team", origin="the test", model=MODELS["small"], models=MODELS, arrangement={"model": "small", **table}
    )


@pytest.mark.parametrize("pattern", TABLES)
def test_every_pattern_is_loaded_by_autogen_itself(pattern, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")  # the client asks for one when it is made
    document = json.loads(json.dumps(exported(binding_of(TABLES[pattern]), "notes")))
    assert [provider_of(node) for _, node, _ in nodes(document) if "workermd" in provider_of(node)] == []
    assert "KEY" not in json.dumps(document)
    team = BaseGroupChat.load_component(document)
    names = [each["name"] if isinstance(each, dict) else each for each in TABLES[pattern].get("agents", ())]
    assert [each.name for each in team._participants] == (names or ["worker", "reviewer"])


def test_a_file_says_which_model_each_has_and_what_it_lacks():
    document = exported(binding_of(TABLES["round-robin"]), "notes")
    clients = [each["config"]["model_client"]["config"] for each in document["config"]["participants"]]
    assert [(each["model"], each["base_url"]) for each in clients] == [
        ("qwen3:8b", "http://127.0.0.1:1/v1"),
        ("other", "http://127.0.0.1:2/v1"),
    ]
    assert [each["model_info"]["json_output"] for each in clients] == [True, False]
    assert document["config"]["termination_condition"]["provider"].endswith("TextMentionTermination")
    assert "Left out: the key of qwen3:8b; the key of other; who has to say DONE." in document["description"]
