"""The shipped contracts for agents: their recorded conversations replay on every framework, and still fit the prompts."""

import importlib.util
import json

import jsonschema
import pytest

from tests.backends.agents.kinds import KINDS_UNDER_TEST
from tests.backends.agents.recordings import CHECK, DRAFT, EXAMPLES, FOLDER, NOTES, command, record
from tests.conftest import ROOT

MODULES = {kind.name: kind.module for kind in KINDS_UNDER_TEST}
CASES = [(kind, contract) for kind, contracts in EXAMPLES.items() for contract in contracts]


def test_every_kind_with_a_model_has_an_example():
    assert set(EXAMPLES) == set(MODULES)
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(EXAMPLES)


@pytest.mark.parametrize(("kind", "contract"), CASES)
def test_a_recorded_conversation_replays_without_model_and_key(kind, contract, cli, tmp_path):
    """Red after a prompt has changed: record anew with `python -m tests.backends.agents.recordings`."""
    if importlib.util.find_spec(MODULES[kind]) is None:
        pytest.skip(f"{MODULES[kind]} is not installed, so the kind {kind} cannot be tried")
    flags = ("--replay", FOLDER / kind, "--envelope")
    words = command(kind, contract, FOLDER / f"{kind}.toml", tmp_path / "ledger.db", *flags)
    done = cli(*words, cwd=ROOT)
    assert done.code == 0, done.err
    envelope = done.document
    kept = json.loads((ROOT / "contracts" / "examples" / f"{contract}.output.json").read_text())
    assert (envelope["backend"], envelope["outputs"]) == (kind, kept)
    assert envelope["usage"]["turns"] == (1 if contract == "ticket-triage" else 3)


@pytest.mark.parametrize("contract", ["ticket-triage", "release-notes"])
def test_the_output_kept_is_one_of_its_contract(contract):
    text = (ROOT / "contracts" / f"{contract}.worker.md").read_text()
    schema = json.loads(text.split("### Output schema")[1].split("```json")[1].split("```")[0])
    kept = json.loads((ROOT / "contracts" / "examples" / f"{contract}.output.json").read_text())
    jsonschema.validate(kept, schema)


def test_recording_makes_what_is_shipped(tmp_path):
    """All but what the server draws: ids and times of its answers."""
    record("chat", "ticket-triage", tmp_path)
    (made,) = (json.loads(path.read_text()) for path in tmp_path.iterdir())
    (kept,) = (json.loads(path.read_text()) for path in (FOLDER / "chat").iterdir())
    for recording in (made, kept):
        for exchange in recording["exchanges"]:
            for drawn in ("id", "created", "system_fingerprint"):
                exchange["answer"].pop(drawn, None)
    assert made == kept


def test_the_script_of_the_pages_says_what_the_recordings_say():
    played = [turn["text"] for turn in json.loads((FOLDER / "answers.json").read_text())]
    assert played == [json.dumps(NOTES), DRAFT, CHECK, json.dumps(NOTES)]


def test_the_demo_runs_every_example():
    makefile = (ROOT / "Makefile").read_text()
    demo = makefile.split("demo-agents:")[1].split("\n\n")[0]
    singles, teams = (
        line.split(" in ")[1].split(";")[0].split() for line in demo.splitlines() if "for kind in" in line
    )
    assert {*((kind, "ticket-triage") for kind in singles), *((kind, "release-notes") for kind in teams)} == set(CASES)
