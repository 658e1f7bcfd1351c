"""What `editors/` has for others, held against the code: schemas, file pattern, grammar."""

import json
import re

import yaml

from tests.conftest import ROOT, contract_text
from workermd.cli.commands.schema import SCHEMAS
from workermd.contract.constraints import FORMS
from workermd.contract.document import SECTIONS
from workermd.contract.fields import KNOWN
from workermd.protocol.envelope import encoded

FOLDER = ROOT / "editors"
GRAMMAR = json.loads((FOLDER / "vscode" / "syntaxes" / "worker-md.tmLanguage.json").read_text())
EXTENSION = json.loads((FOLDER / "vscode" / "package.json").read_text())["contributes"]
RULES = GRAMMAR["repository"]


def test_the_schemas_are_those_that_we_print():
    for name, file in (("contract", "front-matter"), ("suite", "suite")):
        assert (FOLDER / "schemastore" / f"worker-md-{file}.json").read_bytes() == encoded(SCHEMAS[name]())
    for entry in json.loads((FOLDER / "schemastore" / "catalog.json").read_text()):
        assert (FOLDER / "schemastore" / entry["url"].rpartition("/")[2]).exists()


def test_all_say_the_same_pattern_and_scope():
    (language,), (grammar,) = EXTENSION["languages"], EXTENSION["grammars"]
    linguist = yaml.safe_load((FOLDER / "linguist" / "languages.yml").read_text())["worker.md"]
    assert language["extensions"] == linguist["extensions"] == [".worker.md"]
    assert language["filenamePatterns"] == ["*.worker.md"]
    assert GRAMMAR["fileTypes"] == ["worker.md"]
    assert {grammar["scopeName"], linguist["tm_scope"]} == {GRAMMAR["scopeName"]}
    assert grammar["language"] == language["id"]
    for path in (grammar["path"], language["configuration"]):
        json.loads((FOLDER / "vscode" / path).read_text())


def expression(name, part="match"):
    """An expression of the grammar as Python takes it: of a group (?i:...) the two agree."""
    return re.compile(RULES[name][part].replace(r"\1", ""), re.MULTILINE)


def test_the_grammar_knows_every_key_and_section():
    fields = RULES["field"]["match"].removeprefix("^(").partition(")")[0].split("|")
    assert sorted(fields) == sorted(KNOWN)
    for name in SECTIONS:
        for heading in (f"### {name}", f"# {name.upper()} ##"):
            assert expression("section").fullmatch(heading)[2].lower() == name.lower()
    for name in (name for name in FORMS if "." not in name):
        assert expression("constraint").fullmatch(f"- {name}: 30")[2] == name
    found = expression("constraint").fullmatch("- status_enum: [ok, partial]")
    assert (found[2], found[7]) == ("status_enum", "ok, partial")
    assert expression("constraint").fullmatch("- notes: adapt: see docs")[9] == "adapt: see docs"
    assert expression("constraint").fullmatch("- x-team: a")[3] == "x-team"
    for line in ("- timeout: 30", "timeout_seconds: 30", "    - timeout_seconds: 30", "- timeout_seconds:30"):
        assert not expression("constraint").fullmatch(line)


def test_the_grammar_meets_the_parts_of_a_contract():
    text = contract_text()
    assert len(expression("constraint").findall(text)) == 4
    assert [found[1] for found in expression("section").findall(text)] == [
        "Input schema",
        "Output schema",
        "Constraints",
    ]
    assert len(expression("json", "begin").findall(text)) == 2
    assert expression("purpose").search(text)[1] == "Purpose:"
    assert expression("front-matter", "begin").match(text)
    assert not expression("json", "begin").search("```jsonc\n")
    included = set(re.findall(r'"include": "#([\w-]+)"', json.dumps(GRAMMAR)))
    assert included == RULES.keys()
