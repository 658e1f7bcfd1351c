"""A repository becomes a contract: expected files byte for byte, and nothing that our own reader would complain of."""

import json
import re
from pathlib import Path

import frontmatter
import pytest

from tests.derive.contracts import texts
from workermd.contract.reader import read
from workermd.derive import record
from workermd.derive.check import examine
from workermd.derive.compose import derive
from workermd.derive.model import Evidence, Interface

EXPECTED = Path(__file__).parent / "expected"

AUTOGEN_FILES = {
    "README.md": texts.AUTOGEN,
    "LICENSE": texts.CC_BY,
    "LICENSE-CODE": texts.MIT,
    "CHANGELOG.md": "# Changes\n",
}
AUTOGEN_FACTS = {
    "owner": "microsoft",
    "name": "autogen",
    "url": "https://github.com/microsoft/autogen",
    "description": "A programming framework for agentic AI",
    "licence": "CC-BY-4.0",
    "topics": ("agentic", "agents", "ai"),
}
TOOL_FILES = {
    "README.md": "# Widget\n\nWidget is a command-line tool to arrange widgets.\n\n```sh\ncargo install widget\n```\n",
    "Cargo.toml": '[package]\nname = "widget"\nlicense = "MIT"\nrust-version = "1.80"\n',
    "LICENSE": texts.MIT,
}


def interface(**changes):
    evidence = Evidence("api.json", 1, 2, "0" * 64, "https://github.com/example/widget/blob/x/api.json#L1-L2", "{")
    arguments = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
    answer = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    made = Interface("openapi", "api.json", "POST /widgets", "Make a widget.", arguments, answer, (evidence,))
    return made._replace(**changes)


CASES = {
    "autogen": (AUTOGEN_FILES, AUTOGEN_FACTS, None),
    "autogen-unquoted": (AUTOGEN_FILES, AUTOGEN_FACTS, None),
    "widget": (TOOL_FILES, {"topics": ("cli",), "archived": True}, None),
    "widget-openapi": (TOOL_FILES, {}, interface()),
    "empty": ({"a.txt": "x"}, {"description": None, "language": None, "licence": None, "stars": None, "url": ""}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_expected_contract(build, name):
    files, facts, chosen = CASES[name]
    derived = derive(build(files, **facts), chosen, quotes="none" if name.endswith("unquoted") else "full")
    path = EXPECTED / f"{name}.worker.md"
    assert derived.text == path.read_text()
    reading = read(derived.text.encode(), str(path))
    assert reading.findings == ()
    assert reading.contract is not None
    assert reading.contract.id == derived.record.worker_id


def sentences(text):
    """Every run of seven words: commands are shorter."""
    words = [word for word in re.split(r"[\s*`.,()\"]+", text.lower()) if word]
    return {" ".join(words[at : at + 7]) for at in range(len(words) - 6)}


@pytest.mark.parametrize("name", ["autogen", "widget", "widget-openapi"])
def test_without_quotes_the_claims_stay_and_the_sentences_go(build, name):
    files, facts, chosen = CASES[name]
    described = {
        "type": "object",
        "title": "T",
        "properties": {"title": {"type": "string", "description": "Words of theirs."}},
    }
    chosen = chosen and chosen._replace(input_schema=described)
    repository = build(files, **facts)
    full, bare = derive(repository, chosen), derive(repository, chosen, quotes="none")
    ours = sentences("".join(bare.text.split("## worker.md contract")[1].split("## Evidence (machine")[0]))
    theirs = sentences("\n".join([*files.values(), facts.get("description", "")])) - ours
    assert theirs & sentences(full.text)
    assert not theirs & sentences(bare.text)
    assert "Words of theirs." not in bare.text
    assert read(bare.text.encode(), "a.worker.md").findings == ()
    assert record.find(bare.text).record == bare.record

    def cited(derived):
        return [(c.field, c.confidence, [e._replace(quote="") for e in c.evidence]) for c in derived.record.claims]

    assert cited(bare) == cited(full)
    assert [drift.state for drift in examine(bare.text, repository)] == [
        d.state for d in examine(full.text, repository)
    ]


def test_same_inputs_same_bytes(build):
    repository = build(AUTOGEN_FILES, **AUTOGEN_FACTS)
    assert derive(repository).text == derive(repository).text


def test_every_piece_of_evidence_resolves_and_hashes_right(build):
    import hashlib

    repository = build(AUTOGEN_FILES, **AUTOGEN_FACTS)
    claims = record.find(derive(repository).text).record.claims
    cited = [evidence for claim in claims for evidence in claim.evidence if evidence.path]
    assert len(cited) > 8
    for evidence in cited:
        lines = repository.read(evidence.path).split(b"\n")[evidence.first_line - 1 : evidence.last_line]
        assert evidence.sha256 == hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
        assert evidence.permalink.endswith(
            f"{repository.commit}/{evidence.path}#L{evidence.first_line}-L{evidence.last_line}"
        )


def test_front_matter_is_what_another_reader_reads(build):
    derived = derive(build(AUTOGEN_FILES, **AUTOGEN_FACTS))
    theirs = frontmatter.loads(derived.text).metadata
    ours = read(derived.text.encode(), "a.worker.md").contract.front_matter
    assert list(theirs) == list(ours)
    assert {key: str(value) if not isinstance(value, list) else value for key, value in theirs.items()} == ours
    block = derived.text.split("```json x-workermd-evidence\n")[1].removesuffix("\n```\n")
    assert ours["x-evidence-sha256"] == record.text_sha256(block)


def test_the_mode_may_be_chosen(build):
    derived = derive(build(AUTOGEN_FILES, **AUTOGEN_FACTS), mode="tool-gateway-worker")
    assert derived.record.mode == "tool-gateway-worker"
    assert '"tool"' in derived.text


def contract_of(build, **changes):
    derived = derive(build(TOOL_FILES), interface(**changes))
    reading = read(derived.text.encode(), "a.worker.md")
    assert reading.findings == ()
    return derived, reading.contract


def test_an_argument_called_run_id(build):
    arguments = {"type": "object", "properties": {"run_id": {"type": "integer"}}, "required": ["run_id"]}
    derived, contract = contract_of(build, input_schema=arguments)
    assert contract.input_schema["required"] == ["run_id", "arguments"]
    assert contract.input_schema["properties"]["arguments"]["properties"]["run_id"] == {"type": "integer"}
    assert "run_id of its own" in derived.notes[0]


def test_references_lead_where_the_schema_stands(build):
    tree = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}, "leaf": {"$ref": "#/$defs/leaf"}, "$ref": {"type": "string"}},
        "$defs": {"leaf": {"enum": [{"$ref": "#"}]}},
    }
    _, contract = contract_of(build, input_schema=tree, output_schema=tree)
    moved = contract.input_schema["properties"]["arguments"]
    assert moved["properties"]["next"] == {"$ref": "#/properties/arguments"}
    assert moved["$defs"]["leaf"] == {"enum": [{"$ref": "#"}]}
    assert contract.output_schema["$defs"]["answer"]["properties"]["leaf"] == {"$ref": "#/$defs/answer/$defs/leaf"}


def test_an_answer_that_is_no_object(build):
    _, contract = contract_of(build, output_schema={"type": "array", "items": {"type": "string"}})
    assert contract.output_schema["$defs"]["answer"]["required"] == ["value"]


def test_an_answer_that_nobody_describes(build):
    derived, _ = contract_of(build, output_schema=None)
    assert "does not say what it answers" in derived.notes[0]


def test_a_pattern_that_no_run_could_check_is_left_out(build):
    arguments = {"type": "object", "properties": {"x": {"type": "string", "pattern": "(?<=a)b(?=c)\\1"}}}
    derived, contract = contract_of(build, input_schema=arguments)
    assert "pattern" not in contract.input_schema["properties"]["x"]
    assert "/properties/x/pattern" in derived.notes[0]


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {f"field_{n}": {"type": "string", "description": "x" * 500} for n in range(200)},
        },
        {"type": 7},
        {"type": "object", "$ref": "https://elsewhere.example/schema.json", "properties": 3},
        json.loads('{"items":' * 60 + "{}" + "}" * 60),
    ],
    ids=["too large", "no type", "elsewhere", "too deep"],
)
def test_an_interface_that_no_contract_can_hold_gives_the_starter(build, schema):
    derived, contract = contract_of(build, input_schema=schema)
    if contract.input_schema["properties"].keys() == {"run_id", "tool", "arguments"}:
        assert "could not be used" in derived.notes[0]
        assert derived.record.interface == ""
    else:
        assert "Left out" in derived.notes[0]


def test_a_run_accepts_it(build, cli, tmp_path):
    """`workermd run` with a program as the worker, and `validate` without a finding."""
    path = tmp_path / "widget.worker.md"
    path.write_text(derive(build(TOOL_FILES), interface()).text)
    assert cli("validate", path, "--format", "json").document["findings"] == []
    (tmp_path / "input.json").write_text('{"run_id": "r1", "size": 3}')
    (tmp_path / "work.py").write_text('print(\'{"result": {"id": "w3"}}\')\n')
    done = cli("run", path, tmp_path / "input.json", "--backend", "command", "--", "python3", tmp_path / "work.py")
    assert done.code == 0, done.err
    assert done.document == {"run_id": "r1", "status": "ok", "result": {"id": "w3"}}
    (tmp_path / "bad.json").write_text('{"run_id": "r2", "size": "large"}')
    assert (
        cli("run", path, tmp_path / "bad.json", "--backend", "command", "--", "python3", tmp_path / "work.py").code == 3
    )
