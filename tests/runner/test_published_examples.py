"""The format's own eight examples, in the site's shape and spelling: each runs, with a program and with a model."""

import json
import sys

import pytest

from tests.conftest import ROOT
from workermd.contract.reader import read
from workermd.testing import Server, Text

FOLDER = ROOT / "tests" / "examples"
NAMES = sorted(path.name.removesuffix(".worker.md") for path in FOLDER.glob("*.worker.md"))
VOUCHED = ("--vouch", "max_tokens", "--vouch", "tools_allowed")
SAMPLES = {"string": "a", "object": {"a": 1}, "array": [1], "number": 0.5, "boolean": True}


def contract_of(name):
    reading = read((FOLDER / f"{name}.worker.md").read_bytes(), f"{name}.worker.md")
    assert reading.contract is not None, reading.findings
    return reading.contract


def sample(schema):
    return {
        name: node["enum"][0] if "enum" in node else SAMPLES[node["type"]]
        for name, node in schema["properties"].items()
    }


def answer_of(contract):
    document = sample(contract.output_schema)
    return document | ({"status": "ok"} if contract.reports_status else {})


def printing(document):
    """A program that prints a document, whatever it is asked."""
    return ["--backend", "command", "--", sys.executable, "-S", "-c", f"print({json.dumps(document)!r})"]


def test_there_are_eight():
    assert len(NAMES) == 8
    tools = {tool for name in NAMES for tool in contract_of(name).constraints.tools_allowed}
    assert "language_model" in tools
    assert not any("optional" in tool for tool in tools)


@pytest.mark.rule("S3.6", "S4.1", "S5.3")
@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_with_a_program_and_with_a_model(cli, name):
    contract = contract_of(name)
    spec, given = FOLDER / f"{name}.worker.md", json.dumps(sample(contract.input_schema))
    answer = answer_of(contract)
    done = cli("run", spec, "-", "--run-id", "r1", *VOUCHED, "--envelope", *printing(answer), given=given)
    assert (done.code, done.document["outputs"]) == (0, answer), done.err
    assert [note.split()[4] for note in done.document["notes"]] == ["max_tokens:", "tools_allowed:"]
    with Server([Text(json.dumps(answer))]) as server:
        model = ["--backend", "chat", "--model", "m", "--base-url", server.url]
        done = cli("run", spec, "-", "--run-id-from", "input", *model, given=given)
        assert (done.code, done.document) == (0, answer), done.err
        assert contract.purpose in json.dumps(server.requests[0].body)


@pytest.mark.rule("S3.6")
def test_a_bound_that_nobody_holds_or_vouches_for_is_refused_with_the_ways_out(cli):
    spec = FOLDER / "aggregator-worker.worker.md"
    given = json.dumps(sample(contract_of("aggregator-worker").input_schema))
    refused = cli("run", spec, "-", "--run-id", "r1", *printing({}), given=given)
    assert (refused.code, refused.document["error"]["code"]) == (2, "configuration")
    assert "max_tokens, tools_allowed" in refused.document["error"]["message"]
    assert "--vouch max_tokens --vouch tools_allowed" in refused.document["error"]["hint"]
    for never in ("timeout_seconds", "idempotency_key", "max_attempts"):
        assert cli("run", spec, "-", "--run-id", "r1", "--vouch", never, *printing({}), given=given).code == 2


REQUEST = {
    "worker_id": "web-scrape-worker",
    "version": "1.0",
    "trace": {"trace_id": "trc_42"},
    "inputs": {"url": "https://x.example", "extraction_spec": {}},
    "constraints": {"timeout_seconds": 20, "max_tokens": 900, "tools_allowed": ["fetch_url"]},
    "run_id": "r7",
}
SPEC = FOLDER / "web-scrape-worker.worker.md"
ECHO = "t = json.load(sys.stdin); print(json.dumps({'data': {name: t[name] for name in ('run_id', 'tools_allowed', 'budget', 'seconds_left', 'trace')}}))"


@pytest.mark.rule("S8.7", "S8.1")
def test_a_request_document_and_its_response(cli):
    echo = ["--backend", "command", "--", sys.executable, "-c", f"import json, sys\n{ECHO}"]
    done = cli("run", SPEC, "-", "--request", *VOUCHED, *echo, given=json.dumps(REQUEST))
    assert (done.code, done.document["status"], done.document["run_id"]) == (0, "ok", "r7")
    assert done.document["observability"]["trace_id"] == "trc_42"
    task = done.document["outputs"]["data"]
    assert (task["run_id"], task["tools_allowed"], task["budget"]) == ("r7", ["fetch_url"], {"max_tokens": 900})
    assert task["seconds_left"] <= 20
    assert task["trace"]["trace_id"] == "trc_42"
    other = cli("run", SPEC, "-", "--request", "--run-id", "r8", *VOUCHED, *echo, given=json.dumps(REQUEST))
    assert (other.code, other.document["error"]["code"]) == (2, "usage")


@pytest.mark.rule("S8.7", "S3.7")
@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"worker_id": "another"}, "request_mismatch", "worker_id"),
        ({"version": "1.1"}, "request_mismatch", "version"),
        ({"constraints": {"timeout_seconds": 61}}, "request_mismatch", "above the contract's 60"),
        ({"constraints": {"max_tokens": 1501}}, "request_mismatch", "above the contract's 1500"),
        ({"constraints": {"retries": {"max_attempts": 3}}}, "request_mismatch", "above the contract's 2"),
        ({"constraints": {"tools_allowed": ["fetch_url", "shell"]}}, "request_mismatch", "allows a tool"),
        ({"constraints": {"rate_limit": "99/s"}}, "request_mismatch", "cannot set rate_limit"),
        ({"constraints": {"timeout_seconds": "9"}}, "request_mismatch", "not of its form"),
        ({"constraints": {"speed": 9}}, "request_mismatch", "nobody knows"),
        ({"inputs": []}, "request_mismatch", "no object `inputs`"),
        ({"input": {}}, "request_mismatch", "no request has"),
        ({"run_id": 7}, "request_mismatch", "no text"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(change, code, word):
    from workermd.runner.request import InputRefused
    from workermd.runner.request_document import read as read_request

    with pytest.raises(InputRefused, match=word) as refused:
        read_request(json.dumps(REQUEST | change).encode(), contract_of("web-scrape-worker"))
    assert refused.value.code == code


@pytest.mark.rule("S8.7", "S2.2")
def test_a_refused_request_is_answered_by_an_envelope(cli):
    done = cli("run", SPEC, "-", "--request", *VOUCHED, *printing({}), given=json.dumps(REQUEST | {"version": "2.0"}))
    assert (done.code, done.document["status"], done.document["error"]["code"]) == (
        3,
        "invalid_request",
        "request_mismatch",
    )
    assert cli("run", SPEC, "-", "--request", *VOUCHED, *printing({}), given="{").code == 3
