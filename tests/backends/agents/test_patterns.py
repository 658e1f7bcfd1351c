"""The same words mean the same in every kind that has them: one table of what is refused, one of what happens."""

import importlib
import json
from typing import Any

import pytest

from tests.backends.agents.attempts import tried
from tests.backends.agents.conftest import ANSWER
from tests.late import needs
from workermd.task.binding import Binding, Model
from workermd.task.task import KINDS
from workermd.testing import Text

needs("autogen_agentchat", "workermd[agentchat] is not installed")
needs("agent_framework", "workermd[agent-framework] is not installed")
needs("ag2", "workermd[ag2] is not installed")

HAVE = {
    "round-robin": ("team", "ag2", "agent-framework"),
    "swarm": ("team", "ag2", "agent-framework"),
    "selector": ("team", "agent-framework"),
    "graph": ("team", "agent-framework"),
    "magentic": ("team", "agent-framework"),
}


def agents(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


TWO = agents("a", "b")

REFUSED: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("round-robin", {"rounds": 0}, ("rounds: found 0", "allowed is a whole number from 1 to 1000")),
    ("round-robin", {"rounds": "3"}, ("rounds: found 3", "allowed is a whole number")),
    ("swarm", {"rounds": 0}, ("rounds: found 0",)),
    ("selector", {"rounds": -1}, ("rounds: found -1",)),
    ("selector", {"agents": agents("a")}, ("two",)),
    ("swarm", {"agents": agents("a")}, ("two",)),
    ("selector", {"selector_model": "large"}, ("selector_model: found", "large", "allowed are the worker", "small")),
    ("magentic", {"orchestrator_model": "large"}, ("orchestrator_model: found", "large", "small")),
    ("magentic", {"max_stalls": 0}, ("max_stalls: found 0", "from 1 to 1000")),
    ("magentic", {"max_replans": -1}, ("max_replans: found -1", "from 0 to 1000")),
    ("magentic", {"on_stall": "cry"}, ("on_stall: found", "cry", "allowed are fail, ask")),
    ("graph", {"start": "c"}, ("start", "'c'")),
    ("graph", {"sequence": ["a", "c"]}, ("sequence",)),
    ("graph", {"sequence": ["a", "b"], "edges": [{"from": "a", "to": "b"}]}, ("sequence: found beside edges",)),
    (
        "graph",
        {"agents": agents("a", "b", "c"), "edges": [{"from": "a", "to": "b"}, {"from": "a", "to": "c", "when": "x"}]},
        ("some", "without"),
    ),
    ("round-robin", {"answer": "c"}, ("answer: found 'c'; allowed are a, b",)),
    ("round-robin", {"pattern": "quorum"}, ("pattern: found 'quorum'; allowed are",)),
]


@pytest.mark.parametrize(
    ("kind", "pattern", "keys", "told"),
    [(kind, pattern, keys, told) for pattern, keys, told in REFUSED for kind in HAVE[pattern]],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_wrong_pattern_is_told_with_what_was_found_and_what_is_allowed(kind, pattern, keys, told):
    model = Model("small", "http://127.0.0.1:1/v1")
    arrangement = {"pattern": pattern, "agents": TWO, **keys}
    binding = Binding(kind, "workermd.toml: [workers.x]", model=model, models={"small": model}, arrangement=arrangement)
    reason = importlib.import_module(KINDS[kind].module).unusable(binding)
    assert reason.startswith("workermd.toml: [workers.x]")
    for words in told:
        assert words in reason


def ledger(*, done: Any = False, progress: Any = True, loop: Any = False, to: str = "a", without: str = "") -> Text:
    """A leader's ledger of progress."""
    entries = {
        "is_request_satisfied": done,
        "is_in_loop": loop,
        "is_progress_being_made": progress,
        "next_speaker": to,
        "instruction_or_question": "go on",
    }
    entries.pop(without, None)
    return Text(json.dumps({key: {"answer": answer, "reason": "why"} for key, answer in entries.items()}))


PLAN = [Text("facts"), Text("plan")]
STALL = ledger(progress=False)
SPOKEN = Text("spoken")
DONE = [ledger(done=True), Text(ANSWER)]

HAPPENS: dict[str, tuple[dict[str, Any], list[Text], tuple[str, str], int]] = {
    "a happy end": ({}, [*PLAN, ledger(), SPOKEN, *DONE], ("", ""), 6),
    "false as text is not done": (
        {"rounds": 2}, [*PLAN, ledger(done="false"), SPOKEN, ledger(done="False"), SPOKEN, ledger(done="false")],
        ("invalid_output", "budget_exceeded"), 0,
    ),
    "true as text is done": ({}, [*PLAN, ledger(done="true"), Text(ANSWER)], ("", ""), 4),
    "a key that is missing is asked for again": ({}, [*PLAN, ledger(without="is_in_loop"), *DONE], ("", ""), 5),
    "a stranger is asked for again": ({}, [*PLAN, ledger(to="Zed"), *DONE], ("", ""), 5),
    "a name in other letters is that name": ({}, [*PLAN, ledger(to="A"), SPOKEN, *DONE], ("", ""), 6),
    "three bad ledgers end it": (
        {}, [*PLAN, *[ledger(to="Zed")] * 3], ("invalid_output", "output_not_json"), 5,
    ),
    "max_stalls rounds without progress, then a new plan": (
        {"max_stalls": 2}, [*PLAN, STALL, SPOKEN, STALL, *PLAN, *DONE], ("", ""), 9,
    ),
    "a new plan begins the count anew": (
        {"max_stalls": 2, "max_replans": 1}, [*PLAN, STALL, SPOKEN, STALL, *PLAN, STALL, SPOKEN, *DONE], ("", ""), 11,
    ),
    "a loop is a stall": ({"max_stalls": 1}, [*PLAN, ledger(loop=True), *PLAN, *DONE], ("", ""), 7),
    "no plan is left": (
        {"max_stalls": 1, "max_replans": 0}, [*PLAN, STALL], ("invalid_output", "budget_exceeded"), 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HAVE["magentic"])
@pytest.mark.parametrize("name", HAPPENS)
def test_a_leader_is_taken_at_the_same_word(kind, name, tmp_path):
    keys, script, ending, requests = HAPPENS[name]
    arrangement = {"pattern": "magentic", "agents": TWO, **keys}
    ran = tried(kind, script, tmp_path, arrangement=arrangement)
    assert ran.ending == ending, ran.message
    assert len(ran.server.requests) == requests or not requests


GRAPHS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a sequence": ({"sequence": ["a", "b"]}, ["a", "b"]),
    "a start": ({"start": "b", "edges": [{"from": "b", "to": "a"}], "answer": "a"}, ["b", "a"]),
    "no edges": ({}, ["a", "b"]),
}


@pytest.mark.parametrize("kind", HAVE["graph"])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_has_the_same_keys(kind, name, tmp_path):
    keys, order = GRAPHS[name]
    ran = tried(kind, [Text(ANSWER)] * 2, tmp_path, arrangement={"pattern": "graph", "agents": TWO, **keys})
    assert ran.ending == ("", ""), ran.message
    assert [event["agent"] for event in ran.events if event["event"] == "request"] == order


def test_the_workers_own_model_can_be_named(cli, contract, given, tmp_path):
    (tmp_path / "workermd.toml").write_text(
        '[models.fast]\nmodel = "small"\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[workers.echo]\nbackend = "team"\nmodel = "fast"\npattern = "selector"\nselector_model = "fast"\n'
        'agents = [{ name = "a", model = "fast" }, { name = "b" }]\n'
    )
    done = cli("run", contract(), given("a"), "--dry-run")
    assert done.code == 0, done.err
